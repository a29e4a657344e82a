"""From a screenplay to a dialogue that is acted and heard: the one way for the command line and the server."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import BadInput
from ..protocol.dialogue import DISTANCE, DialogueParams
from .acting import Acted, act
from .doing import doings_of, pauses_of, timed
from .fountain import Screenplay, parse
from .lines import screenplay_of
from .turns import RATE, Turn, mixed, plan_turns, tracks
from .voices import find_synthesiser, spoken

if TYPE_CHECKING:
    from ..pipeline import Pipeline

Report = Callable[[str, int, int], None]
"""Called with (stage, steps done, steps expected) while the work goes on; it may raise to cancel."""


@dataclass(frozen=True)
class Asked:
    """A dialogue as it is asked for.

    Attributes:
        screenplay: who says what.
        recordings: by the number of the speech; the others are synthesised.
        voices: of the synthesiser, by speaker.
        language: of the synthesised voices.
        seed: the same seed gives the same scene.
        distance: metres between the two.
        touches: whether handshakes, high fives and hugs are performed.
        library: clips that the bodies are retrieved from; None for bodies that the pack makes.
    """

    screenplay: Screenplay
    recordings: Mapping[int, Path] = field(default_factory=dict)
    voices: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"
    seed: int = 0
    distance: float = 1.4
    touches: bool = True
    library: Path | None = None


@dataclass(frozen=True)
class Made:
    """A dialogue that was made: when who speaks, each speaker's track (2, N) at :data:`.turns.RATE`, both bodies."""

    turns: list[Turn]
    whole: np.ndarray
    acted: Acted

    def sound(self) -> bytes:
        """Everything that is heard, a WAV file."""
        import soundfile

        buffer = io.BytesIO()
        soundfile.write(buffer, mixed(self.whole), RATE, subtype="PCM_16", format="WAV")
        return buffer.getvalue()


def asked_of(params: DialogueParams) -> Asked:
    """A request of the protocol.

    Raises:
        BadInput: its screenplay cannot be followed, or a recording is not there.
    """
    recordings: dict[int, Path] = {}
    if params.script is not None:
        screenplay = parse(params.script)
    else:
        screenplay, recordings = screenplay_of(params.lines or ())
    return Asked(
        screenplay,
        recordings,
        {" ".join(name.split()).upper(): voice for name, voice in params.voices.items()},
        params.language,
        params.seed,
        params.distance,
        params.touches,
        Path(params.library) if params.by == "retrieval" and params.library is not None else None,
    )


def check(asked: Asked) -> None:
    """Refuse what can be told before any work.

    Raises:
        BadInput: there are not two speakers, the distance is no personal one, or a recording or a voice belongs
            to nobody.
    """
    speakers, count = asked.screenplay.speakers, len(asked.screenplay.speeches)
    if len(speakers) != 2:
        raise BadInput(
            f"A dialogue needs two speakers, this one has {len(speakers)}: {', '.join(speakers[:6])}.",
            field="script",
        )
    if not DISTANCE[0] <= asked.distance <= DISTANCE[1]:
        raise BadInput(
            f"The distance must be {DISTANCE[0]:g} to {DISTANCE[1]:g} metres, not {asked.distance:g}.",
            field="distance",
        )
    unknown = sorted(number for number in asked.recordings if not 1 <= number <= count)
    if unknown:
        raise BadInput(
            f"There is a recording of speech {unknown[0]}, and the screenplay has {count}.", field="voices"
        )
    nobody = next((name for name in asked.voices if name not in speakers), None)
    if nobody is not None:
        raise BadInput(
            f"There is a voice for {nobody}, who is no speaker of this dialogue ({', '.join(speakers)}).",
            field="voices",
        )


def make(asked: Asked, load: Callable[[], Pipeline], report: Report) -> Made:
    """Let two characters say and act a screenplay.

    Args:
        asked: the dialogue.
        load: gives the pipeline of a pack, after everything is said.
        report: told of the work as it goes on.

    Raises:
        BadInput: the dialogue cannot be made as it is asked for.
        JobFailed: a synthesiser failed.
    """
    from .body import body_of, gestures_itself, motions_of
    from .retrieving import Retriever
    from .shelf import finder

    check(asked)
    screenplay = asked.screenplay
    report("voices", 0, len(screenplay.speeches))
    with tempfile.TemporaryDirectory(prefix="understudy-dialogue-") as folder:
        sounds = spoken(
            screenplay.speeches,
            screenplay.speakers,
            asked.recordings,
            find_synthesiser(asked.language),
            asked.voices,
            Path(folder),
            on_speech=lambda done: report("voices", done, len(screenplay.speeches)),
        )
    doings, left = doings_of(screenplay, touches=asked.touches)
    pauses = pauses_of(doings)
    turns = plan_turns(screenplay.speeches, [len(sound) / RATE for sound in sounds], asked.seed, pauses)
    last = pauses.get(len(screenplay.speeches) + 1, 0.0)
    whole = tracks(turns, sounds, screenplay.speakers, last)
    report("load", 0, 1)
    pipeline = load()
    body, perform = body_of(pipeline, report), motions_of(pipeline, report)
    if asked.library is not None:
        report("library", 0, 1)
        retriever = Retriever(finder(pipeline, asked.library))
        body, perform = retriever.body(body, turns, doings), retriever.perform()
    acted = act(
        turns,
        screenplay.speakers,
        whole,
        body,
        seed=asked.seed,
        distance=asked.distance,
        gestures=not gestures_itself(pipeline),
        arms=asked.library is None,
        face=pipeline.face,
        done=timed(doings, turns, pauses),
        perform=perform,
        report=report,
    )
    return Made(turns, whole, replace(acted, warnings=[*left, *acted.warnings]))
