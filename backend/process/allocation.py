"""How freed memory is kept for the next array, where the C library can be told.

A clip's arrays are of some hundred kilobytes. glibc gives such blocks back to the system at once, above all in threads,
and fetches them again page by page: a quarter of a batch's time. A batch, whose process ends with it, can afford to
keep them; the backend beside Blender does not.
"""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # mallopt's names in glibc's malloc.h
KEPT, LARGE = 256 << 20, 32 << 20
"""Bytes that are kept free at most, and from which on a block is fetched from the system alone."""


def keep_freed_memory() -> bool:
    """Ask for it; whether the C library knows how."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library than glibc
        return False
    return bool(mallopt(_TRIM_THRESHOLD, KEPT) and mallopt(_MMAP_THRESHOLD, LARGE))
