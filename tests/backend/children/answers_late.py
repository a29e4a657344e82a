"""Answers a cancelled request with its result all the same, as a race would have it."""

import json
import sys


def read():
    length = int(sys.stdin.buffer.readline().split(b":")[1])
    sys.stdin.buffer.readline()
    return json.loads(sys.stdin.buffer.read(length))


def write(message):
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    sys.stdout.buffer.flush()


write({"id": read()["id"], "result": {"protocol": int(sys.argv[1])}})
job = read()
cancel = read()
assert cancel["method"] == "cancel" and cancel["params"] == {"id": job["id"]}
write({"method": "progress", "params": {"id": job["id"], "stage": "refine", "step": 9, "total": 9}})
write({"id": job["id"], "result": "late"})
write({"id": cancel["id"], "result": {"found": True}})
second = read()
write({"id": second["id"], "result": "second"})
sys.stdin.buffer.read()
