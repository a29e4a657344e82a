"""The backend's cache: what can be made again at any time. Everything in this folder may be deleted."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from ..errors import JobFailed


def cache_folder() -> Path:
    """The folder, which may not exist yet."""
    import platformdirs

    return platformdirs.user_cache_path("understudy", appauthor=False)


def cache_size() -> tuple[int, int]:
    """Number of files, and bytes."""
    files = [path for path in cache_folder().rglob("*") if path.is_file() and not path.is_symlink()]
    return len(files), sum(path.stat().st_size for path in files)


def clear_cache() -> None:
    """Delete everything in it.

    Raises:
        JobFailed: a file could not be deleted.
    """
    folder = cache_folder()
    if not folder.is_dir():
        return
    try:
        gone = folder.with_name(f".{folder.name}-{secrets.token_hex(4)}")
        os.replace(folder, gone)  # at once: nobody reads half a cache
        shutil.rmtree(gone)
    except OSError as error:
        raise JobFailed(f"The cache cannot be cleared: {error.strerror}.") from error
