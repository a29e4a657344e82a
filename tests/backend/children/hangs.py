"""Never says a word."""

import time

time.sleep(120)
