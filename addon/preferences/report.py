"""What is installed here, as a text that can be shown to others: no names, no private paths."""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import bpy

_SHORT = 3  # a user called "al" would otherwise be cut out of every "signal"


def masked(text: str) -> str:
    """Text without the user's name, the machine's name and the way to the home folder."""
    for home in dict.fromkeys(filter(None, (os.path.expanduser("~"), os.environ.get("USERPROFILE", "")))):
        if len(home) > _SHORT or home == "/root":
            text = text.replace(home, "~").replace(home.replace("\\", "/"), "~")
    # Other people's, and other disks'.
    text = re.sub(r"(?i)((?:/home|/users|[a-z]:[\\/]users)[\\/])[^\\/\s:\"']+", r"\1***", text)
    text = re.sub(r"(/(?:media|mnt|Volumes|run/media)/)[^/\s:\"']+", r"\1***", text)
    text = re.sub(r"[\w.+-]+@[\w-]+\.[\w.-]+", "***", text)
    for name in _names():
        text = re.sub(rf"(?i)(?<![\w-]){re.escape(name)}(?![\w-])", "***", text)
    return text


def _names() -> list[str]:
    found = [os.environ.get(key, "") for key in ("USER", "USERNAME", "LOGNAME", "COMPUTERNAME")]
    for ask in (getpass.getuser, socket.gethostname):
        try:
            found.append(ask())
        except (OSError, KeyError, ImportError):
            continue
    found += [name.split(".")[0] for name in found]
    return sorted({n for n in found if len(n) > _SHORT and n != "root"}, key=len, reverse=True)


def compose(version: str, checks: Iterable[Mapping[str, Any]], facts: Mapping[str, str]) -> str:
    """The report.

    Args:
        version: of Understudy.
        checks: the answer of ``understudy doctor``.
        facts: of this Blender, by name.
    """
    lines = [f"Understudy {version}", f"Blender {bpy.app.version_string}, {platform.platform()}"]
    lines += [f"{name}: {value}" for name, value in facts.items()]
    for check in checks:
        lines.append(f"{check.get('state', '?'):>8}  {check.get('name', '?')}: {check.get('detail', '')}")
    return masked("\n".join(lines)) + "\n"


def size_in_words(count: int) -> str:
    """Bytes as people say them."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def folder_size(folder: Path) -> tuple[int, int]:
    """Files and bytes of one folder, its subfolders left out."""
    try:
        sizes = [entry.stat().st_size for entry in os.scandir(folder) if entry.is_file()]
    except OSError:
        return 0, 0
    return len(sizes), sum(sizes)
