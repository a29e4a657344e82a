"""Screenplays as the caller of ``dialogue`` reads them. Standard library only: Blender runs this."""

from __future__ import annotations

from ..dialogue.fountain import LARGEST, Screenplay, Speech, parse, read_screenplay

__all__ = ["LARGEST", "Screenplay", "Speech", "parse", "read_screenplay"]
