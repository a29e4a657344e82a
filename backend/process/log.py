"""The backend's log: on stderr, and in a rotating file of the user's log folder."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import sys
from pathlib import Path

logger = logging.getLogger("understudy")


def log_folder() -> Path:
    import platformdirs

    return platformdirs.user_log_path("understudy", appauthor=False)


def set_up() -> Path | None:
    """Send the log to stderr and to a file; returns the file, or None where none can be written.

    A log that cannot be written is no reason to refuse work.
    """
    line = logging.Formatter("%(asctime)s %(process)d %(levelname)s %(message)s")
    on_screen = logging.StreamHandler(sys.stderr)
    on_screen.setFormatter(line)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    logger.handlers[:] = [on_screen]
    logging.raiseExceptions = False
    path = log_folder() / "backend.log"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        in_file = logging.handlers.RotatingFileHandler(
            path, maxBytes=1_000_000, backupCount=3, encoding="utf-8", errors="backslashreplace"
        )
    except OSError as error:
        logger.warning("No log file: %s", error)
        return None
    in_file.setFormatter(line)
    logger.addHandler(in_file)
    return path


def flush() -> None:
    for handler in logger.handlers:
        with contextlib.suppress(OSError, ValueError):
            handler.flush()
