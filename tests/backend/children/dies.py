"""Fails at once with words on stderr that are not UTF-8."""

import sys

sys.stderr.buffer.write(b"first line\nno module named \xff\xfetorch\n")
sys.exit(3)
