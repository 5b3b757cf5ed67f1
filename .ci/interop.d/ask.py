"""Shows a witness a checkpoint, as `ask.py URL OLD_SIZE CHECKPOINT [HASH...]`, and prints the status and a body of one line."""

import sys
import urllib.error
import urllib.request

url, old, checkpoint, *path = sys.argv[1:]
with open(checkpoint, "rb") as file:
    body = f"old {old}\n{''.join(node + chr(10) for node in path)}\n".encode() + file.read()
direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    with direct.open(urllib.request.Request(f"{url}/add-checkpoint", body), timeout=20) as answer:
        status, said = answer.status, answer.read()
except urllib.error.HTTPError as error:
    status, said = error.code, error.read()
print(status, said.decode().strip())
