"""A dialogue that was written line by line, not as a screenplay."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..errors import BadInput
from ..protocol.dialogue import DialogueLine
from .fountain import BEAT, Screenplay, Speech


def screenplay_of(lines: Sequence[DialogueLine]) -> tuple[Screenplay, dict[int, Path]]:
    """Lines as the speeches of a screenplay, and their recordings by the number of the speech.

    Raises:
        BadInput: a line holds no word, or its recording is not there.
    """
    speeches, recordings = [], {}
    for number, line in enumerate(lines, 1):
        if not any(letter.isalnum() for letter in line.text):
            raise BadInput(f"Line {number}: nothing is said.", field=f"lines.{number - 1}.text")
        direction = line.direction.strip("()").strip()
        directions = [text for text in (line.emotion, direction) if text]
        speeches.append(
            Speech(
                number,
                number,
                " ".join(line.speaker.split()).upper(),
                (" ".join(line.text.split()),),
                tuple(text for text in directions if not BEAT.fullmatch(text)),
                beat=bool(BEAT.search(direction)),
                performs=line.performs,
            )
        )
        if line.recording is not None:
            path = Path(line.recording)
            if not path.is_file():
                raise BadInput(
                    f"Line {number}: there is no recording {path}.", field=f"lines.{number - 1}.recording"
                )
            recordings[number] = path
    return Screenplay(tuple(speeches)), recordings
