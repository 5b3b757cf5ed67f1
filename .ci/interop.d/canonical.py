"""Compares each line with what `rfc8785` makes of the document: `canonical.py CORPUS CANONICAL`; 3 if they differ."""

import json
import sys

import rfc8785

with open(sys.argv[1], "rb") as file:
    corpus = file.read().split(b"\n")
with open(sys.argv[2], "rb") as file:
    ours = file.read().split(b"\n")
if len(corpus) < 2 or len(corpus) != len(ours):
    sys.exit("there are not as many lines")
for at, (document, line) in enumerate(zip(corpus[:-1], ours[:-1]), 1):
    theirs = rfc8785.dumps(json.loads(document))
    if line != theirs:
        print(f"line {at}: {line!r} is not {theirs!r}")
        sys.exit(3)
print(f"{len(ours) - 1} documents")
