"""Has securesystemslib verify each signature of each envelope: `dsse.py KEYS ENVELOPES`; 3 if it refuses one."""

import json
import sys

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import SSlibKey

with open(sys.argv[1]) as file:
    keys = [SSlibKey(keyid, "ed25519", "ed25519", {"public": public}) for keyid, public in json.load(file).items()]
count = 0
with open(sys.argv[2]) as file:
    for line in file:
        envelope = Envelope.from_dict(json.loads(line))
        try:
            envelope.verify(keys, len(envelope.signatures))
        except VerificationError as error:
            print(error)
            sys.exit(3)
        count += 1
if not count:
    sys.exit("there is no envelope")
print(f"{count} envelopes")
