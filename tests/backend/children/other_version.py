"""Answers the greeting as a backend of another protocol version would; ``argv[1]`` is the version."""

import json
import sys

source = sys.stdin.buffer
length = int(source.readline().split(b":")[1])
source.readline()
request = json.loads(source.read(length))
body = json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": json.loads(sys.argv[1])}).encode()
sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
sys.stdout.buffer.flush()
source.read()
