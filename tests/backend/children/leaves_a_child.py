"""Dies, while a process that it started keeps its pipes open."""

import os
import subprocess
import sys

subprocess.Popen([sys.executable, "-c", "import time; time.sleep(8)"])
os._exit(4)
