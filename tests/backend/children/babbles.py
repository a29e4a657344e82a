"""Prints a greeting instead of a message, and waits."""

import time

print("Welcome to the machine!", flush=True)
time.sleep(120)
