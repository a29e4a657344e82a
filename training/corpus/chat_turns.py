"""Turns of multimodal scripts with the motion of both bodies as codes: what stage 3 learns from and is measured on."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...backend.dialogue.emotions import EMOTIONS, style_of
from ...backend.errors import BadInput
from ...backend.motion.features import FPS
from ..data.captions import mirror_caption
from ..data.multimodal.script import Performed, Script, Turn, read_scripts
from ..stages.latents import Latents
from .dataset import Corpus, Motion

Codes = dict[str, np.ndarray]
"""``{part: (L,)}`` first-level codes of latent frames."""
LEAST = 3
"""Latent frames of a motion that is worth learning."""


@dataclass(frozen=True)
class Exchange:
    """One turn of a script to be answered: who speaks in it is the answering character."""

    script: Script
    index: int

    @property
    def turn(self) -> Turn:
        return self.script.turns[self.index]

    def history(self, longest: int) -> list[Turn]:
        """At most so many turns before it, the oldest first."""
        return self.script.turns[max(self.index - longest, 0) : self.index]

    def persona(self, character: int) -> str:
        """Who a character is, in words; empty where the script does not say."""
        found = self.script.characters[character]
        return ", ".join(text for text in (found.role, found.personality) if text)

    @property
    def texts(self) -> list[str]:
        """Everything in it that is embedded: what is said, what is done, who they are."""
        turn = self.turn
        return [turn.text, turn.motion.text, *filter(None, map(self.persona, (0, 1)))]


def exchanges(path: Path, split: str = "") -> list[Exchange]:
    """The turns of all scripts of a file or folder, or of those of one split.

    Raises:
        BadInput: there are none, or the file holds something else.
    """
    found = [
        Exchange(script, i)
        for script in read_scripts(path)
        if not split or script.split == split
        for i in range(len(script.turns))
    ]
    if not found:
        raise BadInput(
            f"{path} holds no script{f' of the split {split}' if split else ''}.",
            hint="Make some with understudy-train multimodal scripts.",
            field="scripts",
        )
    return found


def emotion_index(emotion: str, emotions: Sequence[str] = EMOTIONS) -> int:
    """Which of the emotions that a model knows is nearest to one in words; the first where nothing is known."""
    if emotion in emotions:
        return emotions.index(emotion)
    style = style_of((emotion,))
    known = [(i, style_of((name,))) for i, name in enumerate(emotions)]
    apart = {i: sum((style[k] - s[k]) ** 2 for k in style) for i, s in known if s and style}
    return min(apart, key=lambda i: apart[i]) if apart else 0


def mirrors(performed: Performed | None) -> bool:
    """Whether the mirror image of a motion is told in the same words."""
    return performed is None or mirror_caption(performed.text) == performed.text


class Voices:
    """How turns sound, as codes of a speech tokenizer: ``<script>/<turn>.npz`` of a folder, as ``understudy-train
    speech-codes`` writes them.

    Attributes:
        size: codes of the first level, which alone conversations hold.

    Raises:
        BadInput: the folder holds none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        first = next(iter(sorted(folder.glob("*/*.npz"))), None)
        if first is None:
            raise BadInput(
                f"{folder} holds no codes of speech.",
                hint="Write them with understudy-train speech-codes --scripts.",
                field="speech",
            )
        self.size = int(json.loads(str(self._read(first)["about"]))["codes"])
        self._known: dict[tuple[str, int], np.ndarray] = {}

    def codes(self, script: Script, index: int) -> np.ndarray:
        """First-level codes (L,) of a turn; none where it is not heard.

        Raises:
            BadInput: the file is of another tokenizer, or damaged.
        """
        key = script.id, index
        if key not in self._known:
            path = self.folder / script.id / f"{index}.npz"
            found = (
                np.asarray(self._read(path)["codes"], np.int64)
                if path.is_file()
                else np.zeros((0, 1), np.int64)
            )
            if found.size and not 0 <= found[:, 0].max() < self.size:
                raise BadInput(f"{path} holds codes of another speech tokenizer.", field="speech")
            self._known[key] = found[:, 0]
        return self._known[key]

    @staticmethod
    def _read(path: Path) -> dict[str, np.ndarray]:
        try:
            with np.load(path, allow_pickle=False) as kept:
                return {name: kept[name] for name in ("codes", "about")}
        except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise BadInput(f"{path} holds no codes of speech.", field="speech") from error


class Performances:
    """The motion that scripts name, as codes.

    Args:
        corpus: of the store that the scripts were made of.
        latents: its motions, encoded.
    """

    def __init__(self, corpus: Corpus, latents: Latents) -> None:
        self.latents = latents
        self._motions: dict[tuple[str, bool], Motion] = {}
        for segment in corpus.segments:
            motion = segment.motion
            if not motion.name.endswith("--long") and "--x" not in motion.name:
                self._motions[f"{motion.dataset}/{motion.name}", motion.mirrored] = motion

    def missing(self, scripts: Iterable[Script]) -> set[str]:
        """Clips that scripts name and the store does not hold."""
        return {clip for s in scripts for clip in s.clips() if (clip, False) not in self._motions}

    def frames(
        self, performed: Performed | None, *, mirrored: bool = False
    ) -> tuple[Motion, int, int] | None:
        """The motion of a clip and the frames (half-open) of it that are performed; ``None`` without a clip."""
        motion = self._motions.get((performed.clip or "", mirrored)) if performed is not None else None
        if motion is None or performed is None:
            return None
        stop = len(motion) if performed.end is None else min(round(performed.end * FPS), len(motion))
        return motion, round(performed.start * FPS), stop

    def codes(
        self,
        performed: Performed | None,
        longest: int,
        rng: np.random.Generator | None = None,
        *,
        mirrored: bool = False,
    ) -> Codes:
        """What a body does as at most ``longest`` latent frames; nothing where it does nothing that is known.

        Args:
            rng: draws the frame that the coding begins with; without it, the first is taken.
        """
        found = self.frames(performed, mirrored=mirrored)
        if found is None:
            return {}
        motion, start, stop = found
        stride = self.latents.stride
        phase = 0 if rng is None else int(rng.choice(self.latents.phases))
        encoded = self.latents.encoded(motion, phase)
        if encoded is None:
            return {}
        first = max(-(-(start - phase) // stride), 0)
        last = min((stop - phase) // stride, first + longest)
        codes = {part: rows[first:last] for part, rows in encoded.codes.items()}
        return codes if codes and len(next(iter(codes.values()))) >= LEAST else {}
