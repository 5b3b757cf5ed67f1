"""Writes JSON documents, one a line, in spellings that nobody would choose: `corpus.py SEED COUNT`."""

import decimal
import json
import random
import struct
import sys

dice = random.Random(int(sys.argv[1]))
# Where UTF-16 order and code point order differ, where escapes begin and end, and the edges of how numbers are printed.
LETTERS = "ab\x00\x08\t\n\x0c\r\x1b\x1f \"\\/<>&'\x7f\x80ö€\u2028\ud7ff\ue000\ufb33\uffff\U00010000😀\U0010ffff"
NUMBERS = [0, 1, -1, 2**53 - 1, 1 - 2**53, 5e-324, 1.7976931348623157e308, 1e20, 1e21, 1e22, 1e-6, 1e-7, 0.1, 1 / 3, 2.5e-5]


def text():
    return "".join(dice.choice(LETTERS) for _ in range(dice.randrange(8)))


def number():
    match dice.randrange(4):
        case 0:
            return dice.choice(NUMBERS)
        case 1:
            return dice.randrange(1 - 2**53, 2**53)
        case 2:
            # Never the negative zero, which is not admitted.
            return round(dice.uniform(-1e6, 1e6), dice.randrange(8)) + 0.0
        case _:
            # Any double that is finite.
            while True:
                value = struct.unpack("<d", dice.randbytes(8))[0]
                if value and value - value == 0:
                    return value


def document(depth):
    match dice.randrange(8 if depth else 5):
        case 0:
            return dice.choice([None, True, False])
        case 1 | 2:
            return text()
        case 3 | 4:
            return number()
        case 5:
            return [document(depth - 1) for _ in range(dice.randrange(5))]
        case _:
            return {text(): document(depth - 1) for _ in range(dice.randrange(7))}


def spaces():
    return dice.choice(["", "", " ", "\t "])


def spelled_text(value):
    def letter(one):
        if one in '"\\' or ord(one) < 0x20 or dice.random() < 0.2:
            units = one.encode("utf-16-be")
            return "".join(f"\\u{units[i]:02x}{units[i + 1]:02X}" for i in range(0, len(units), 2))
        return one

    return '"' + "".join(map(letter, value)) + '"'


def spelled(value):
    if isinstance(value, dict):
        inside = ",".join(f"{spaces()}{spelled_text(key)}{spaces()}:{spelled(one)}" for key, one in value.items())
        return f"{spaces()}{{{inside}{spaces()}}}{spaces()}"
    if isinstance(value, list):
        return f"{spaces()}[{','.join(map(spelled, value))}{spaces()}]{spaces()}"
    if isinstance(value, str):
        return f"{spaces()}{spelled_text(value)}{spaces()}"
    if isinstance(value, float) and dice.random() < 0.5:
        # The same digits: others, though they mean the same double, are not admitted.
        return format(decimal.Decimal(repr(value)), dice.choice("eE"))
    return json.dumps(value)


sys.stdout.reconfigure(encoding="utf-8", newline="\n")
for _ in range(int(sys.argv[2])):
    print(spelled(document(4)))
