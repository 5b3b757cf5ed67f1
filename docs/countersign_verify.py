#!/usr/bin/env python3
"""Verifies a Countersign log: a second verifier, written from docs/record-format.md alone.

    countersign_verify.py LOG --keys FILE [--expect-checkpoint FILE ...] [--witness-policy FILE] [--json]
    countersign_verify.py --receipt FILE --keys FILE [--json]
    countersign_verify.py --batch LIST

LOG is the SQLite file of a store, a directory of tiles, or a file of JSON lines. It is only read, and nothing is ever made beside it. KEYS
are the keys that you trust, from somewhere else than the log (section 3 of the document, "Trust"); a checkpoint is a signed note that you
kept, or got from somebody who did. Exit codes are those of section 9; a receipt that proves its record gives 0, and one that does not 1.
Python 3.9 or later, and the package `cryptography`, of which one function is used (`ed25519_verifies`).

How to read this file: every numbered rule of the document is a function marked with its number, which returns what is wrong or nothing.
`Log.walk` calls them in order, first over the bytes and the structure of a record, then over its meaning. The parts are

    1. small things           5. bodies: F6                      9. the walk and the verdict
    2. canonical JSON         6. meaning: M1-M12                10. receipts: R1-R7
    3. keys and signatures    7. reading SQLite                 11. the command
    4. structure: F, S        8. reading exports: T1-T8, J1-J4

LIST has one JSON object a line, {"store": PATH, "keys": PATH, "checkpoints": [PATH, ...], "witnesses": PATH} of which the last two may be
absent, or {"receipt": PATH, "keys": PATH}; one JSON object a line comes out for each.
`--without RULE` leaves a rule out. It is there for testing this verifier: a golden log that only that rule refuses must then pass.
"""

import argparse
import base64
import binascii
import collections
import datetime
import functools
import hashlib
import itertools
import json
import os
import re
import sqlite3
import sys
import unicodedata
import urllib.parse

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# ---------------------------------------------------------------------------------------------------------------------------------------
# 1. Small things
# ---------------------------------------------------------------------------------------------------------------------------------------

MOST_BYTES = 49_152
MOST_DEPTH = 64
MOST_DISCLOSED_BYTES = 2 * 1024 * 1024
MOST_DISCLOSED_DEPTH = 72
LARGEST_INTEGER = 2**53 - 1
MOST_SIGNATURES = 8

# The order in which rules are named where a record breaks several (section 9).
RULES = [
    *"F1 F2 F3 F4 F5 F6 F7 F8".split(),
    *"S1 S2 S3 S4 S5 S6 S7 S8 S9 S10 S11 S12 S13 S14".split(),
    *"M1 M2 M3 M4 M5 M6 M7 M8 M9 M10 M11 M12".split(),
    "F9",
    # Of receipts and of exports. Those that bind a writer (T10), or say what a verifier leaves alone (T9, J5), are asked nowhere.
    *"R1 R2 R3 R4 R5 R6 R7".split(),
    *"T1 T2 T3 T4 T5 T6 T7 T8".split(),
    *"J1 J2 J3 J4".split(),
]


def rule(number):
    """Marks a function as (a part of) the check of a numbered rule. It returns what is wrong, or None."""
    assert number in RULES

    def mark(check):
        check.rule = number
        return check

    return mark


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def tagged(domain, data):
    """The tagged digest of section 1, in hex."""
    return sha256(domain.encode(), b"\0", data).hex()


def leaf_of(statement):
    return sha256(b"\0", statement)


class Tree:
    """The right edge of an RFC 6962 tree: the roots of its perfect subtrees, the largest first."""

    def __init__(self):
        self.size = 0
        self.edge = []

    def push(self, leaf):
        """Adds a leaf, and returns the full subtrees that it completes: [(level, number, hash)], 256 leaves at level 1."""
        completed = []
        node, index, height = leaf, self.size, 0
        while index >> height & 1:
            node = sha256(b"\x01", self.edge.pop(), node)
            height += 1
            if height % 8 == 0:
                completed.append((height // 8, index >> height, node))
        self.edge.append(node)
        self.size += 1
        return completed

    def root(self):
        if not self.edge:
            return sha256()
        return functools.reduce(lambda right, left: sha256(b"\x01", left, right), reversed(self.edge))


HEX_DIGEST = re.compile(r"[0-9a-f]{64}")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
LOG_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
PSEUDONYM = re.compile(r"p-[0-9a-f]{32}")
TIME = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})\.([0-9]{6})Z")
EPOCH = datetime.datetime(1970, 1, 1)
MICROSECOND = datetime.timedelta(microseconds=1)


def micros(text):
    """A time as microseconds since 1970, or None if the text is none."""
    match = TIME.fullmatch(text) if isinstance(text, str) else None
    if not match:
        return None
    try:
        at = datetime.datetime(*map(int, match.groups()))
    except ValueError:
        return None
    return (at - EPOCH) // MICROSECOND if at >= EPOCH else None


def is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST_INTEGER


def is_uint(value):
    return is_integer(value) and value >= 0


def is_ascending(items):
    """Ascending, and each once. Texts ascend by code points, which is the order of their UTF-8 bytes."""
    return all(a < b for a, b in zip(items, items[1:]))


def unbase64(text, url=False):
    """The bytes of canonical base64 (padded) or base64url (not padded), or None."""
    try:
        if url:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            again = base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        else:
            data = base64.b64decode(text, validate=True)
            again = base64.b64encode(data).decode()
    except (binascii.Error, ValueError):
        return None
    return data if again == text else None


# ---------------------------------------------------------------------------------------------------------------------------------------
# 2. Canonical JSON (RFC 8785)
# ---------------------------------------------------------------------------------------------------------------------------------------


class NotJson(ValueError):
    pass


def read_json(data):
    """The value of JSON bytes. It need not be canonical; `write_json` shows whether it is."""
    try:
        return json.loads(
            data.decode("utf-8"), object_pairs_hook=members_once, parse_int=number, parse_float=number, parse_constant=no_number
        )
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from None


def members_once(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotJson("a member stands twice")
    return members


def number(text):
    """An int where the number is one within ±(2^53−1), as it is written, and else a float."""
    if re.fullmatch(r"-?[0-9]{1,16}", text) and text != "-0" and abs(int(text)) <= LARGEST_INTEGER:
        return int(text)
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise NotJson("a number is no double")
    return value


def no_number(text):
    raise NotJson(f"{text} is no JSON")


def write_json(value, levels):
    """The canonical form, as text, of a value in which arrays and objects nest at most so many levels."""
    if isinstance(value, (list, dict)) and levels == 0:
        raise NotJson("it nests too deep")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return write_double(value)
    if isinstance(value, list):
        return "[" + ",".join(write_json(item, levels - 1) for item in value) + "]"
    names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    return "{" + ",".join(write_json(name, 0) + ":" + write_json(value[name], levels - 1) for name in names) + "}"


def write_double(value):
    """ECMAScript's Number::toString, which has the same shortest digits as Python's repr."""
    if value == 0:
        return "0"
    sign, digits, exponent = "-" if value < 0 else "", *shortest(abs(value))
    count = len(digits)
    if count <= exponent <= 21:
        return sign + digits + "0" * (exponent - count)
    if 0 < exponent <= 21:
        return sign + digits[:exponent] + "." + digits[exponent:]
    if -6 < exponent <= 0:
        return sign + "0." + "0" * -exponent + digits
    power = f"e{exponent - 1:+d}"
    return sign + digits[0] + ("." + digits[1:] if count > 1 else "") + power


def shortest(value):
    """The shortest digits of a double, and n where it is 0.digits × 10^n."""
    mantissa, _, power = repr(value).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    exponent = len(whole) + int(power or 0)
    stripped = digits.lstrip("0")
    return stripped.rstrip("0"), exponent - (len(digits) - len(stripped))


def canonical(value, levels=MOST_DEPTH):
    """The canonical bytes, or None if there are none."""
    try:
        return write_json(value, levels).encode("utf-8")
    except (NotJson, UnicodeEncodeError, RecursionError):
        return None


# ---------------------------------------------------------------------------------------------------------------------------------------
# 3. Keys, signatures and signed notes
# ---------------------------------------------------------------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def x_squared(y):
    return (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P


def is_on_curve(y):
    square = x_squared(y)
    return square == 0 or pow(square, (P - 1) // 2, P) == 1


def y_of_order_8():
    """A y of the points of order 8: doubled they have y = 0, so that x² = −y², and the curve's equation becomes d·y⁴ + 2·y² − 1 = 0."""
    root = square_root((1 + D) % P)
    solutions = (square_root((sign * root - 1) * pow(D, P - 2, P) % P) for sign in (1, -1))
    return next(y for y in solutions if y is not None)


def square_root(square):
    root = pow(square, (P + 3) // 8, P)
    for candidate in (root, root * pow(2, (P - 1) // 4, P) % P):
        if candidate * candidate % P == square % P:
            return candidate
    return None


# The y of all eight points of small order: the neutral one, those of order 2 and 4, and of order 8.
SMALL_ORDER = {1, P - 1, 0, y_of_order_8(), P - y_of_order_8()}


def is_strict_point(encoded):
    """Canonical, on the curve, and not of small order. x = 0 with a sign is a second spelling of points of small order."""
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return y < P and y not in SMALL_ORDER


def is_key(public):
    y = int.from_bytes(public, "little") & (2**255 - 1)
    return len(public) == 32 and y < P and is_on_curve(y)


# S1: canonical encodings of A, R and S, no A or R of small order. What breaks it does not verify, and so breaks S2 or S7.
@rule("S1")
def s1_strict(public, signature):
    if not is_strict_point(public):
        return "its key is weak or not encoded canonically"
    if not is_strict_point(signature[:32]) or int.from_bytes(signature[32:], "little") >= L:
        return "it is weak or not encoded canonically"


@functools.lru_cache(maxsize=1024)
def public_key(public):
    return Ed25519PublicKey.from_public_bytes(public)


def ed25519_verifies(public, signature, message):
    """The equation of RFC 8032 5.1.7 without cofactor, as OpenSSL checks it."""
    try:
        public_key(public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def pre_authentication(statement):
    """What the signatures of a record are over (DSSE v1)."""
    kind = b"application/vnd.in-toto+json"
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(statement), statement)


def key_id(public):
    return sha256(b"\x01", public).hex()


ED25519, COSIGNATURE = b"\x01", b"\x04"


def key_hint(name, public, typed=ED25519):
    return sha256(name.encode(), b"\n", typed, public)[:4]


class Malformed(ValueError):
    pass


Checkpoint = collections.namedtuple("Checkpoint", "origin size root")
# A checkpoint from outside; `unvouched` are its bytes where no key that the auditor trusts has signed it.
Anchor = collections.namedtuple("Anchor", "size root unvouched")
Note = collections.namedtuple("Note", "text signatures")  # signatures: [(name, hint, bytes)]


def read_note(data):
    """A C2SP signed note."""
    try:
        content = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed("a note is UTF-8") from None
    text, separator, lines = content.rpartition("\n\n")
    if len(data) > 1_000_000 or lines.count("\n") > 100:
        raise Malformed("it is larger than a note may be")
    if not separator or not lines.endswith("\n") or any(ord(c) < 0x20 and c != "\n" for c in content):
        raise Malformed("it is no signed note")
    signatures = [read_signature_line(line) for line in lines[:-1].split("\n")]
    if len({(name, hint) for name, hint, _ in signatures}) < len(signatures):
        raise Malformed("two of its lines are by one key")
    return Note(text + "\n", signatures)


def read_signature_line(line):
    parts = line.split(" ")
    data = unbase64(parts[2]) if len(parts) == 3 else None
    if data is None or len(data) < 5 or parts[0] != "—" or not is_key_name(parts[1]):
        raise Malformed("a signature line is malformed")
    return parts[1], data[:4], data[4:]


def is_key_name(name):
    return 1 <= len(name.encode("utf-8")) <= 200 and not any(c == "+" or c.isspace() or is_control(c) for c in name)


def read_checkpoint(text):
    """A C2SP checkpoint without extension lines."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3] or not is_origin(lines[0]) or not re.fullmatch(r"0|[1-9][0-9]{0,19}", lines[1]):
        raise Malformed("it is no checkpoint of three lines")
    root, size = unbase64(lines[2]), int(lines[1])
    if root is None or len(root) != 32 or size > LARGEST_INTEGER:
        raise Malformed("its size or tree head is malformed")
    return Checkpoint(lines[0], size, root)


def is_origin(text):
    return isinstance(text, str) and re.fullmatch(r"[!-*,-~]{1,200}", text) is not None


def read_keys(text):
    """A file of trusted keys: {public key: roles}."""
    keys = {}
    for count, line in enumerate(text.splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        public, roles = read_key_line(line) or (None, None)
        if public is None or public in keys:
            raise Malformed(f"line {count} of the keys is no key, or one that stands there already")
        keys[public] = roles
    return keys


def read_key_line(line):
    roles, _, key = line.partition(" ")
    roles = set(roles.split(","))
    verifier = read_verifier_key(key.strip(), ED25519)
    return (verifier[1], roles) if verifier and roles <= ROLES else None


def read_verifier_key(text, kind):
    """The name and the public key of a C2SP verifier key of that signature type, or None."""
    parts = text.split("+", 2)
    typed = unbase64(parts[2]) if len(parts) == 3 else None
    if typed is None or len(typed) != 33 or typed[:1] != kind or not is_key_name(parts[0]):
        return None
    name, public = parts[0], typed[1:]
    fits = key_hint(name, public, kind).hex() == parts[1] and is_key(public) and is_strict_point(public)
    return (name, public) if fits else None


ROLES = {"checkpoint", "desk", "gate", "operator"}


class Witnesses:
    """A C2SP tlog-policy: which witnesses together are a quorum."""

    MOST = {"log": 256, "witness": 64, "group": 256}

    def __init__(self, data):
        self.logs, self.witnesses, self.groups = [], {}, {}
        self.quorum, self.members, self.publics = None, set(), set()
        lines = data.decode("utf-8").split("\n")
        if lines.pop() or len(data) > 1_000_000:
            raise Malformed("the witness policy does not end, or is too large")
        for count, line in enumerate(lines, 1):
            items = re.findall(r"[^ \t]+", line)
            if any(ord(c) < 0x20 and c != "\t" or ord(c) == 0x7F for c in line):
                raise Malformed(f"line {count} of the witness policy has a control character")
            if items and not items[0].startswith("#") and not self.read(*items):
                raise Malformed(f"line {count} of the witness policy is malformed")
        if self.quorum is None:
            raise Malformed("the witness policy names no quorum")

    def read(self, sort, *items):
        """Whether a line is one of the four."""
        if sort == "log" and 1 <= len(items) <= 2:
            self.logs.append(self.key(items[0], ED25519))
            return self.logs[-1] is not None and len(self.logs) <= self.MOST["log"]
        if sort == "witness" and 2 <= len(items) <= 3 and self.is_free(items[0]):
            self.witnesses[items[0]] = key = self.key(items[1], COSIGNATURE)
            return key is not None and len(self.witnesses) <= self.MOST["witness"]
        if sort == "group" and len(items) > 2 and self.is_free(items[0]):
            name, need, *members = items
            need = {"all": len(members), "any": 1}.get(need) or (int(need) if re.fullmatch(r"[1-9][0-9]{0,3}", need) else 0)
            once = len(set(members)) == len(members) and self.members.isdisjoint(members)
            self.members.update(members)
            there = all(member in self.witnesses or member in self.groups for member in members)
            self.groups[name] = (need, members)
            return once and there and 1 <= need <= len(members) and len(self.groups) <= self.MOST["group"]
        if sort == "quorum" and len(items) == 1 and self.quorum is None:
            self.quorum = items[0]
            return self.quorum == "none" or self.quorum in self.witnesses or self.quorum in self.groups
        return False

    def is_free(self, name):
        return name != "none" and name not in self.witnesses and name not in self.groups

    def key(self, text, kind):
        """A key that stands there once."""
        key = read_verifier_key(text, kind)
        if key is None or key[1] in self.publics:
            return None
        self.publics.add(key[1])
        return key

    def since(self, note, log):
        """Since when a quorum has cosigned a checkpoint of the log, in microseconds, or None."""
        note = read_note(note)
        own = [Key(public, {"checkpoint"}) for name, public in self.logs if name == log.origin]
        if self.logs and log.signer_of(note, own, log.origin)[1]:
            return None
        cosigned = []
        for line in note.signatures:
            named = [name for name, key in self.witnesses.items() if line[:2] == (key[0], key_hint(*key, COSIGNATURE))]
            found = [(at, name) for name in named if (at := self.cosigned_at(log, note, line[2], self.witnesses[name][1]))]
            if named and not found:
                return None
            cosigned += found
        names = set()
        for at, name in sorted(cosigned):
            if key_id(self.witnesses[name][1]) not in log.keys:
                names.add(name)
                if self.quorum != "none" and self.is_met(self.quorum, names):
                    return at
        return None

    @staticmethod
    def cosigned_at(log, note, data, public):
        """C2SP tlog-cosignature: 8 bytes of time, and a signature over it and the text."""
        seconds = int.from_bytes(data[:8], "big")
        message = f"cosignature/v1\ntime {seconds}\n{note.text}".encode()
        if len(data) != 72 or not 0 < seconds * 1_000_000 <= LATEST or not log.verifies(public, data[8:], message):
            return None
        return seconds * 1_000_000

    def is_met(self, name, names):
        if name in self.witnesses:
            return name in names
        need, members = self.groups[name]
        return sum(self.is_met(member, names) for member in members) >= need

# ---------------------------------------------------------------------------------------------------------------------------------------
# 4. Records: bytes and structure
# ---------------------------------------------------------------------------------------------------------------------------------------

GATE, DESK, OPERATOR, GATE_OR_DESK = {"gate"}, {"desk"}, {"operator"}, {"gate", "desk"}

# Section 5: who may sign a kind, and whether it has a request (None: as its body says).
KINDS = {
    "genesis": ({"operator", "gate"}, False),
    "policy_adopted": (GATE_OR_DESK, False),
    "requested": (GATE, True),
    "voted": (DESK, True),
    "reassessed": (GATE, True),
    "started": (GATE, True),
    "lease_renewed": (GATE, True),
    "finished": (GATE, True),
    "lost": (GATE_OR_DESK, True),
    "withdrawn": (GATE, True),
    "superseded": (GATE, True),
    "cancelled": (DESK, True),
    "revoked": (DESK, True),
    "expired": (GATE_OR_DESK, True),
    "reconciled": (DESK, True),
    "clock": (GATE_OR_DESK, False),
    "clock_acknowledged": (OPERATOR, False),
    "key_added": (OPERATOR, False),
    "key_rotated": (OPERATOR, False),
    "key_revoked": (OPERATOR, False),
    "erased": (OPERATOR, False),
    "recovered": (OPERATOR, False),
}
RESERVED = {
    **{kind: (DESK, None) for kind in "granted grant_revoked edited responded frozen thawed break_glass reviewed viewed".split()},
    "undelivered": (GATE_OR_DESK, None),
}
CHANGES_KEYS = {"key_added", "key_rotated", "key_revoked"}
# Kinds by which a later edition may allow a request what this one forbids.
MAY_LOOSEN = {"granted", "grant_revoked", "edited", "responded", "break_glass"}

Disclosure = collections.namedtuple("Disclosure", "digest name value")


def read_disclosure(text):
    """A disclosure (section 4), or None if it breaks F9 by itself."""
    data = unbase64(text, url=True)
    try:
        value = None if data is None or len(data) > MOST_DISCLOSED_BYTES else read_json(data)
    except NotJson:
        return None
    if value is None or canonical(value, MOST_DISCLOSED_DEPTH) != data or not isinstance(value, list) or len(value) != 3:
        return None
    salt, name, value = value
    if not isinstance(salt, str) or len(unbase64(salt, url=True) or b"") != 16:
        return None
    if not isinstance(name, str) or name in ("_sd", "..."):
        return None
    return Disclosure(disclosure_digest(text), name, value)


def read_sealed(text):
    """The digest of a sealed disclosure (section 4), or None if it is none. What it seals is for whoever has the keys."""
    digest = text[1:44]
    if not text.startswith("~") or not is_disclosure_digest(digest) or unbase64(text[44:], url=True) is None:
        return None
    return digest


def disclosure_digest(text):
    return base64.urlsafe_b64encode(sha256(text.encode("ascii"))).rstrip(b"=").decode()


def is_disclosure_digest(text):
    return isinstance(text, str) and len(unbase64(text, url=True) or b"") == 32


def objects_in(value):
    """Every object in a value, itself included."""
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield item
            waiting.extend(inner for name, inner in item.items() if name != "_sd")
        elif isinstance(item, list):
            waiting.extend(item)


class Record:
    """A row of a store. What its statement says is read leniently; the rules say what is wrong with it."""

    def __init__(self, seq, statement, signatures, columns, texts, withheld=()):
        self.seq = seq
        self.statement = statement
        self.signatures = signatures
        self.columns = columns
        self.texts = [text for text in texts if not text.startswith("~")]  # of the disclosures filed under it
        self.sealed = [read_sealed(text) for text in texts if text.startswith("~")]  # the digests of those that are sealed
        self.withheld = withheld  # digests of those that an export does not hand over
        try:
            value = read_json(statement)
        except NotJson:
            value = None
        self.value = value
        self.top = value if isinstance(value, dict) else {}
        predicate = self.top.get("predicate")
        self.says = predicate if isinstance(predicate, dict) else {}
        self.kind = self.says.get("kind")
        self.version = self.says.get("v")
        self.request = self.says.get("request")
        self.body = self.says.get("body") if isinstance(self.says.get("body"), dict) else {}
        self.ts = micros(self.says.get("ts"))
        self.opened = {}
        self.newcomer = None  # the public key that it brings
        self.erases = []
        self.signer_unknown = False

    @property
    def not_judged(self):
        """Why the meaning of the record is not judged, or None."""
        if self.version != 1:
            return f"its version is {self.version}"
        if self.says.get("crit"):
            return "it has an extension that is not known"
        if self.kind in RESERVED:
            return "its kind is reserved"
        return None if self.kind in KINDS else "its kind is not known"

    @property
    def says_known_kind(self):
        return self.version == 1 and (self.kind in KINDS or self.kind in RESERVED)

    def subject(self):
        """The digest in its subject."""
        return self.top["subject"][0]["digest"]["sha256"]

    def covers(self):
        """Each object of its body that hides members, with its digests."""
        return [(item, item["_sd"]) for item in objects_in(self.body) if isinstance(item.get("_sd"), list)]

    def signers(self):
        return {signer for signer, _ in self.signatures}

    def hidden(self):
        """All of these digests."""
        return [digest for _, digests in self.covers() for digest in digests]


# F1: at most 49,152 bytes.
@rule("F1")
def f1_size(record):
    if len(record.statement) > MOST_BYTES:
        return "its statement is larger than 49,152 bytes"


# F2: the canonical form of a JSON value and nothing more; compared on the stored bytes.
@rule("F2")
def f2_canonical(record):
    if record.value is None or canonical(record.value) != record.statement:
        return "its statement is not canonical JSON"


# F3: an in-toto statement with a record as its predicate.
@rule("F3")
def f3_statement(record):
    if set(record.top) != {"_type", "predicate", "predicateType", "subject"} or not isinstance(record.top["predicate"], dict):
        return "it has not the members of a statement"
    if record.top["_type"] != "https://in-toto.io/Statement/v1" or record.top["predicateType"] != "https://countersign.dev/record/v1":
        return "its types are others"


# F4: the subject is the request with its action digest, or the log. That of a request is compared with the action in M2.
@rule("F4")
def f4_subject(record):
    if record.version != 1:
        return None
    subject = record.top.get("subject")
    try:
        ((name, digest),) = [(one["name"], one["digest"]["sha256"]) for one in subject]
        exact = [set(one) for one in subject] == [{"name", "digest"}] and set(subject[0]["digest"]) == {"sha256"}
    except (TypeError, KeyError, ValueError):
        return "its subject is not one name with one digest"
    if not exact or not isinstance(digest, str) or not HEX_DIGEST.fullmatch(digest):
        return "its subject is not one name with one digest"
    log = record.says.get("log", "")
    if record.request is not None:
        return None if name == f"request:{record.request}" else "its subject is not its request"
    if name != f"log:{log}" or digest != tagged("countersign/log/v1", log.encode()):
        return "its subject is not its log"


PREDICATE = {
    "log": lambda value: isinstance(value, str) and LOG_ID.fullmatch(value),
    "seq": is_uint,
    "prev": lambda value: isinstance(value, str) and HEX_DIGEST.fullmatch(value),
    "root": lambda value: isinstance(value, str) and HEX_DIGEST.fullmatch(value),
    "ts": lambda value: micros(value) is not None,
    "key": lambda value: isinstance(value, str) and HEX_DIGEST.fullmatch(value),
    "kind": lambda value: isinstance(value, str) and value,
    "v": is_uint,
}
PREDICATE_V1 = {
    "body": lambda value: isinstance(value, dict),
    "enforced": lambda value: isinstance(value, bool),
}
PREDICATE_V1_OPTIONAL = {
    "crit": lambda value: isinstance(value, list) and value and all(isinstance(name, str) for name in value) and is_ascending(value),
    "request": lambda value: isinstance(value, str) and UUID.fullmatch(value),
}


# F5: the members of the predicate. Of another version, only those that chain the record.
@rule("F5")
def f5_predicate(record):
    wanted = {**PREDICATE, **PREDICATE_V1} if record.version == 1 else PREDICATE
    known = {**wanted, **PREDICATE_V1_OPTIONAL}
    for name, fits in wanted.items():
        if name not in record.says or not fits(record.says[name]):
            return f"the member `{name}` of its predicate is missing or malformed"
    if record.version != 1:
        return None
    for name, value in record.says.items():
        if name not in known or not known[name](value):
            return f"the member `{name}` of its predicate is malformed or not known"
    _, has_request = {**KINDS, **RESERVED}.get(record.kind, (None, None))
    if has_request is not None and has_request != ("request" in record.says):
        return "its kind asks for a request, or for none"


# F7: each `_sd` is a non-empty ascending array of digests, none of which stands twice in the record.
@rule("F7")
def f7_hidden(record):
    if record.version != 1:
        return None
    seen = set()
    for item in objects_in(record.body):
        digests = item.get("_sd", ["_sd"])
        if "_sd" not in item:
            continue
        if not isinstance(digests, list) or not digests or not all(map(is_disclosure_digest, digests)) or not is_ascending(digests):
            return "an `_sd` is no ascending array of digests"
        if not seen.isdisjoint(digests):
            return "the digest of a hidden member stands twice in it"
        seen.update(digests)


# F7, second half: and none stands twice in the log. Of a record that breaks S, it says more that it does not belong there.
@rule("F7")
def f7_once(log, record):
    if not log.digests.isdisjoint(digest for digest in record.hidden() if isinstance(digest, str)):
        return "the digest of a hidden member stood in the log before"


# F8: no number with a fraction or an exponent. (Those outside of the body are F5's.)
@rule("F8")
def f8_integers(record):
    if record.version != 1:
        return None
    for item in objects_in([record.body]):
        if any(isinstance(value, float) for value in leaves_of(item)):
            return "a number in its body is no integer"


def leaves_of(value):
    if isinstance(value, (dict, list)):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from leaves_of(inner)
    else:
        yield value


# F9: a disclosure has one spelling, and the member that it discloses is in its object once.
@rule("F9")
def f9_disclosures(record):
    if None in record.sealed or any(read_disclosure(text) is None for text in record.texts):
        return "a disclosure of it is malformed"
    for item, digests in record.covers():
        names = [record.opened[digest].name for digest in digests if digest in record.opened]
        if len(set(names)) < len(names) or not set(item).isdisjoint(names):
            return "a hidden member of it collides with another member"


# S2: 1 to 8 signatures, no two by one key, each by a key that is in force, or that the record itself brings, and verifying.
@rule("S2")
def s2_signatures(log, record):
    if not 1 <= len(record.signatures) <= MOST_SIGNATURES:
        return "it has no signature or more than 8"
    if len({signer for signer, _ in record.signatures}) < len(record.signatures):
        return "two signatures are by one key"
    message = pre_authentication(record.statement)
    for signer, signature in record.signatures:
        public = public_of(log, record, signer)
        if public is not None and not log.verifies(public, signature, message):
            return "a signature does not verify"


def public_of(log, record, signer):
    """The key that may sign a record under this key id."""
    key = log.in_force(signer, record.seq)
    if key is None and record.newcomer is not None and key_id(record.newcomer) == signer:
        return record.newcomer
    return key and key.public


# S2, too: a signature by a key that is not in force. Where a record that is not judged may have named it, it is a doubt.
@rule("S2")
def s2_known_keys(log, record):
    if any(public_of(log, record, signer) is None for signer, _ in record.signatures):
        return "a signature is by a key that the log does not name, or that is not in force"


# S3: the first signature is by the named key, which has a role that the kind asks for.
@rule("S3")
def s3_role(log, record):
    signer = record.signatures[0][0] if record.signatures else None
    if signer != record.says["key"]:
        return "its first signature is not by the key that it names"
    if record.says_known_kind:
        roles, _ = {**KINDS, **RESERVED}[record.kind]
        key = log.in_force(signer, record.seq)
        if key is None or key.roles.isdisjoint(roles):
            return "its key has no role that may sign its kind"


# S4: number, predecessor, tree head and log are those of its place.
@rule("S4")
def s4_place(log, record):
    if record.says["seq"] != record.seq:
        return "it says to have another number"
    if record.says["prev"] != log.prev.hex():
        return "it does not follow the record before"
    if record.says["root"] != log.tree.root().hex():
        return "its tree head is not that of the records before"
    if log.id is not None and record.says["log"] != log.id:
        return "it belongs to another log"


# S5: time does not run backwards.
@rule("S5")
def s5_time(log, record):
    if log.ts is not None and record.ts < log.ts:
        return "its time is before that of the record before"


# S6: record 0 is the genesis, and no other is.
@rule("S6")
def s6_genesis(record):
    if (record.kind == "genesis" and record.version == 1) != (record.seq == 0):
        return "record 0 is the genesis, and no other is"


# S7: a checkpoint of this log; its root is the tree head at its size.
@rule("S7")
def s7_checkpoint(log, filed, note):
    checkpoint, why = log.read_signed(note, log.checkpoint_keys())
    if why:
        return f"the checkpoint after it is refused: {why}"
    if checkpoint.size != filed or filed == 0:
        return "a checkpoint is filed under another size"
    if not log.torn and (filed != log.tree.size or checkpoint.root != log.tree.root()):
        return "the checkpoint after it has another tree head"


# S7: a checkpoint from outside has the log's tree head.
@rule("S7")
def s7_outside(log, anchor):
    if anchor.size != log.tree.size or anchor.root != log.tree.root():
        return "a checkpoint from outside has another tree head: the log was rewritten"


# S7: the last checkpoint covers all of the log, and none more than that.
@rule("S7")
def s7_beyond(log, beyond):
    if beyond:
        return "a checkpoint covers records that are missing"


@rule("S7")
def s7_covered(log):
    if log.covered < log.next:
        return "no checkpoint covers it"


OTHER_LEAF = "its stored leaf is another"


# S8: stored copies say what the statement says.
@rule("S8")
def s8_columns(record):
    if record.columns.leaf not in (None, leaf_of(record.statement)):
        return OTHER_LEAF
    request = record.request if isinstance(record.request, str) and UUID.fullmatch(record.request) else None
    says = (record.says["prev"], record.kind, request, record.ts)
    columns = record.columns
    if columns.prev is not None and says != (columns.prev.hex(), columns.kind, columns.request, columns.ts):
        return "a stored column says something else than it"


@rule("S8")
def s8_subtree(expected, stored):
    if expected is None:
        return "a stored subtree is not one of the tree"
    if stored != expected:
        return "a stored subtree that ends with it is missing or another"


@rule("S8")
def s8_head(log, head):
    if head is None or head.size > log.next:
        return "the head row is missing, malformed, or counts records that are missing"
    if (head.log, head.size, head.edge, head.prev, head.ts) != (log.id, log.tree.size, log.tree.edge, log.prev, log.ts):
        return "the head row is not that of the last record"


# S7, of the checkpoint in the head row.
@rule("S7")
def s7_head(log, head):
    _, why = log.read_signed(head.note, log.checkpoint_keys())
    return why


@rule("S8")
def s8_head_checkpoint(log, head):
    checkpoint, why = log.read_signed(head.note, log.checkpoint_keys())
    if not why and (checkpoint.size, checkpoint.root) != (head.size, log.tree.root()):
        return "the head row is about another tree than its checkpoint"


# S9: every digest has its disclosure, or was erased or withheld, and every disclosure beside the log has its digest.
@rule("S9")
def s9_missing(missing):
    if missing:
        return "a disclosure of it is missing"


@rule("S9")
def s9_withheld(record):
    hidden, said = set(record.hidden()), collections.Counter(record.withheld)
    if any(many > 1 or digest not in hidden or digest in record.opened for digest, many in said.items()):
        return "a disclosure that is said to be withheld is given, or not named by it"


@rule("S9")
def s9_stray(record):
    named = set(record.hidden())
    opened = [one.digest for one in map(read_disclosure, record.texts) if one]
    filed = collections.Counter(opened + [digest for digest in record.sealed if digest])
    if any(many > 1 or digest not in named for digest, many in filed.items()):
        return "a disclosure filed under it is not named by it"


@rule("S9")
def s9_nowhere(record_is_there):
    if not record_is_there:
        return "a disclosure is filed under a record that is not there"


# S10: every key of the genesis is among those of the auditor, with no role more.
@rule("S10")
def s10_trusted(trusted, keys):
    if any(not key.roles <= trusted.get(key.public, set()) for key in keys.values()):
        return "self-consistent, signer not trusted"


# S11: a key that comes is new and has signed; one that goes is in force, and signs its rotation; somebody can sign checkpoints after it.
@rule("S11")
def s11_comes(log, record):
    if record.newcomer is None:
        return None
    if key_id(record.newcomer) in log.keys:
        return "the key that comes stood in the log before"
    if key_id(record.newcomer) not in record.signers():
        return "the key that comes has not signed it"


@rule("S11")
def s11_goes(log, record):
    if record.kind == "key_rotated" and record.body["old"] not in record.signers():
        return "the key that goes has not signed it"


# S11, too: what a record that is not judged may have changed.
@rule("S11")
def s11_in_force(log, record):
    old, roles = record.body.get("old"), set()
    if old is not None and log.in_force(old, record.seq) is None:
        return "the key that goes is not in force"
    for key in log.keys.values():
        if key.covers(record.seq + 1) and (key_id(key.public) != old or record.newcomer is not None):
            roles |= key.roles
    if "checkpoint" not in roles | set(record.body.get("roles", [])):
        return "nobody could sign checkpoints after it"


# S12: what a stolen key signed counts only if it lies before the theft, and under a checkpoint that the thief cannot have made.
@rule("S12")
def s12_stolen(log, theft):
    if theft.last_ts >= theft.since:
        return f"record {theft.last} is by a key that somebody else may have had by then"
    if not (theft.last < log.outside or any(theft.last < size and at < theft.since for size, at in log.witnessed)):
        return f"record {theft.last} is by a key that was stolen later, and no checkpoint from outside covers it"


# S13: what is erased was hidden before, is erased once, and is gone.
@rule("S13")
def s13_erased(log, record):
    for digest in record.erases:
        if log.missing.get(digest, record.seq) >= record.seq:
            return "a value that it erases was not hidden before, was erased already, or is still there"


# S14: a log that continues another says right after its genesis what was lost, and no other log does.
@rule("S14")
def s14_succession(log, record):
    due = record.seq == 1 and log.predecessor is not None
    if record.kind != "recovered":
        return "its log continues another, and it does not say what was lost" if due else None
    if not due:
        return "only the record after a genesis that names a predecessor says what was lost"
    after, attested, found = (record.body.get(name) for name in ("after", "attested", "found"))
    seen, held = (head["size"] if isinstance(head, dict) else 0 for head in (attested, found))
    fits = {
        "rollback": 1 <= held < seen,
        "fork": 1 <= seen <= held and attested != found,
        "head_file_missing": held >= 1 and seen <= held,
        "store_lost": held == 0 and seen >= 1,
        "broken": held >= 1 or seen >= 1,
    }
    named = {name: log.predecessor[name] for name in ("root", "size")}
    if not fits.get(after, True) or (attested or found) != named:
        return "what it says to have been attested and found does not fit what befell the log, or the genesis"


@rule("S14")
def s14_alone(log):
    if log.predecessor is not None and log.next == 1:
        return "its log continues another, and no record says what was lost"


# ---------------------------------------------------------------------------------------------------------------------------------------
# 5. Bodies (F6): the tables of sections 5 to 7, as shapes
#
# A shape says whether a value is of its type. `opened` are the disclosures of the record, by digest.
# ---------------------------------------------------------------------------------------------------------------------------------------


def plain(fits):
    """A shape for values that hide nothing."""
    return lambda value, opened: bool(fits(value))


def matching(pattern):
    return plain(lambda value: isinstance(value, str) and re.fullmatch(pattern, value))


def word(words):
    return plain(lambda value: isinstance(value, str) and value in words.split())


def array(shape, ascending=False, non_empty=False, most=None, by=lambda item: item):
    def fits(value, opened):
        if not isinstance(value, list) or (non_empty and not value) or not all(shape(item, opened) for item in value):
            return False
        if most is not None and len(value) > most:
            return False
        return not ascending or is_ascending([by(item) for item in value])

    return fits


def members(clear, optional={}, hidden={}, maybe_hidden={}, hides_any=False):
    """An object with exactly these members. `hides_any` is for objects whose hidden members have names of the action's own."""

    def fits(value, opened):
        if not isinstance(value, dict):
            return False
        shown = {name: member for name, member in value.items() if name != "_sd"}
        known = {**clear, **optional}
        if not set(clear) <= set(shown) <= set(known) or not all(known[name](member, opened) for name, member in shown.items()):
            return False
        return hides_any or hides(value, hidden, maybe_hidden, opened)

    return fits


def hides(value, hidden, maybe_hidden, opened):
    """The hidden members of an object: those that it always has, perhaps those that it may have, and no others (section 4)."""
    if "_sd" in value and not hidden and not maybe_hidden:
        return False
    found, closed = read_hidden(value, opened)
    known = {**hidden, **maybe_hidden}
    if not set(found) <= set(known) or not all(known[name](member, opened) for name, member in found.items()):
        return False
    left = closed - len(set(hidden) - set(found))
    return 0 <= left <= len(set(maybe_hidden) - set(found))


def read_hidden(value, opened):
    """The members that are disclosed, and how many digests have no disclosure."""
    digests = value.get("_sd", [])
    found = {opened[digest].name: opened[digest].value for digest in digests if digest in opened}
    return found, sum(digest not in opened for digest in digests)


def either(*shapes):
    return lambda value, opened: any(shape(value, opened) for shape in shapes)


TEXT = plain(lambda value: isinstance(value, str))
UINT = plain(is_uint)
INTEGER = plain(is_integer)
OBJECT = plain(lambda value: isinstance(value, dict))
ANY = plain(lambda value: True)
TRUE = plain(lambda value: value is True)
DIGEST = matching(HEX_DIGEST)
UUID_TEXT = matching(UUID)
TIME_TEXT = plain(lambda value: micros(value) is not None)
PERSON = matching(PSEUDONYM)
SELECTOR = matching(r"(group|user|role|relation|oncall|owner|service):[!-'*-~]{1,128}")
SELECTORS = array(SELECTOR, ascending=True)


def words_of(most):
    """A text for people: 1 to `most` characters, none of which is a control character."""
    return plain(lambda value: isinstance(value, str) and 1 <= len(value) <= most and not any(map(is_control, value)))


def is_control(character):
    return unicodedata.category(character) == "Cc"


VISIBLE = matching(r"[!-~]{1,128}")
LABELS = array(plain(lambda value: isinstance(value, str) and len(value) <= 64 and re.fullmatch(LABEL, value)), ascending=True, most=16)
LABEL = r"[a-z][a-z0-9_-]*(:[a-z][a-z0-9_-]*)?"
RESOURCE_TYPE = matching(r"[a-z][a-z0-9_.:-]{0,63}")
MEMBER_NAME = re.compile(r"(?!_sd)[A-Za-z_][A-Za-z0-9_.-]{0,63}")
RULE_NAME = matching(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
SECONDS = plain(lambda value: is_integer(value) and 1 <= value <= 30 * 24 * 60 * 60)
SMALL = plain(lambda value: is_uint(value) and value < 2**32)

ACTION_NAME = r"[a-z][a-z0-9_-]*(\.[a-z][a-z0-9_-]*){0,7}"
PUBLIC_KEY = plain(lambda value: isinstance(value, str) and is_key(unbase64(value) or b"") and is_strict_point(unbase64(value)))
KEY = members({"key": PUBLIC_KEY, "roles": array(word("checkpoint desk gate operator"), ascending=True, non_empty=True)})
LOG_TEXT = matching(LOG_ID)
ORIGIN = plain(is_origin)
PREDECESSOR = members({"log": LOG_TEXT, "origin": ORIGIN, "root": DIGEST, "size": UINT})

PRINCIPAL = {"issuer": words_of(256), "subject": words_of(256)}
ID = members(PRINCIPAL)


def clear_or_hidden(name, shape, rest):
    """An object with one member that is either in the clear or hidden."""
    return either(members({**rest, name: shape}), members(rest, hidden={name: shape}))


DATASET = clear_or_hidden("name", words_of(1024), {"kind": word("data model code"), "labels": LABELS, "namespace": words_of(256)})
RESOURCE = clear_or_hidden("id", words_of(1024), {"labels": LABELS, "type": RESOURCE_TYPE})
ACTOR = either(
    members({"kind": word("agent service"), **PRINCIPAL}),
    members({"kind": word("human"), "person": PERSON}, hidden={"id": ID}),
)
MOST_LEVELS = {"clear": 32, "hidden": 64}


def is_value(value, levels, integers_only):
    """A value of the action's own: only so deep, and with no member named as those of selective disclosure."""
    if isinstance(value, (list, dict)):
        inner = value.values() if isinstance(value, dict) else value
        named = isinstance(value, dict) and not {"_sd", "..."}.isdisjoint(value)
        return levels > 0 and not named and all(is_value(item, levels - 1, integers_only) for item in inner)
    return not integers_only or not isinstance(value, float)


def counted_size(value):
    """How large a value counts as in the limits of section 6."""
    if isinstance(value, str):
        return 2 + len(value.encode("utf-8")) + sum(1 if c in '"\\' else 5 if c < " " else 0 for c in value)
    if isinstance(value, list):
        return 2 + sum(1 + counted_size(item) for item in value)
    if isinstance(value, dict):
        return 2 + sum(2 + counted_size(name) + counted_size(item) for name, item in value.items())
    return 5 if value is None or isinstance(value, bool) else len(write_json(value, 0))


def named_values(most, most_bytes, *places):
    """Members whose names are the action's own. `places` finds them: (those in the clear, the object that hides the others)."""

    def fits(value, opened):
        shown, hidden, closed = [], [], False
        for clear, hiding in (place(value) for place in places):
            found, left = read_hidden(hiding, opened)
            shown += clear.items()
            hidden += found.items()
            closed |= left > 0
        names = [name for name, _ in shown + hidden]
        return (
            len(set(names)) == len(names)
            and all(MEMBER_NAME.fullmatch(name) for name in names)
            and all(is_value(item, MOST_LEVELS["clear"], True) for _, item in shown)
            and all(is_value(item, MOST_LEVELS["hidden"], False) for _, item in hidden)
            and len(names) <= most
            and (closed or sum(len(name) + 4 + counted_size(item) for name, item in shown + hidden) <= most_bytes)
        )

    return fits


def both(*shapes):
    return lambda value, opened: all(shape(value, opened) for shape in shapes)


CONTEXT = both(
    members({"clear": OBJECT}, hides_any=True),
    named_values(32, 64 * 1024, lambda value: (value["clear"], value)),
)
PARAMETERS = both(
    members({}, {"sensitive": both(members({}, hides_any=True), plain(lambda value: "_sd" in value))}, hides_any=True),
    named_values(64, 1024 * 1024, lambda value: ({}, value), lambda value: ({}, value.get("sensitive", {}))),
)
BOUND = members(
    {
        "action": plain(lambda value: isinstance(value, str) and len(value) <= 128 and re.fullmatch(ACTION_NAME, value)),
        "actor": array(ACTOR, non_empty=True, most=8),
        "context": CONTEXT,
        "established": matching(r"[a-z0-9_.:-]{1,64}"),
        "parameters": PARAMETERS,
        "reads": array(DATASET, most=64),
        "request": UUID_TEXT,
        "resources": array(RESOURCE, most=32),
        "session": VISIBLE,
        "v": plain(lambda value: is_integer(value) and value == 1),
        "writes": array(DATASET, most=64),
    },
    {
        "operation": SMALL,
        "replaces": UUID_TEXT,
        "tenant": VISIBLE,
        "tool": members({"name": VISIBLE}, {"digest": DIGEST, "server": VISIBLE, "version": VISIBLE}),
    },
    maybe_hidden={"occurrence": words_of(256)},
)

REQUIREMENT = members(
    {
        "clocks": members({"timeout": SECONDS, "valid_for": SECONDS}, {"run_within": SECONDS}),
        "exclude": array(word("requester delegators agent-owner editors"), ascending=True),
        "must_supply": array(word("reason ticket"), ascending=True),
        "profiles": array(RULE_NAME, ascending=True),
        "quorum": plain(lambda value: isinstance(value, str) and read_quorum(value) is not None),
        "self_approval": word("refused recorded"),
    },
    {"not_before": TIME_TEXT, "witnessed": TRUE},
)
ENGINE = {"engine": TEXT, "revision": DIGEST}
DECISION = members({**ENGINE, "rules": array(RULE_NAME)})
PROOF = members({"adapter": TEXT, "at": TIME_TEXT, "method": TEXT}, {"assurance": TEXT})
INTERESTS = array(
    either(
        members({"as": word("requester delegator controller"), "person": PERSON}),
        members({"as": word("controller"), "person": word("unknown")}),
    ),
    ascending=True,
    by=lambda entry: (entry["as"], entry["person"]),
)
HEAD = either(plain(lambda value: value is None), members({"root": DIGEST, "size": plain(lambda value: is_uint(value) and value > 0)}))
SUCCESSION = {"after": word("rollback fork head_file_missing store_lost broken"), "attested": HEAD, "found": HEAD}
COUNTED = array(members({"as": SELECTORS, "person": PERSON, "vote": UINT}))
RESULT = members({"sha256": DIGEST})
PAIRS = array(plain(lambda value: isinstance(value, list) and len(value) == 2 and all(SMALL(index, {}) for index in value)))
INSTANCE = {"instance": UUID_TEXT}
EXECUTION = {"execution": UUID_TEXT, **INSTANCE}
BY_PERSON = {"person": PERSON, "proof": PROOF}
WHO_AND_WHY = {"id": ID, "reason": TEXT}
DIGESTS = array(plain(is_disclosure_digest), ascending=True, non_empty=True)
ERASED = {"basis": matching(r"[a-z0-9_.:-]{1,64}"), "digests": DIGESTS}
CAUSES = "policy_error policy_timeout policy_panicked not_applicable facts_unavailable unsatisfiable"
REASSESS_CAUSES = "policy votes interests labels policy_error policy_timeout policy_panicked facts_unavailable"


def by_verdict(common, extra, optional={}, **hidden):
    """A body whose members depend on its verdict: `extra` has, for each verdict, those that it must and those that it may have."""
    shapes = {
        verdict: members({**common, **must, "verdict": word(verdict)}, {**optional, **may}, **hidden)
        for verdict, (must, may) in extra.items()
    }
    return lambda value, opened: value.get("verdict") in list(shapes) and shapes[value["verdict"]](value, opened)


BODIES = {
    "genesis": members(
        {
            "keys": array(KEY, ascending=True, non_empty=True, by=lambda entry: entry["key"]),
            "origin": ORIGIN,
            "predecessor": either(plain(lambda value: value is None), PREDECESSOR),
        }
    ),
    "policy_adopted": members({"decision": members(ENGINE), **INSTANCE}),
    "requested": by_verdict(
        {"bound": BOUND, "decision": DECISION, **INSTANCE, "interests": INTERESTS},
        {
            "allow": ({"use_by": TIME_TEXT}, {"witnessed": TRUE}),
            "deny": ({}, {"cause": word(CAUSES)}),
            "require_approval": ({"requirement": REQUIREMENT, "expires": TIME_TEXT}, {}),
        },
        {"trace": VISIBLE},
        maybe_hidden={"because": TEXT, "reason": TEXT},
    ),
    "voted": members(
        {"as": SELECTORS, "decision": word("approve deny"), **BY_PERSON, "shown": DIGEST},
        {"exception": word("self_approval"), "attestation": OBJECT, "code": matching(r"[a-z0-9_]{1,64}")},
        hidden={"id": ID, "shown_salt": plain(lambda value: isinstance(value, str) and len(unbase64(value, url=True) or b"") == 16)},
        maybe_hidden={"comment": TEXT, "ticket": TEXT},
    ),
    "reassessed": by_verdict(
        {
            "cause": word(REASSESS_CAUSES),
            "decision": DECISION,
            **INSTANCE,
            "interests": INTERESTS,
            "voided": array(UINT, ascending=True),
        },
        {"allow": ({}, {}), "deny": ({}, {}), "require_approval": ({"requirement": REQUIREMENT}, {})},
        maybe_hidden={"reason": TEXT},
    ),
    "started": by_verdict(
        {"counted": COUNTED, "decision": DECISION, **EXECUTION, "interests": INTERESTS, "lease_until": TIME_TEXT},
        # That what was denied cannot start is said by M3.
        {
            "allow": ({}, {"witnessed": UINT}),
            "deny": ({}, {"requirement": ANY}),
            "require_approval": ({"requirement": REQUIREMENT}, {"witnessed": UINT}),
        },
    ),
    "lease_renewed": members({**EXECUTION, "lease_until": TIME_TEXT}),
    "finished": members(
        {
            "derived": PAIRS,
            **EXECUTION,
            "generated": array(DATASET),
            "outcome": word("succeeded failed unknown"),
            "used": array(DATASET),
        },
        {"code": word("not_started stopped panicked dropped unsure"), "late": TRUE},
        maybe_hidden={"result": RESULT},
    ),
    "lost": members({**EXECUTION, "why": word("lease_passed instance_gone")}),
    "withdrawn": members(INSTANCE),
    "superseded": members({"by": UUID_TEXT, **INSTANCE}),
    "cancelled": members(BY_PERSON, hidden=WHO_AND_WHY),
    "revoked": members(BY_PERSON, hidden=WHO_AND_WHY),
    "expired": members({**INSTANCE, "what": word("pending unused")}),
    "reconciled": members({"execution": UUID_TEXT, "finding": word("succeeded failed not_run"), **BY_PERSON}, hidden=WHO_AND_WHY),
    "clock": members({**INSTANCE, "micros": INTEGER, "what": word("jump gap")}),
    "clock_acknowledged": members({"clock": UINT}, hidden={"reason": TEXT}),
    "key_added": KEY,
    "key_rotated": members({"key": PUBLIC_KEY, "old": DIGEST}),
    "key_revoked": either(
        members({"old": DIGEST, "why": word("retired lost")}),
        members({"compromised_since": TIME_TEXT, "old": DIGEST, "why": word("compromised")}),
    ),
    "erased": either(
        members({**ERASED, "what": word("value")}, hidden={"reason": TEXT}),
        members({**ERASED, "person": PERSON, "what": word("person")}, hidden={"reason": TEXT}),
    ),
    "recovered": members(SUCCESSION, hidden={"reason": TEXT}),
}


# F6: a body has exactly the members of its kind.
@rule("F6")
def f6_body(record):
    if not BODIES[record.kind](record.body, record.opened):
        return "its body has not the members of its kind, or one of another type"
    if record.kind == "genesis" and not roles_suffice(record.body["keys"]):
        return "no key of the genesis signs checkpoints, or none may sign the genesis"


# F6 of what an `erased` record names, asked before its signatures: what other records lack rests on it.
@rule("F6")
def f6_digests(record):
    if not DIGESTS(record.body.get("digests"), {}):
        return "what it erases is no ascending array of digests"


# F6 of what a `recovered` record says was lost, asked as early: S14 rests on it.
@rule("F6")
def f6_succession(record):
    if not all(shape(record.body[name], {}) if name in record.body else False for name, shape in SUCCESSION.items()):
        return "its body does not say what was lost"


def roles_suffice(keys):
    roles = set(itertools.chain.from_iterable(key["roles"] for key in keys))
    return "checkpoint" in roles and not roles.isdisjoint({"operator", "gate"})


# ---------------------------------------------------------------------------------------------------------------------------------------
# 6. Meaning: quorums (section 7), and the life of a request (section 8)
# ---------------------------------------------------------------------------------------------------------------------------------------

MOST_ALTERNATIVES = 1024
MOST_PARENTHESES = 9

# An expression is ("of", count, selector), ("all", [expressions]) or ("any", [expressions]).


@functools.lru_cache(maxsize=4096)
def read_quorum(text):
    """A quorum in its one spelling, or None."""
    words = collections.deque(re.findall(r"[()]|[^ ()]+", text))
    try:
        quorum = read_any(words, MOST_PARENTHESES)
    except (IndexError, ValueError):
        return None
    if words or write_quorum(quorum) != text or alternatives(quorum) > MOST_ALTERNATIVES:
        return None
    return quorum


def read_any(words, depth):
    return joined("any", "or", read_all, words, depth)


def read_all(words, depth):
    return joined("all", "and", read_atom, words, depth)


def joined(kind, between, read, words, depth):
    parts = [read(words, depth)]
    while words and words[0] == between:
        words.popleft()
        parts.append(read(words, depth))
    return parts[0] if len(parts) == 1 else (kind, parts)


def read_atom(words, depth):
    first = words.popleft()
    if first == "(":
        if depth == 0:
            raise ValueError("too many parentheses")
        inner = read_any(words, depth - 1)
        if words.popleft() != ")":
            raise ValueError("no closing parenthesis")
        return inner
    of, selector = words.popleft(), words.popleft()
    if not re.fullmatch(r"[1-9][0-9]?", first) or int(first) > 32 or of != "of" or not SELECTOR(selector, {}):
        raise ValueError("no atom")
    return ("of", int(first), selector)


def write_quorum(quorum):
    """Its one spelling: an `or` inside of an `and` stands in parentheses, and nothing else does."""
    kind, *rest = quorum
    if kind == "of":
        return f"{rest[0]} of {rest[1]}"
    if kind == "any":
        return " or ".join(map(write_quorum, rest[0]))
    return " and ".join(f"({write_quorum(part)})" if part[0] == "any" else write_quorum(part) for part in rest[0])


def alternatives(quorum):
    kind, *rest = quorum
    if kind == "of":
        return 1
    counts = map(alternatives, rest[0])
    return sum(counts) if kind == "any" else functools.reduce(lambda a, b: a * b, counts)


def terms(quorum):
    """The disjunctive normal form: each term is the list of the slots that must be filled."""
    kind, *rest = quorum
    if kind == "of":
        yield [rest[1]] * rest[0]
    elif kind == "any":
        for part in rest[0]:
            yield from terms(part)
    else:
        for choice in itertools.product(*(list(terms(part)) for part in rest[0])):
            yield list(itertools.chain.from_iterable(choice))


def selectors(quorum):
    kind, *rest = quorum
    return {rest[1]} if kind == "of" else set().union(*map(selectors, rest[0]))


def is_met(quorum, votes):
    """Whether the votes, {person: selectors}, meet it: in one term, a person of his own for each slot."""
    return any(len(slots) <= len(votes) and can_fill(slots, votes) for slots in terms(quorum))


def can_fill(slots, votes):
    """Whether each slot can be given to a person of its own (bipartite matching by augmenting paths)."""
    holder = {}

    def place(slot, tried):
        for person, can in votes.items():
            if slots[slot] in can and person not in tried:
                tried.add(person)
                if person not in holder or place(holder[person], tried):
                    holder[person] = slot
                    return True
        return False

    return all(place(slot, set()) for slot in range(len(slots)))


def conjuncts(quorum):
    """The operands of its outermost `and`, in one spelling each."""
    return collections.Counter(map(write_quorum, quorum[1] if quorum[0] == "all" else [quorum]))


def is_as_strict(new, former):
    """M6, for two requirements."""
    clocks, before = new["clocks"], former["clocks"]
    forever = float("inf")
    return (
        not conjuncts(read_quorum(former["quorum"])) - conjuncts(read_quorum(new["quorum"]))
        and all(clocks.get(name, forever) <= before.get(name, forever) for name in ("timeout", "valid_for", "run_within"))
        and new.get("not_before", "") >= former.get("not_before", "")
        and set(new["exclude"]) >= set(former["exclude"])
        and set(new["must_supply"]) >= set(former["must_supply"])
        and (new["self_approval"] == "refused" or former["self_approval"] == "recorded")
        and ("witnessed" in new or "witnessed" not in former)
    )


Vote = collections.namedtuple("Vote", "person selectors excused")
COVERED_BY = {"requester": "requester", "delegator": "delegators", "controller": "agent-owner"}


class Interests:
    """Who has, or once had, an interest; whether controllers are unknown is the latest record's to say."""

    def __init__(self, people=frozenset(), unknown=False):
        self.people = people
        self.unknown = unknown

    def then(self, entries):
        named = {(entry["as"], entry["person"]) for entry in entries}
        unknown = ("controller", "unknown") in named
        return Interests(self.people | (named - {("controller", "unknown")}), unknown)

    def forbid_everybody(self, requirement):
        return self.unknown and "agent-owner" in requirement["exclude"]

    def forbid(self, person, requirement):
        return any(who == person and COVERED_BY[tie] in requirement["exclude"] for tie, who in self.people)

    def may_count(self, vote, requirement):
        if self.forbid_everybody(requirement):
            return False
        return not self.forbid(vote.person, requirement) or (vote.excused and requirement["self_approval"] == "recorded")


class Life:
    """The state of one request: the fold over its records."""

    def __init__(self, action):
        self.action = action
        self.state = "new"
        self.until = None  # of a pending or an approved one, in microseconds
        self.asked_until = None
        self.requirement = None
        self.votes = {}  # approvals that are not void, by seq
        self.interests = Interests()
        self.run = None  # the `started` body
        self.lease_until = None
        self.told_to_stop = False
        self.late = False
        self.clouded = False
        self.hidden = set()  # the digests of what its records hide
        self.to_be_witnessed = False
        self.last = -1  # the seq of its last record

    def waits(self, ts, *states):
        """Whether it is in one of these states (pending, approved), and its clock has not run out."""
        return self.state in states and ts < self.until

    def runs_as(self, body):
        return (self.run["execution"], self.run["instance"]) == (body["execution"], body["instance"])

    def close(self, state):
        self.state = state

    def is_over(self):
        return self.state not in ("new", "pending", "approved", "running", "lost", "unknown")

    def approve(self, ts):
        self.state = "approved"
        self.until = ts + 1_000_000 * self.requirement["clocks"]["valid_for"]

    def is_met(self, votes):
        counting = {
            vote.person: vote.selectors for vote in votes.values() if self.interests.may_count(vote, self.requirement)
        }
        return is_met(read_quorum(self.requirement["quorum"]), counting)


# M1: what a body refers to stands before it. (That ids and times are well-formed is asked for with F6.)
@rule("M1")
def m1_references(log, record):
    body = record.body
    named = [*body.get("voided", []), *(entry["vote"] for entry in body.get("counted", []))]
    if record.kind == "clock_acknowledged":
        named.append(body["clock"])
    if any(seq >= record.seq for seq in named):
        return "its body names a record that is not before it"
    if record.kind == "clock_acknowledged" and body["clock"] not in log.clocks:
        return "`clock` names a record that is none of a clock"


# M2: every record of a request is about its action.
@rule("M2")
def m2_action(life, record):
    if record.kind == "requested" and life.state == "new":
        if record.body["bound"]["request"] != record.request:
            return "it binds to another request"
        life.action = tagged("countersign/action/v1", canonical(record.body["bound"]))
    if life.action is not None and record.subject() != life.action:
        return "its subject is not the action of its request"


# M3: the table of section 8.
@rule("M3")
def m3_table(life, record):
    if not ALLOWED[record.kind](life, record.body, record.ts):
        return f"a request that is {life.state} has no such record now"


def may_vote(life, body, ts):
    if life.requirement is None or not selectors(read_quorum(life.requirement["quorum"])) & set(body["as"]):
        return False
    if body["decision"] == "deny":
        return life.waits(ts, "pending", "approved")
    return life.waits(ts, "pending") and all(vote.person != body["person"] for vote in life.votes.values())


def may_start(life, body, ts):
    not_before = micros(body["requirement"].get("not_before")) if body["verdict"] == "require_approval" else None
    return body["verdict"] != "deny" and life.waits(ts, "approved") and (not_before is None or ts >= not_before)


def may_finish(life, body, ts):
    there = all(i < len(body["generated"]) and j < len(body["used"]) for i, j in body["derived"])
    in_time = life.state == "running" if "late" not in body else life.state == "lost" and not life.late
    return in_time and life.runs_as(body) and there


def may_expire(life, body, ts):
    return life.state == {"pending": "pending", "unused": "approved"}[body["what"]] and ts >= life.until


ALLOWED = {
    "requested": lambda life, body, ts: life.state == "new",
    "voted": may_vote,
    "reassessed": lambda life, body, ts: life.waits(ts, "pending", "approved") and set(body["voided"]) <= set(life.votes),
    "started": may_start,
    "lease_renewed": lambda life, body, ts: life.state == "running" and life.runs_as(body) and ts < life.lease_until,
    "finished": may_finish,
    "lost": lambda life, body, ts: life.state == "running"
    and life.runs_as(body)
    and (body["why"] == "instance_gone" or ts >= life.lease_until),
    "withdrawn": lambda life, body, ts: life.waits(ts, "pending", "approved"),
    "superseded": lambda life, body, ts: life.waits(ts, "pending", "approved"),
    "cancelled": lambda life, body, ts: life.waits(ts, "pending", "approved"),
    "revoked": lambda life, body, ts: life.waits(ts, "approved") or (life.state == "running" and not life.told_to_stop),
    "expired": may_expire,
    "reconciled": lambda life, body, ts: life.state in ("unknown", "lost") and life.run["execution"] == body["execution"],
}


# M4: nobody with an excluded interest approves, unless the requirement records that as an exception; and nobody else is excused.
@rule("M4")
def m4_separation(life, record):
    body = record.body
    if record.kind != "voted" or life.requirement is None:
        return None
    excused = "exception" in body
    if body["decision"] == "deny":
        return "a denial needs no exception" if excused else None
    if life.interests.forbid_everybody(life.requirement):
        return "the controllers of its agent are not known, so nobody may approve"
    forbidden = life.interests.forbid(body["person"], life.requirement)
    if forbidden and not (excused and life.requirement["self_approval"] == "recorded"):
        return "the person has an interest in the action"
    if excused and not forbidden:
        return "the person has no interest that needs an exception"


# M5: the votes counted at the start are votes that count, each person once, and meet the requirement that the record carries.
@rule("M5")
def m5_counted(life, record):
    body = record.body
    if record.kind != "started":
        return None
    if body["verdict"] == "allow":
        return "votes are counted where policy allowed" if body["counted"] else None
    interests = life.interests.then(body["interests"])
    counted = {}
    if not is_ascending([entry["vote"] for entry in body["counted"]]):
        return "the counted votes are not in the order of the log"
    for entry in body["counted"]:
        vote = life.votes.get(entry["vote"])
        if vote is None or vote.person != entry["person"] or entry["person"] in counted:
            return "a counted vote is none of this request that counts"
        if not interests.may_count(vote, body["requirement"]):
            return "a counted vote is of a person with an interest"
        counted[entry["person"]] = set(entry["as"])
    if not is_met(read_quorum(body["requirement"]["quorum"]), counted):
        return "the counted votes do not meet the quorum"


# M6: a requirement is never loosened.
@rule("M6")
def m6_as_strict(life, record):
    if record.kind not in ("reassessed", "started") or record.body["verdict"] == "deny" or life.requirement is None:
        return None
    if record.body["verdict"] == "allow" or not is_as_strict(record.body["requirement"], life.requirement):
        return "its requirement is weaker than the one before"


# M7: an approval brings what must be supplied.
@rule("M7")
def m7_supplied(life, record):
    if record.kind != "voted" or record.body["decision"] != "approve" or life.requirement is None:
        return None
    found, closed = read_hidden(record.body, record.opened)
    perhaps = closed - len({"id", "shown_salt"} - set(found)) > 0
    for wanted in life.requirement["must_supply"]:
        if {"reason": "comment", "ticket": "ticket"}[wanted] not in found and not perhaps:
            return f"the {wanted} that must be supplied is missing"


# M11: what was to be witnessed before its start says that a tree which holds the decision was.
@rule("M11")
def m11_witnessed(life, record):
    body = record.body
    if record.kind != "started":
        return None
    known = body.get("witnessed")
    if known is None:
        return "witnesses had to know of the decision first" if life.to_be_witnessed or asks_witnesses(body) else None
    if not life.last < known <= record.seq:
        return "the tree that witnesses knew does not hold the decision, or was not there yet"


def asks_witnesses(body):
    """Whether a body says that the request is to be witnessed before its start."""
    return "witnessed" in body.get("requirement", {}) or (body.get("verdict") == "allow" and body.get("witnessed") is True)


# M8: a policy is adopted by an instance before it decides there.
@rule("M8")
def m8_adopted(log, record):
    if record.kind in ("requested", "reassessed", "started"):
        if adopted_by(record.body) not in log.adopted:
            return "the process that decided had not adopted the policy that it names"


def adopted_by(body):
    return body["instance"], body["decision"]["engine"], body["decision"]["revision"]


# M9: the records of a testing gate, and no others, say so.
@rule("M9")
def m9_enforced(log, record):
    if record.says.get("enforced", True) == log.origin.startswith("testing/"):
        return "`enforced` is not what the origin of the log asks for"


# M10: nothing is erased that an open request still needs.
@rule("M10")
def m10_over(life, record):
    if not life.is_over() and not life.hidden.isdisjoint(record.erases):
        return "it erases a value of a request that is not over"


# M12: no vote counts at a start whose key was by then known to have been stolen when it was cast.
@rule("M12")
def m12_stolen(log, record):
    if record.kind != "started":
        return None
    for entry in record.body["counted"]:
        signer, cast = log.cast.get(entry["vote"], (None, None))
        if signer in log.stolen and log.stolen[signer] <= cast:
            return "it counts a vote by a key that was known to have been compromised then"


def advance(life, record):
    """Moves a request on by a record that its rules allow (the third column of the table)."""
    kind, body, ts = record.kind, record.body, record.ts
    life.last = record.seq
    life.to_be_witnessed |= asks_witnesses(body)
    if kind == "requested":
        life.interests = life.interests.then(body["interests"])
        life.requirement = body.get("requirement")
        life.state = {"allow": "approved", "deny": "denied", "require_approval": "pending"}[body["verdict"]]
        life.until = micros(body.get("use_by") or body.get("expires"))
        life.asked_until = micros(body.get("expires"))
    elif kind == "voted":
        if body["decision"] == "deny":
            return life.close("rejected")
        life.votes[record.seq] = Vote(body["person"], set(body["as"]), "exception" in body)
        if life.requirement is not None and life.is_met(life.votes):
            life.approve(ts)
    elif kind == "reassessed":
        reassess(life, body, ts)
    elif kind == "started":
        life.state, life.run, life.lease_until = "running", body, micros(body["lease_until"])
    elif kind == "lease_renewed":
        life.lease_until = micros(body["lease_until"])
    elif kind == "finished":
        if "late" in body:
            life.late = True
        else:
            life.state = "unknown" if body["outcome"] == "unknown" else "finished"
    elif kind == "lost":
        life.state = "lost"
    elif kind == "revoked" and life.state == "running":
        life.told_to_stop = True
    else:
        life.close(kind)


def reassess(life, body, ts):
    for seq in body["voided"]:
        life.votes.pop(seq, None)
    life.interests = life.interests.then(body["interests"])
    if body["verdict"] == "deny":
        return life.close("denied")
    if body["verdict"] == "allow":
        return None
    life.requirement = body["requirement"]
    if life.is_met(life.votes):
        if life.state == "pending":
            life.approve(ts)
    elif life.state == "approved":
        if life.asked_until is None:
            life.asked_until = ts + 1_000_000 * life.requirement["clocks"]["timeout"]
        life.state, life.until = "pending", life.asked_until


# ---------------------------------------------------------------------------------------------------------------------------------------
# 7. Reading SQLite (section 13): read-only, and without making a file
# ---------------------------------------------------------------------------------------------------------------------------------------

APPLICATION_ID = 0x6353676E
FORMAT = 1
DISCLOSURES_A_RECORD = 4096

# What is stored beside a record; None is what a form does not keep.
Columns = collections.namedtuple("Columns", "prev leaf kind request ts", defaults=[None] * 5)
# `fault` is why it cannot be read, `texts` and `withheld` what an export says of its disclosures.
Row = collections.namedtuple("Row", "seq statement signatures columns fault texts withheld", defaults=[None, (), ()])
Head = collections.namedtuple("Head", "log size edge prev ts note")


class Key:
    """A key of a log, in force for the records `since` to `until`."""

    def __init__(self, public, roles, since=0):
        self.public = public
        self.roles = roles
        self.since = since
        self.until = None

    def covers(self, seq):
        return self.since <= seq and (self.until is None or seq <= self.until)


# A key that somebody else may have had since a time, and the last record that it had signed.
Theft = collections.namedtuple("Theft", "since last last_ts")


class Unreadable(Exception):
    pass


class Text(bytes):
    """The bytes of a TEXT column, told from those of a BLOB."""

    def read(self):
        try:
            return self.decode("utf-8")
        except UnicodeDecodeError:
            return None


class Store:
    """The tables of a store that a verifier reads."""

    def __init__(self, path):
        path = os.path.realpath(path)
        self.path = path
        if not os.path.isfile(path):
            raise Unreadable(f"{path} is not a file")
        # Of a write-ahead log, the first 32 bytes are its header.
        empty = {"-wal": 32, "-shm": 0}
        here = {suffix: os.path.exists(path + suffix) and os.path.getsize(path + suffix) > empty[suffix] for suffix in empty}
        if here["-wal"] and not here["-shm"]:
            raise Unreadable("it was not closed and its -shm file is missing: bring all three files")
        # Where nobody has it open, the file alone is read; else beside whoever writes, without touching their files.
        self.alone = not here["-wal"]
        mode = "mode=ro&immutable=1" if self.alone else "mode=ro&readonly_shm=1"
        self.looks = self.look()
        self.conn = sqlite3.connect(f"file:{urllib.parse.quote(path)}?{mode}", uri=True, isolation_level=None)
        self.conn.text_factory = Text
        self.conn.execute("PRAGMA cell_size_check = ON")
        self.conn.execute("PRAGMA trusted_schema = OFF")
        self.conn.execute("BEGIN")
        if self.one("PRAGMA application_id") != APPLICATION_ID or self.one("PRAGMA user_version") != FORMAT:
            raise Unreadable("it is no store of this format")

    def look(self):
        found = os.stat(self.path)
        return found.st_size, found.st_ino, found.st_mtime_ns

    def keeps_subtrees(self):
        return True

    def rest(self, log):
        """What is wrong with nothing but the form: [(seq or None for a doubt, why)]."""
        return []

    def close(self):
        """Ends the snapshot. A file that was read alone must not have changed meanwhile."""
        self.conn.close()
        if self.alone and self.look() != self.looks:
            raise Unreadable("somebody has written to it meanwhile")

    def one(self, sql):
        return self.conn.execute(sql).fetchone()[0]

    def rows(self):
        sql = "SELECT seq, prev, leaf, kind, request, ts, signatures, statement FROM record WHERE seq >= 0 ORDER BY seq"
        return map(read_row, self.conn.execute(sql))

    def disclosures(self):
        """Each with the record that it is filed under, in order; a text that is none is left out."""
        for place, text in self.conn.execute("SELECT place, text FROM disclosure WHERE place >= 0 ORDER BY place"):
            if isinstance(text, Text) and text.read() is not None:
                yield place // DISCLOSURES_A_RECORD, text.read()

    def checkpoints(self):
        found = self.conn.execute("SELECT size, note FROM checkpoint WHERE size >= 0 ORDER BY size")
        return [(size, bytes(note)) for size, note in found if is_blob(note)]

    def subtrees(self):
        """{(level, number): hash}."""
        found = self.conn.execute("SELECT level, number, hash FROM subtree WHERE level BETWEEN 1 AND 6 AND number >= 0")
        return {(level, number): bytes(value) for level, number, value in found if is_blob(value, 32)}

    def head(self):
        """The head row, or None if it is missing or malformed."""
        found = self.conn.execute("SELECT state FROM head WHERE one = 1").fetchone()
        return read_head(found[0]) if found and is_blob(found[0]) else None


def is_blob(value, length=None):
    return isinstance(value, bytes) and not isinstance(value, Text) and length in (None, len(value))


def uuid_text(data):
    text = data.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


LATEST = micros("9999-12-31T23:59:59.999999Z")


def read_row(row):
    seq, prev, leaf, kind, request, ts, signatures, statement = row
    sound = (
        is_blob(prev, 32)
        and is_blob(leaf, 32)
        and isinstance(kind, Text)
        and kind.read() is not None
        and (request is None or is_blob(request, 16))
        and isinstance(ts, int)
        and 0 <= ts <= LATEST
        and is_blob(signatures)
        and len(signatures) % 96 == 0
        and is_blob(statement)
    )
    if not sound:
        return Row(seq, None, None, None, "a column of its row holds what it cannot hold")
    columns = Columns(bytes(prev), bytes(leaf), kind.read(), uuid_text(request) if request else None, ts)
    return Row(seq, bytes(statement), read_pairs(signatures), columns)


def read_pairs(data):
    """Key ids and signatures, one after the other."""
    pairs = [data[at : at + 96] for at in range(0, len(data), 96)]
    return [(pair[:32].hex(), pair[32:]) for pair in pairs]


def read_head(data):
    """version 1, log id 16, size 8, last leaf 32, time 8, length of the edge 2, the edge, the checkpoint; numbers big-endian."""
    if len(data) < 67 or data[0] != 1:
        return None
    log, size, prev, ts = uuid_text(data[1:17]), data[17:25], data[25:57], data[57:65]
    edge_ends = 67 + int.from_bytes(data[65:67], "big")
    edge, note = data[67:edge_ends], data[edge_ends:]
    size = int.from_bytes(size, "big")
    nodes = [edge[at : at + 32] for at in range(8, len(edge), 32)]
    if len(edge) != 8 + 32 * bin(size).count("1") or int.from_bytes(edge[:8], "big") != size or len(data) < edge_ends:
        return None
    return Head(log, size, nodes, prev, int.from_bytes(ts, "big", signed=True), note)


# ---------------------------------------------------------------------------------------------------------------------------------------
# 8. Reading exports: tiles (section 11) and JSONL (section 12)
# ---------------------------------------------------------------------------------------------------------------------------------------

NOT_KEPT = object()
MOST_LINE = 16 * 1024 * 1024
BUNDLE = 256


def tile_name(number):
    """A number as tlog-tiles spells it: 1234067 is x001/x234/067."""
    name = f"{number % 1000:03}"
    while number >= 1000:
        number //= 1000
        name = f"x{number % 1000:03}/{name}"
    return name


# How long the entry at a place is, or None if it is not whole.
def entry_length(data, at):
    length = 2 + int.from_bytes(data[at : at + 2], "big")
    return length if len(data) >= at + max(length, 2) else None


def signatures_length(data, at):
    count = int.from_bytes(data[at : at + 2], "big")
    length = 2 + 96 * count
    return length if count <= MOST_SIGNATURES and len(data) >= at + length else None


def split_entries(data, length_of, most=BUNDLE):
    """The first entries, and how many bytes they take."""
    found, at = [], 0
    while len(found) < most and at < len(data):
        length = length_of(data, at)
        if length is None:
            break
        found.append(data[at : at + length])
        at += length
    return found, at


# T1: what follows from the size is there, under the name that tlog-tiles gives it.
@rule("T1")
def t1_is_there(data):
    if data is None:
        return "a file of it is missing"


# T2: in the one form that follows from the size.
@rule("T2")
def t2_form(width, wanted):
    if width != wanted:
        return "it is a form of another size"


# T3: a tile has 32 bytes for each entry and nothing more. (What the hashes say is compared as what is stored elsewhere.)
@rule("T3")
def t3_tile(data, width):
    if len(data) != 32 * width:
        return "a tile has another length"


# T4: a bundle of entries has the statements, each after its length, and nothing more.
@rule("T4")
def t4_entries(data, end):
    if len(data) > end:
        return "something follows the last entry"


# T5: a bundle of signatures has those of each record, after their count, and nothing more.
@rule("T5")
def t5_signatures(data, end):
    if len(data) > end:
        return "something follows the last signatures"


# T6: a partial form that is still there agrees with the bundle; else this is the first entry that differs.
@rule("T6")
def t6_differs(entries, data, other, width):
    if width <= len(entries):
        data = b"".join(entries[:width])
        agrees = other == data
    else:
        agrees = other.startswith(data)
    same = len(os.path.commonprefix([data, other]))
    whole = sum(end <= same for end in itertools.accumulate(map(len, entries)))
    return None if agrees else min(whole, width - 1)


@rule("T6")
def t6_name(name):
    return None if re.fullmatch(r"[1-9][0-9]{0,2}", name) and int(name) < BUNDLE else 0


# T7: lines of disclosures, in order.
@rule("T7")
def t7_line(line, ended, first, before):
    match = re.fullmatch(rb"(0|[1-9][0-9]{0,15}) (given|withheld) ([A-Za-z0-9_-]+)", line)
    if not ended or len(line) > MOST_LINE or not match:
        return "a line of it is malformed"
    if not max(first, before) <= int(match[1]) < first + BUNDLE:
        return "its lines are not in order, or are of other records"
    if match[2] == b"withheld" and not is_disclosure_digest(match[3].decode("latin-1")):
        return "what it says to withhold is no digest"


# T8: the policy names the keys that sign checkpoints, but those that somebody else may have.
@rule("T8")
def t8_policy(policy, log):
    def vouches(name, key):
        return "checkpoint" in key.roles and (name not in log.stolen or key.until is None or key.until >= log.next - 1)

    lines = [f"log {verifier_key(log.origin, key.public)}\n" for name, key in log.keys.items() if vouches(name, key)]
    if policy != "".join([*lines, "quorum none\n"]).encode():
        return "its policy is not that of the log"


def verifier_key(name, public):
    typed = base64.b64encode(b"\x01" + public).decode()
    return f"{name}+{key_hint(name, public).hex()}+{typed}"


class Tiles:
    """A directory of tiles. `asks` says what is wrong by a rule, or None if it is left out."""

    def __init__(self, path, asks):
        self.path = path
        self.asks = asks
        self.note = self.read("checkpoint")
        try:
            self.size = read_checkpoint(read_note(self.note or b"").text).size
        except Malformed as error:
            raise Unreadable(f"its checkpoint is none: {error}") from None

    def read(self, name):
        try:
            with open(os.path.join(self.path, name), "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def form(self, base, width):
        """The bytes of a bundle in the form that the size asks for, or None if there is no such file."""
        for other in range(width, BUNDLE + 1):
            if self.asks(t2_form, other, width):
                return None
            data = self.read(base if other == BUNDLE else f"{base}.p/{other}")
            if data is not None:
                return data

    def entries(self, base, width, length_of, nothing_follows):
        """The entries of a bundle that are good, each with its length before it, or None if there is no such file."""
        data = self.form(base, width)
        if data is None:
            return None
        entries, end = split_entries(data, length_of, width)
        if len(entries) == width and self.asks(nothing_follows, data, end):
            entries.pop()
        return entries[: self.agreed(base, width, entries, data)]

    def hashes(self, level, number, width):
        """The hashes of a tile that are good, or None if there is no such file."""
        base = f"tile/{level}/{tile_name(number)}"
        data = self.form(base, width)
        if data is None:
            return None
        if self.asks(t3_tile, data, width):
            return []
        hashes = [data[at : at + 32] for at in range(0, 32 * width, 32)]
        return hashes[: self.agreed(base, width, hashes, data)]

    def agreed(self, base, width, entries, data):
        """Up to which entry all other partial forms that are still there agree with it."""
        try:
            names = os.listdir(os.path.join(self.path, base + ".p"))
        except (FileNotFoundError, NotADirectoryError):
            names = []
        agreed = BUNDLE
        for name in set(names) - {str(width)}:
            differs = self.asks(t6_name, name)
            if differs is None:
                other = int(name) if name.isdigit() else BUNDLE
                differs = self.asks(t6_differs, entries, data, self.read(f"{base}.p/{name}") or b"", other)
            if differs is not None:
                agreed = min(agreed, differs)
        return agreed

    def rows(self):
        for number in range(-(-self.size // BUNDLE)):
            first = number * BUNDLE
            width = min(BUNDLE, self.size - first)
            entries = self.entries(f"tile/entries/{tile_name(number)}", width, entry_length, t4_entries)
            if entries is None:
                # What follows a gap cannot be judged, and a forged size could go on for ever.
                return
            signatures = self.entries(f"sig/{tile_name(number)}", width, signatures_length, t5_signatures) or []
            leaves = self.hashes(0, number, width)
            if leaves is None:
                leaves = [] if self.asks(t1_is_there, leaves) else [None] * width
            texts, withheld = self.disclosed(number)
            for place, seq in enumerate(range(first, first + width)):
                if place >= min(len(entries), len(signatures), len(leaves)):
                    yield Row(seq, None, None, None, "its entry, its signatures or its leaf cannot be had")
                    continue
                pairs = read_pairs(signatures[place][2:])
                yield Row(seq, entries[place][2:], pairs, Columns(leaf=leaves[place]), None, texts[seq], withheld[seq])

    def disclosed(self, number):
        """What a file of disclosures gives and withholds, by record. Where it breaks off, there is a disclosure that is none."""
        texts, withheld = collections.defaultdict(list), collections.defaultdict(list)
        first = before = number * BUNDLE
        lines = (self.read(f"disclosures/{tile_name(number)}") or b"").split(b"\n")
        last = len(lines) - 1
        for place, line in enumerate(lines):
            if place == last and not line:
                break
            if self.asks(t7_line, line, place < last, first, before):
                texts[before].append("")
                break
            seq, what, text = (line.split(b" ", 2) + [b"", b""])[:3]
            seq = int(seq) if seq.isdigit() else before
            if seq >= self.size:
                break
            before = max(before, seq)
            (withheld if what == b"withheld" else texts)[seq].append(text.decode("latin-1"))
        return texts, withheld

    def disclosures(self):
        return iter(())

    def checkpoints(self):
        return [(self.size, self.note)]

    def keeps_subtrees(self):
        return True

    def subtrees(self):
        return self

    def pop(self, place, default):
        """A subtree that is stored at a level and number."""
        level, number = place
        width = min(BUNDLE, (self.size >> 8 * level) - number // BUNDLE * BUNDLE)
        hashes = self.hashes(level, number // BUNDLE, width) if width > 0 else None
        return hashes[number % BUNDLE] if hashes and number % BUNDLE < len(hashes) else default

    def __iter__(self):
        # What lies beyond the tree is not looked at.
        return iter(())

    def head(self):
        return NOT_KEPT

    def rest(self, log):
        why = log.keys and self.asks(t8_policy, self.read("policy"), log)
        return [(None, why)] if why else []

    def close(self):
        pass


# J1: a line is canonical, and ends.
@rule("J1")
def j1_line(line, value):
    if not line.endswith(b"\n") or canonical(value) != line[:-1]:
        return "its line is not canonical, too long, or not ended"


# J2: the header says which log it is and how many records it has.
@rule("J2")
def j2_header(value):
    shape = members({"format": word("countersign/jsonl/v1"), "log": LOG_TEXT, "origin": ORIGIN, "records": UINT})
    if not shape(value, {}):
        return "its first line is no header"


@rule("J2")
def j2_counted(header, seq):
    if seq >= header["records"]:
        return "the header counts fewer records"


@rule("J2")
def j2_count(header, count):
    if count < header["records"]:
        return "the header counts more records than there are"


@rule("J2")
def j2_names(header, log):
    if log.origin is not None and (header["log"], header["origin"]) != (log.id, log.origin):
        return "the header is of another log"


# J3: the line of a record.
@rule("J3")
def j3_record(value, seq):
    shape = members({"disclosures": array(PLAIN_TEXT), "envelope": ENVELOPE, "seq": UINT, "withheld": array(plain(is_disclosure_digest))})
    if not shape(value, {}) or value["seq"] != seq:
        return "its line is not that of a record, or of another one"


# J4: the line of a checkpoint.
@rule("J4")
def j4_checkpoint(value, size):
    if not members({"checkpoint": TEXT, "size": UINT})(value, {}) or value["size"] != size:
        return "its line is not that of a checkpoint, or of another one"


# A text in which JCS escapes nothing.
PLAIN_TEXT = matching(r'[^"\\\x00-\x1f]*')


def is_base64(length=None):
    return plain(lambda value: isinstance(value, str) and (data := unbase64(value)) is not None and length in (None, len(data)))


ENVELOPE = members(
    {
        "payload": is_base64(),
        "payloadType": word("application/vnd.in-toto+json"),
        "signatures": array(members({"keyid": DIGEST, "sig": is_base64(64)})),
    }
)


def open_envelope(envelope):
    """The statement, and its signatures."""
    return unbase64(envelope["payload"]), [(one["keyid"], unbase64(one["sig"])) for one in envelope["signatures"]]


class Lines:
    """A log as JSON lines. `asks` says what is wrong by a rule, or None if it is left out."""

    def __init__(self, path, asks):
        self.path = path
        self.asks = asks
        self.count = 0
        with open(path, "rb") as file:
            line = file.readline(MOST_LINE + 1)
        self.header = self.read(line)
        if self.header is None or self.asks(j1_line, line, self.header) or self.asks(j2_header, self.header):
            raise Unreadable("its first line is no header")

    @staticmethod
    def read(line):
        try:
            return read_json(line.rstrip(b"\n"))
        except NotJson:
            return None

    def lines(self, of_checkpoints):
        """The lines of one of the two sorts, each with the number of records before it. What is no whole line is one of a record."""
        count = 0
        with open(self.path, "rb") as file:
            file.readline()
            while line := file.readline(MOST_LINE + 1):
                more = line
                while more and not more.endswith(b"\n"):
                    more = file.readline(MOST_LINE)
                is_checkpoint = line.startswith(b'{"checkpoint":') and line.endswith(b"\n")
                if is_checkpoint == of_checkpoints:
                    yield count, line
                count += not is_checkpoint

    def rows(self):
        for seq, line in self.lines(of_checkpoints=False):
            value = self.read(line)
            why = self.asks(j1_line, line, value) or self.asks(j3_record, value, seq) or self.asks(j2_counted, self.header, seq)
            try:
                row = Row(seq, *open_envelope(value["envelope"]), Columns(), why, value["disclosures"], value["withheld"])
            except (TypeError, KeyError):
                row = Row(seq, None, None, None, why or "its line is not that of a record")
            self.count = seq + 1
            yield row
        if why := self.asks(j2_count, self.header, self.count):
            yield Row(self.count, None, None, None, why)

    def checkpoints(self):
        """One that is not as it should be is given as a bad one of its place."""
        found = []
        for size, line in self.lines(of_checkpoints=True):
            value = self.read(line)
            wrong = self.asks(j1_line, line, value) or self.asks(j4_checkpoint, value, size)
            note = value.get("checkpoint") if isinstance(value, dict) and not wrong else None
            found.append((size, note.encode("utf-8", "surrogatepass") if isinstance(note, str) else b""))
        return found

    def disclosures(self):
        return iter(())

    def keeps_subtrees(self):
        return False

    def subtrees(self):
        return {}

    def head(self):
        return NOT_KEPT

    def rest(self, log):
        why = self.asks(j2_names, self.header, log)
        return [(0, why)] if why else []

    def close(self):
        pass


def open_log(path, asks):
    """A log in whichever form it is."""
    if os.path.isdir(path):
        return Tiles(path, asks)
    with open(path, "rb") as file:
        beginning = file.read(16)
    return Lines(path, asks) if beginning.startswith(b"{") else Store(path)


# ---------------------------------------------------------------------------------------------------------------------------------------
# 9. The walk and the verdict
# ---------------------------------------------------------------------------------------------------------------------------------------


UNKNOWN_SIGNER = "no key that is known has signed it"


class Log:
    """A walk over a log from its first record to its last."""

    def __init__(self, trusted, without=(), witnesses=None):
        self.trusted = trusted
        self.witnesses = witnesses
        self.without = set(without)
        self.keys = {}  # by key id, all that were ever named
        self.id = None
        self.origin = None
        self.predecessor = None
        self.tree = Tree()
        self.next = 0
        self.prev = bytes(32)
        self.ts = None
        self.torn = False  # whether a row had no bytes, so that the tree is not known from there on
        self.covered = 0
        self.digests = set()
        self.adopted = set()
        self.clocks = set()
        self.lives = {}
        self.faults = []
        self.doubts = []
        self.keys_may_differ = False
        self.erasures = False
        self.missing = {}  # hidden members without a disclosure that nothing has erased so far: {digest: seq}
        self.broken = 0  # the last broken record that may have erased values, or that what comes after it does not follow
        self.withheld = 0
        self.sealed = 0
        self.signed = {}  # by key id, the last record that it signed: (seq, ts)
        self.thefts = []
        self.stolen = {}  # by key id, since when somebody else may have had the key, as far as a record has said so
        self.cast = {}  # by number, each vote's key and time
        self.outside = 0  # what the last checkpoint covers that somebody kept elsewhere
        self.witnessed = []  # [(size, since when a quorum has cosigned)]
        self.anchored = 0

    # -- judging ------------------------------------------------------------------------------------------------------------------------

    def why(self, check, *args):
        return None if check.rule in self.without else check(*args)

    def holds(self, seq, check, *args):
        """Runs a check; what is wrong is noted as a fault of the record `seq`."""
        why = self.why(check, *args)
        if why:
            # That a digest stood in the log before is named only where no rule of S is.
            place = RULES.index("M1") - 0.5 if check is f7_once else RULES.index(check.rule)
            self.faults.append((seq, place, check.rule, why))
        return not why

    def doubt(self, why):
        self.doubts.append(why)

    def verifies(self, public, signature, message):
        """S1 and the equation."""
        return not self.why(s1_strict, public, signature) and ed25519_verifies(public, signature, message)

    def checkpoint_keys(self):
        """All that have or had the role: the signature by one that went does not verify as one by somebody unknown."""
        return [key for key in self.keys.values() if "checkpoint" in key.roles]

    def in_force(self, signer, seq):
        key = self.keys.get(signer)
        return key if key is not None and key.covers(seq) else None

    def read_signed(self, note, keys):
        """A checkpoint of this log that one of the keys has signed: (checkpoint, None), or (None, what is wrong)."""
        try:
            note = read_note(note)
            checkpoint = read_checkpoint(note.text)
        except Malformed as error:
            return None, str(error)
        if not keys and self.origin is None:
            return checkpoint, None
        origin = self.origin if self.origin is not None else checkpoint.origin
        if checkpoint.origin != origin:
            return None, "it is of another log"
        return self.signer_of(note, keys, origin, checkpoint)

    def signer_of(self, note, keys, origin, checkpoint=None):
        """(checkpoint, None) if exactly one of the keys has signed a note, and may, or (None, what is wrong)."""
        checkpoint = checkpoint or read_checkpoint(note.text)
        signers = []
        for name, hint, signature in note.signatures:
            named = [key for key in keys if name == origin and key_hint(origin, key.public) == hint]
            by = [key for key in named if len(signature) == 64 and self.verifies(key.public, signature, note.text.encode())]
            if named and not by:
                return None, "its signature does not verify"
            signers += by
        if checkpoint.size == 0:
            return None, "it covers nothing"
        if not signers or len(signers) == 1 and not signers[0].covers(checkpoint.size - 1):
            return None, UNKNOWN_SIGNER
        return (checkpoint, None) if len(signers) == 1 else (None, "two keys of the log have signed it")

    # -- the walk -----------------------------------------------------------------------------------------------------------------------

    def walk(self, store, anchors):
        checkpoints = collections.deque(store.checkpoints())
        self.stored_subtrees, self.keeps_subtrees = store.subtrees(), store.keeps_subtrees()
        filed = Filed(store.disclosures())
        notes, self.anchors = anchors, None
        for row in store.rows():
            if row.seq < self.next:
                raise Unreadable("its records are not handed out in order")
            for seq in filed.before(row.seq):
                self.holds(seq, s9_nowhere, False)
            record = self.pass_row(row, [*filed.of(row.seq), *row.texts])
            if self.anchors is None:
                self.anchors = self.read_anchors(notes)
            if record:
                self.judge(record)
            while checkpoints and checkpoints[0][0] <= self.next:
                size, note = checkpoints.popleft()
                self.pass_checkpoint(size, note)
            while self.anchors and self.anchors[0].size <= self.next:
                self.pass_anchor(self.anchors.popleft())
        if self.anchors is None:
            self.anchors = self.read_anchors(notes)
        for seq in filed.before(None):
            self.holds(seq, s9_nowhere, False)
        self.finish(store.head(), bool(checkpoints))
        for seq, why in store.rest(self):
            if seq is None:
                self.doubt(why)
            else:
                self.faults.append((seq, RULES.index("S8"), "S8", why))

    def read_anchors(self, notes):
        """The checkpoints from outside, the smallest first. What cannot be used is a doubt, and what is of another log nothing at all."""
        trusted = [Key(public, roles) for public, roles in self.trusted.items() if "checkpoint" in roles]
        anchors = []
        for note in notes:
            try:
                checkpoint = read_checkpoint(read_note(note).text)
            except Malformed as error:
                self.doubt(f"a checkpoint from outside cannot be used: {error}")
                continue
            if self.origin is not None and checkpoint.origin != self.origin:
                continue
            why = self.read_signed(note, trusted)[1] if trusted else UNKNOWN_SIGNER
            if checkpoint.size == 0 or (why and not (why == UNKNOWN_SIGNER and self.keys)):
                self.doubt(f"a checkpoint from outside cannot be used: {why or 'it covers nothing'}")
            else:
                anchors.append(Anchor(checkpoint.size, checkpoint.root, note if why else None))
        return collections.deque(sorted(anchors, key=lambda anchor: anchor.size))

    def pass_anchor(self, anchor):
        """One that no trusted key has signed counts if the log names its key by then."""
        if self.torn:
            return
        why = anchor.unvouched and self.read_signed(anchor.unvouched, self.checkpoint_keys())[1]
        if why:
            self.doubt(f"a checkpoint from outside cannot be used: {why}")
        elif self.holds(anchor.size - 1, s7_outside, self, anchor):
            self.outside = anchor.size
            self.anchored = max(self.anchored, anchor.size)

    def pass_row(self, row, texts):
        """Bytes and structure. Returns the record if nothing is wrong with them, so that its meaning can be judged."""
        before = len(self.faults)
        if row.seq != self.next:
            self.faults.append((self.next, RULES.index("S4"), "S4", "records are missing from here on"))
        self.next = row.seq + 1
        if row.fault:
            self.faults.append((row.seq, RULES.index("S8"), "S8", row.fault))
            self.torn = True
            self.broken = row.seq
            self.push(bytes(32))
            return None
        record = Record(row.seq, row.statement, row.signatures, row.columns, texts, row.withheld)
        if self.well_formed(record):
            self.judge_structure(record)
        sound = len(self.faults) == before
        # What is stored beside a record does not keep it from standing there.
        stands = all(number in ("S8", "S9", "F9") for _, _, number, _ in self.faults[before:])
        if not stands or (not sound and self.may_erase(record)):
            self.broken = record.seq
        self.push(leaf_of(record.statement))
        return record if sound else None

    def may_erase(self, record):
        reserved = record.version == 1 and not record.says.get("crit") and record.kind in RESERVED
        return record.kind == "erased" or (record.not_judged and not reserved)

    def push(self, leaf):
        self.prev = leaf
        completed = self.tree.push(leaf)
        for level, number, node in completed if self.keeps_subtrees else ():
            stored = self.stored_subtrees.pop((level, number), None)
            self.holds(((number + 1) << 8 * level) - 1, s8_subtree, node, stored)

    def well_formed(self, record):
        """The bytes. Each of these rules is asked for only where the ones before hold."""
        checks = (f1_size, f2_canonical, f3_statement, f5_predicate, f8_integers, f4_subject, f7_hidden)
        return all(self.holds(record.seq, check, record) for check in checks) and self.readable(record)

    def readable(self, record):
        """Always true but where a rule was left out: what the other rules need is there."""
        fits = all(name in record.says and shape(record.says[name]) for name, shape in PREDICATE.items())
        if not fits:
            self.doubt(f"record {record.seq} cannot be read")
        return fits

    def judge_structure(self, record):
        seq = record.seq
        self.open_disclosures(record)
        if seq == 0:
            self.begin(record)
        self.read_changes(record)
        if self.keys:
            self.judge_signatures(record)
            self.holds(seq, m9_enforced, self, record)
        self.holds(seq, s4_place, self, record)
        self.holds(seq, s5_time, self, record)
        self.id = self.id or record.says["log"]
        self.ts = record.ts if self.ts is None else max(self.ts, record.ts)
        self.holds(seq, s8_columns, record)
        if seq == 0:
            self.doubt_keys(record)
        self.holds(seq, s9_stray, record)
        self.holds(seq, s9_withheld, record)
        self.holds(seq, f9_disclosures, record)
        self.withheld += len(record.withheld)
        self.sealed += len(record.sealed)
        for digest in record.hidden():
            if digest not in record.opened and digest not in record.withheld and digest not in record.sealed:
                self.missing.setdefault(digest, seq)

    def open_disclosures(self, record):
        for one in map(read_disclosure, record.texts):
            if one:
                record.opened[one.digest] = one

    def begin(self, record):
        """Takes the keys of the genesis, if it is one."""
        if not self.holds(0, s6_genesis, record) or record.not_judged or not self.holds(0, f6_body, record):
            return
        self.origin = record.body["origin"]
        self.id = record.says["log"]
        self.predecessor = record.body["predecessor"]
        for entry in record.body["keys"]:
            public = unbase64(entry["key"])
            self.keys[key_id(public)] = Key(public, set(entry["roles"]))
        untrusted = self.why(s10_trusted, self.trusted, self.keys)
        if untrusted:
            self.doubt(untrusted)

    def read_changes(self, record):
        """What a record says about keys and erased values, which other records rest on."""
        if record.not_judged:
            return
        if record.kind in CHANGES_KEYS and self.holds(record.seq, f6_body, record):
            public = record.body.get("key")
            record.newcomer = unbase64(public) if isinstance(public, str) else None
        elif record.kind == "erased" and self.holds(record.seq, f6_digests, record):
            record.erases = record.body.get("digests", [])
        elif record.kind == "recovered":
            self.holds(record.seq, f6_succession, record)

    def doubt_keys(self, record):
        """The keys of a genesis with which something is wrong count for nothing."""
        broken = {number for _, _, number, _ in self.faults} & {"S2", "S3", "S4", "M9"}
        if broken or self.why(s8_columns, record) == OTHER_LEAF:
            self.keys, self.origin, self.predecessor = {}, None, None

    def judge_signatures(self, record):
        if not self.holds(record.seq, s2_signatures, self, record):
            return
        if self.why(s2_known_keys, self, record) and self.keys_may_differ:
            self.doubt(f"record {record.seq}: a key is not named by any record that is judged")
            record.signer_unknown = True
        elif self.holds(record.seq, s2_known_keys, self, record):
            self.holds(record.seq, s3_role, self, record)

    def pass_checkpoint(self, size, note):
        self.covered = size
        last = max(size - 1, 0)
        if self.keys_may_differ and self.read_signed(note, self.checkpoint_keys())[1] == UNKNOWN_SIGNER:
            return self.doubt(f"record {last}: its checkpoint is by a key that no record judged here names")
        if self.holds(last, s7_checkpoint, self, size, note) and self.witnesses and self.origin and not self.torn:
            since = self.witnesses.since(note, self)
            if since is not None:
                self.witnessed.append((size, since))
                self.anchored = max(self.anchored, size)

    def finish(self, head, beyond):
        """What stands for the whole log."""
        last = max(self.next - 1, 0)
        # Of a size that the log has not, only the auditor can say whose the key was.
        self.holds(self.next, s7_beyond, self, any(not anchor.unvouched for anchor in self.anchors))
        if any(anchor.unvouched for anchor in self.anchors):
            self.doubt("a checkpoint from outside is of more records than there are, by a key that is not trusted")
        self.holds(self.next, s7_beyond, self, beyond)
        for level, number in self.stored_subtrees:
            self.holds(min(self.next, ((number + 1) << 8 * level) - 1), s8_subtree, None, None)
        self.holds(self.covered, s7_covered, self)
        self.holds(0, s14_alone, self)
        if head is not NOT_KEPT and (head is not None or self.next > 0):
            self.judge_head(head)
        missing = [seq for seq in self.missing.values() if seq >= self.broken]
        if missing and self.erasures:
            self.doubt(f"record {min(missing)}: whether its missing disclosure was erased is not judged")
        elif missing:
            self.holds(min(missing), s9_missing, missing)
        for theft in self.thefts:
            why = self.why(s12_stolen, self, theft)
            if why:
                self.doubt(why)

    def judge_head(self, head):
        last = max(self.next - 1, 0)
        if head and head.size > self.next:
            self.holds(self.next, s8_head, self, head)
        elif self.holds(last, s8_head, self, head) and head and self.keys and not self.keys_may_differ:
            self.holds(last, s7_head, self, head) and self.holds(last, s8_head_checkpoint, self, head)

    # -- meaning ------------------------------------------------------------------------------------------------------------------------

    def judge(self, record):
        """The meaning of a record with which nothing else is wrong. The first rule that fails is named."""
        seq = record.seq
        once = self.holds(seq, f7_once, self, record)
        self.digests.update(record.hidden())
        if record.signer_unknown or not self.holds(seq, s6_genesis, record):
            return
        self.signed.update((signer, (seq, record.ts)) for signer, _ in record.signatures)
        if record.not_judged:
            return self.leave_unjudged(record)
        if record.kind in CHANGES_KEYS:
            self.change_keys(record)
            self.holds(seq, s14_succession, self, record)
            return
        if not self.erase(record) or not self.holds(seq, s14_succession, self, record):
            return
        if record.kind == "genesis" or not self.holds(seq, f6_body, record) or not self.holds(seq, m1_references, self, record):
            return
        if not once:
            return
        self.judge_meaning(record)

    def change_keys(self, record):
        """A key that comes is in force from the next record on, one that goes up to this one."""
        seq, body = record.seq, record.body
        if not self.keys or not self.holds(seq, s11_comes, self, record) or not self.holds(seq, s11_goes, self, record):
            return
        if self.keys_may_differ and self.why(s11_in_force, self, record):
            return self.doubt(f"record {seq} changes keys that no record judged here names")
        if not self.holds(seq, s11_in_force, self, record):
            return
        old = self.keys.get(body.get("old"))
        if old:
            old.until = seq
        if record.newcomer:
            roles = set(body["roles"]) if record.kind == "key_added" else old.roles if old else set()
            self.keys[key_id(record.newcomer)] = Key(record.newcomer, roles, seq + 1)
        if "compromised_since" in body:
            self.stolen[body["old"]] = micros(body["compromised_since"])
        if "compromised_since" in body and body["old"] in self.signed:
            self.thefts.append(Theft(micros(body["compromised_since"]), *self.signed[body["old"]]))

    def erase(self, record):
        """Whether what it erases could be erased."""
        if self.erasures:
            sound = not self.why(s13_erased, self, record)
        else:
            sound = self.holds(record.seq, s13_erased, self, record)
        for digest in record.erases:
            self.missing.pop(digest, None)
        return sound

    def leave_unjudged(self, record):
        self.doubt(f"record {record.seq} is not judged: {record.not_judged}")
        reserved = record.version == 1 and not record.says.get("crit") and record.kind in RESERVED
        self.keys_may_differ |= not reserved
        self.erasures |= not reserved
        if not isinstance(record.request, str):
            return
        life = self.lives.get(record.request)
        if reserved:
            self.holds(record.seq, m2_action, life or Life(""), record)
        if life and (not reserved or record.kind in MAY_LOOSEN):
            life.clouded = True

    def judge_meaning(self, record):
        if record.kind == "policy_adopted":
            self.adopted.add(adopted_by(record.body))
        elif record.kind == "clock":
            self.clocks.add(record.seq)
        elif record.kind == "erased":
            self.judge_erasure(record)
        elif record.request is not None:
            adopted = self.holds(record.seq, m8_adopted, self, record)
            self.judge_life(record, adopted)

    def judge_erasure(self, record):
        for life in self.lives.values():
            if life.clouded and self.why(m10_over, life, record):
                self.doubt(f"record {record.seq} erases a value of a request with a record that is not judged")
            elif not self.holds(record.seq, m10_over, life, record):
                return

    def judge_life(self, record, adopted):
        life = self.lives.get(record.request) or Life(None)
        life.hidden.update(record.hidden())
        for check in (m2_action, m3_table, m4_separation, m5_counted, m6_as_strict, m7_supplied, m11_witnessed):
            why = self.why(check, life, record)
            if why and life.clouded and not life.is_over():
                return self.doubt(f"record {record.seq} is allowed at most by a record before it that is not judged")
            if not self.holds(record.seq, check, life, record):
                return
        if not self.holds(record.seq, m12_stolen, self, record):
            return
        if record.kind == "voted":
            self.cast[record.seq] = (record.says["key"], record.ts)
        self.lives[record.request] = life
        advance(life, record)

    # -- the verdict --------------------------------------------------------------------------------------------------------------------

    def verdict(self):
        """Section 9."""
        size = self.tree.size
        found = {"verdict": None, "exit": None, "size": size, "anchored": self.anchored, "withheld": self.withheld, "sealed": self.sealed}
        found.update(seq=None, rule=None, why=None)
        if self.faults:
            seq, _, number, why = min(self.faults)
            found.update(verdict="broken", exit=1, seq=seq, rule=number, why=why)
        elif self.doubts or size == 0:
            found.update(verdict="cannot verify", exit=2, why=self.doubts[0] if self.doubts else "the log is empty")
        elif self.anchored == size:
            found.update(verdict="intact, anchored", exit=0)
        else:
            found.update(verdict="intact, unanchored tail", exit=3)
        return found


class Filed:
    """Disclosures, handed out record by record."""

    def __init__(self, disclosures):
        self.waiting = disclosures
        self.next = next(disclosures, None)

    def before(self, seq):
        """The records before `seq` (or all that are left) under which something is still filed."""
        found = []
        while self.next and (seq is None or self.next[0] < seq):
            found.append(self.next[0])
            self.next = next(self.waiting, None)
        return found

    def of(self, seq):
        texts = []
        while self.next and self.next[0] == seq:
            texts.append(self.next[1])
            self.next = next(self.waiting, None)
        return texts


def verify(store, keys, checkpoints, without=(), witnesses=None):
    """The verdict on the log at a path, with paths of the keys, of checkpoints from outside and of a policy of witnesses."""
    try:
        with open(keys, encoding="utf-8") as file:
            trusted = read_keys(file.read())
        anchors = []
        for path in checkpoints:
            with open(path, "rb") as file:
                anchors.append(file.read())
        policy = None
        if witnesses:
            with open(witnesses, "rb") as file:
                policy = Witnesses(file.read())
        log = Log(trusted, without, policy)
        opened = open_log(store, log.why)
        try:
            log.walk(opened, anchors)
            opened.close()
        except (sqlite3.Error, OSError, Unreadable) as error:
            # What was found before counts.
            log.doubt(f"the file cannot be read to its end: {error}")
        return log.verdict()
    except (OSError, ValueError, sqlite3.Error, Unreadable) as error:
        return {"verdict": "cannot verify", "exit": 2, "size": 0, "anchored": 0, "seq": None, "rule": None, "why": str(error)}


# ---------------------------------------------------------------------------------------------------------------------------------------
# 10. Receipts (section 10)
# ---------------------------------------------------------------------------------------------------------------------------------------

MOST_RECEIPT = 8_388_608
LONGEST_PATH = 53


class Refused(Exception):
    """A receipt breaks a rule."""


class Receipt:
    """A receipt, cut into its parts, of which nothing is known yet."""

    def __init__(self, data):
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("R7", "it is no UTF-8") from None
        proof, separator, rest = text.rpartition("\n\n")
        self.proof, self.rest = proof + "\n", rest
        head, between, self.checkpoint = self.proof.partition("\n\n")
        lines = head.split("\n")
        if not separator or not between or lines[0] != "c2sp.org/tlog-proof@v1":
            raise Refused("R1", "it does not begin with a tlog-proof")
        self.extra = [line for line in lines[1:2] if line.startswith("extra ")]
        self.index, *self.path = lines[1 + len(self.extra) :] or [""]
        self.envelope_line, *self.disclosures = rest.removesuffix("\n").split("\n")
        try:
            self.envelope = read_json(self.envelope_line.encode())
            self.statement, self.signatures = open_envelope(self.envelope)
        except (NotJson, TypeError, KeyError):
            raise Refused("R3", "it has no envelope") from None
        if self.statement is None or None in (signature for _, signature in self.signatures):
            raise Refused("R3", "it has no envelope")


# R1: the first part is exactly a tlog-proof, without the line that no signature covers.
@rule("R1")
def r1_proof(receipt):
    if receipt.extra:
        return "it has an `extra` line"
    if not re.fullmatch(r"index (0|[1-9][0-9]{0,15})", receipt.index) or int(receipt.index[6:]) > LARGEST_INTEGER:
        return "its second line is not an index"
    if len(receipt.path) > LONGEST_PATH or any(len(unbase64(line) or b"") != 32 for line in receipt.path):
        return "a line of its path is no hash, or there are too many"


# R2: a checkpoint, signed by one key that may, from outside.
@rule("R2")
def r2_checkpoint(log, receipt):
    return log.read_signed(receipt.checkpoint.encode(), log.checkpoint_keys())[1]


# R3: the envelope, in its one spelling.
@rule("R3")
def r3_envelope(receipt):
    if canonical(receipt.envelope) != receipt.envelope_line.encode() or not ENVELOPE(receipt.envelope, {}):
        return "its envelope is not the canonical one"
    if not 1 <= len(receipt.signatures) <= MOST_SIGNATURES:
        return "its envelope has no signature or more than 8"


# R4: what can be told of a record alone.
@rule("R4")
def r4_record(log, record):
    for check in (f1_size, f2_canonical, f3_statement, f5_predicate, f8_integers, f4_subject, f7_hidden):
        why = log.why(check, record)
        if why:
            return f"{check.rule}: {why}"
    if record.kind in CHANGES_KEYS and not record.not_judged:
        why = log.why(f6_body, record)
        if why:
            return f"F6: {why}"
        public = record.body.get("key")
        record.newcomer = public and unbase64(public)
    for check in (s2_signatures, s2_known_keys, s3_role, m9_enforced):
        why = log.why(check, log, record)
        if why:
            return f"{check.rule}: {why}"


# R5: the record stands in the tree of the checkpoint.
@rule("R5")
def r5_path(receipt, record, checkpoint):
    index, size = record.says.get("seq"), checkpoint.size
    if receipt.index != f"index {index}" or not index < size:
        return "its index is not the number of its record, or is beyond the checkpoint"
    if root_by(leaf_of(receipt.statement), index, size, [unbase64(line) for line in receipt.path]) != checkpoint.root:
        return "its path does not lead to the checkpoint"


def root_by(node, index, size, path):
    """RFC 9162, section 2.1.3.2, or None if the path is too long or too short."""
    last = size - 1
    for sibling in path:
        if last == 0 or sibling is None:
            return None
        if index & 1 or index == last:
            node = sha256(b"\x01", sibling, node)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = sha256(b"\x01", node, sibling)
        index, last = index >> 1, last >> 1
    return node if last == 0 else None


# R6: the disclosures are of the record, in order, and each once.
@rule("R6")
def r6_disclosures(record):
    if record.version != 1 and record.texts:
        return "its statement is of another version, and hides nothing that is known"
    why = f9_disclosures(record)
    if why:
        return why
    digests = [disclosure_digest(text) for text in record.texts]
    if not is_ascending(digests) or not set(digests) <= set(record.hidden()):
        return "its disclosures are not in order, or not of its record"


# R7: nothing else.
@rule("R7")
def r7_nothing_else(data):
    if len(data) > MOST_RECEIPT:
        return "it is larger than a receipt may be"
    if not data.endswith(b"\n"):
        return "its last line is not ended"


def verify_receipt(path, keys, without=()):
    """The verdict on a receipt, with paths of both."""
    found = {"verdict": None, "exit": None, "seq": None, "rule": None, "why": None, "members": {}}
    try:
        with open(keys, encoding="utf-8") as file:
            trusted = read_keys(file.read())
        with open(path, "rb") as file:
            data = file.read(MOST_RECEIPT + 1)
    except (OSError, ValueError) as error:
        return {**found, "verdict": "cannot verify", "exit": 2, "why": str(error)}
    try:
        record = judge_receipt(data, trusted, without)
        return {**found, "verdict": "proven", "exit": 0, "seq": record.seq, "members": open_members(record)}
    except Refused as refused:
        return {**found, "verdict": "proves nothing", "exit": 1, "rule": refused.args[0], "why": refused.args[1]}


def judge_receipt(data, trusted, without):
    """The record that is proven."""
    # The keys are those of the log, and in force throughout; its origin is what the checkpoint claims.
    log = Log(trusted, without)
    log.keys = {key_id(public): Key(public, roles) for public, roles in trusted.items()}

    def ask(check, *args):
        why = log.why(check, *args)
        if why:
            raise Refused(check.rule, why)

    ask(r7_nothing_else, data)
    receipt = Receipt(data)
    ask(r1_proof, receipt)
    ask(r3_envelope, receipt)
    try:
        checkpoint = read_checkpoint(read_note(receipt.checkpoint.encode()).text)
    except Malformed as error:
        raise Refused("R2", str(error)) from None
    log.origin = checkpoint.origin
    ask(r2_checkpoint, log, receipt)
    record = Record(None, receipt.statement, receipt.signatures, Columns(), receipt.disclosures)
    record.seq = record.says.get("seq")
    if not is_uint(record.seq):
        raise Refused("R4", "its record has no number")
    ask(r4_record, log, record)
    ask(r5_path, receipt, record, checkpoint)
    log.open_disclosures(record)
    ask(r6_disclosures, record)
    return record


def open_members(record):
    """The disclosed members, by their JSON pointers in the body."""
    found, waiting = {}, [("", record.body)]
    while waiting:
        pointer, value = waiting.pop()
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        waiting += [(below(pointer, name), item) for name, item in inner if name != "_sd"]
        for digest in value.get("_sd", []) if isinstance(value, dict) else ():
            if digest in record.opened:
                found[below(pointer, record.opened[digest].name)] = record.opened[digest].value
    return found


def below(pointer, name):
    return pointer + "/" + str(name).replace("~", "~0").replace("/", "~1")


# ---------------------------------------------------------------------------------------------------------------------------------------
# 11. The command
# ---------------------------------------------------------------------------------------------------------------------------------------


def main():
    codes = "Exit codes: 0 intact and anchored, 1 broken, 2 cannot verify, 3 intact with an unanchored tail."
    parser = argparse.ArgumentParser(description="Verifies a Countersign log.", epilog=codes)
    option = parser.add_argument
    option("store", nargs="?", help="the SQLite file of a store, a directory of tiles, or a file of JSON lines")
    option("--receipt", metavar="FILE", help="a receipt, instead of a log")
    option("--keys", metavar="FILE", help="the keys that you trust, from elsewhere")
    option("--expect-checkpoint", metavar="FILE", nargs="+", action="extend", default=[], help="signed checkpoints kept elsewhere")
    option("--witness-policy", metavar="FILE", help="the witnesses that you believe (C2SP tlog-policy)")
    option("--json", action="store_true", help="one JSON object instead of words")
    option("--batch", metavar="LIST", help="many logs: one JSON object a line with store, keys and checkpoints")
    option("--without", metavar="RULE", action="append", default=[], choices=RULES, help="leave a rule out, to test this verifier")
    asked = parser.parse_args()
    if asked.batch:
        return run_batch(asked.batch, asked.without)
    if bool(asked.store) == bool(asked.receipt) or not asked.keys:
        parser.error("--keys are needed, and a log or a receipt")
    if asked.receipt:
        found = verify_receipt(asked.receipt, asked.keys, asked.without)
    else:
        found = verify(asked.store, asked.keys, asked.expect_checkpoint, asked.without, asked.witness_policy)
    print(json.dumps(found) if asked.json else in_words(found))
    return found["exit"]


def run_batch(path, without):
    """The exit code says that all were looked at, not what was found."""
    with open(path, encoding="utf-8") as file:
        for line in file:
            case = json.loads(line)
            leave_out = case.get("without", without)
            if "receipt" in case:
                found = verify_receipt(case["receipt"], case["keys"], leave_out)
            else:
                found = verify(case["store"], case["keys"], case.get("checkpoints", []), leave_out, case.get("witnesses"))
            print(json.dumps(found), flush=True)
    return 0


def in_words(found):
    if found["verdict"] == "proven":
        lines = [f"proven: record {found['seq']}", *(f"{pointer}: {json.dumps(value)}" for pointer, value in found["members"].items())]
        return "\n".join(lines)
    if found["verdict"] == "proves nothing":
        return f"proves nothing: rule {found['rule']}: {found['why']}"
    if found["exit"] == 1:
        return f"broken: first bad record {found['seq']}, rule {found['rule']}: {found['why']}"
    if found["exit"] == 2:
        return f"cannot verify: {found['why']}"
    withheld = f"; {found['withheld']} disclosures were withheld" if found["withheld"] else ""
    sealed = f"; {found['sealed']} disclosures are sealed" if found["sealed"] else ""
    return f"{found['verdict']}: {found['size']} records, {found['anchored']} of them covered by a checkpoint from outside{withheld}{sealed}"


if __name__ == "__main__":
    sys.exit(main())
