"""Greets properly, then neither reads nor answers, and ignores polite ends."""

import json
import signal
import sys
import time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"protocol": int(sys.argv[1])}}).encode()
sys.stdout.buffer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
sys.stdout.buffer.flush()
time.sleep(120)
