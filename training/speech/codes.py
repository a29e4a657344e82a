"""Recordings as codes of a trained speech tokenizer: of any voice, with what its decoder is to be told of the voice.

Scripts that nobody recorded are said by a synthesiser, the first character in one voice and the second in another.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...backend.dialogue.voices import Synthesiser
from ...backend.errors import BadInput, JobFailed
from ...backend.speech.audio import FPS
from ...backend.speech.features import speech_features
from ..data.multimodal.script import Script
from .model import SpeechTokenizer


class Written(NamedTuple):
    """What came of a run: files written, and path and reason of those that could not be."""

    files: list[Path]
    broken: list[tuple[Path, str]]


def said(
    scripts: Iterable[Script], synthesiser: Synthesiser, done: Callable[[str], bool]
) -> Iterator[tuple[str, Path]]:
    """Every turn as ``<script>/<turn>`` and a recording of it, which is gone when the next is asked for.

    Args:
        done: whether a turn of this name needs no recording any more.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "turn.wav"
        for script in scripts:
            for i, turn in enumerate(script.turns):
                name = f"{script.id}/{i}"
                if not done(name):
                    synthesiser.say(
                        turn.text, turn.speaker, script.characters[turn.speaker].voice or None, path
                    )
                    yield name, path


def write_codes(model: SpeechTokenizer, recordings: Iterable[tuple[str, Path]], out: Path) -> Written:
    """For each recording ``<name>.npz`` in ``out``: ``codes`` (L, Q) int16, ``voice`` (its statistics), and
    ``about``, JSON with the number of ``codes`` that there are, codes a second and the length in seconds. Files that
    are there are kept.

    Args:
        recordings: names (they may have folders) and sound files.

    Raises:
        BadInput: a name leads out of the folder.
        JobFailed: the folder cannot be written.
    """
    files, broken = [], []
    for name, path in recordings:
        target = out / f"{name}.npz"
        if not target.resolve().is_relative_to(out.resolve()):
            raise BadInput(f"{name} leads out of the folder.", field="out")
        if not target.exists():
            try:
                features = speech_features(path)
            except BadInput as error:
                broken.append((path, error.message))
                continue
            codes, voice = model.codes(features)
            about = {
                "codes": model.config.tokenizer.codes,
                "codes_per_second": FPS / model.stride,
                "seconds": round(features.seconds, 3),
            }
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary = target.with_suffix(".tmp.npz")
                np.savez(
                    temporary, codes=codes.astype(np.int16), voice=voice, about=np.array(json.dumps(about))
                )
                temporary.replace(target)
            except OSError as error:
                raise JobFailed(f"{target} cannot be written: {error.strerror}.", field="out") from error
        files.append(target)
    return Written(files, broken)
