"""Cuts a JSONL export and a receipt into what each tool reads, and makes the twins that it must refuse.

    pieces.py JSONL RECEIPT TRUSTED OUT
"""

import base64
import copy
import hashlib
import json
import pathlib
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

export, receipt, trusted, out = map(pathlib.Path, sys.argv[1:])


def flipped(text, place):
    """The same base64 with one bit of one byte changed."""
    data = bytearray(base64.b64decode(text))
    data[place] ^= 1
    return base64.b64encode(data).decode()


def encoding(envelope):
    kind, payload = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


keys = {}
for line in trusted.read_text().splitlines():
    if line and not line.startswith("#"):
        public = base64.b64decode(line.split("+", 2)[2])[1:]
        keys[hashlib.sha256(b"\x01" + public).hexdigest()] = public
(out / "keys.json").write_text(json.dumps({keyid: public.hex() for keyid, public in keys.items()}))

lines = [json.loads(line) for line in export.read_text().splitlines()]
envelopes = [line["envelope"] for line in lines if "envelope" in line]
(out / "envelopes.jsonl").write_text("".join(json.dumps(envelope) + "\n" for envelope in envelopes))

# Everything up to the last empty line of a receipt is a C2SP tlog-proof, the line after it the envelope.
proof, _, rest = receipt.read_text().rpartition("\n\n")
envelope = json.loads(rest.splitlines()[0])
(out / "envelope.json").write_text(json.dumps(envelope) + "\n")
for name, change in {
    "payload": lambda twin: twin.update(payload=flipped(twin["payload"], 20)),
    "type": lambda twin: twin.update(payloadType="application/json"),
    "signature": lambda twin: twin["signatures"][0].update(sig=flipped(twin["signatures"][0]["sig"], 5)),
}.items():
    twin = copy.deepcopy(envelope)
    change(twin)
    (out / f"twin-{name}.json").write_text(json.dumps(twin) + "\n")
    (out / f"twin-{name}.pae").write_bytes(encoding(twin))
    (out / f"twin-{name}.sig").write_bytes(base64.b64decode(twin["signatures"][0]["sig"]))

first = envelope["signatures"][0]
(out / "pae").write_bytes(encoding(envelope))
(out / "sig").write_bytes(base64.b64decode(first["sig"]))
key = Ed25519PublicKey.from_public_bytes(keys[first["keyid"]])
(out / "key.pem").write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

proof, _, checkpoint = (proof + "\n").partition("\n\n")
head, index, *path = proof.splitlines()
assert head == "c2sp.org/tlog-proof@v1", head
(out / "index").write_text(index.removeprefix("index "))
(out / "path").write_text("".join(node + "\n" for node in path))
(out / "twin-path").write_text("".join(node + "\n" for node in [flipped(path[0], 0), *path[1:]]))
(out / "checkpoint").write_text(checkpoint)
(out / "twin-checkpoint").write_text(checkpoint.replace("\n", "x\n", 1))
root = checkpoint.splitlines()[2]
(out / "twin-root").write_text(checkpoint.replace(root, flipped(root, 0)))
statement = base64.b64decode(envelope["payload"])
(out / "statement").write_bytes(statement)
(out / "twin-statement").write_bytes(statement[:-1] + b" ")
