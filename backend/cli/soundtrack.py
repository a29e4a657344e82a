"""The sound of a film: any recording that the backend can read, as a plain WAV that every Blender can.

Blender's own decoder ends the whole process on some damaged files, so it never sees the original.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import BadInput, UnderstudyError


def soundtrack(source: Path, out: Path, seconds: float) -> None:
    """Write the first ``seconds`` of a recording as a 16-bit WAV.

    Its own rate and channels are kept where libsndfile reads it; else (m4a, films) it is 16 kHz mono.

    Raises:
        BadInput: the file is not there or not a recording.
    """
    import soundfile

    from ..speech.audio import RATE, read_blocks

    if not source.is_file():
        raise BadInput(f"There is no sound file {source}.", field="audio")
    try:
        with soundfile.SoundFile(source) as sound:
            samples = sound.read(round(seconds * sound.samplerate), dtype="float32", always_2d=True)[:, :2]
            rate = sound.samplerate
    except (soundfile.SoundFileError, OSError, ValueError):
        try:
            samples = np.concatenate(list(read_blocks(source)[1]) or [np.zeros(1, np.float32)])
        except UnderstudyError as error:
            raise BadInput(error.message, hint=error.hint, field="audio") from error
        samples, rate = samples[: round(seconds * RATE), None], RATE
    soundfile.write(out, np.nan_to_num(samples).clip(-1.0, 1.0), rate, subtype="PCM_16", format="WAV")
