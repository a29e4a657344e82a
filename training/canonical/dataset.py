"""Samples as training pairs: the figure of one frame predicts the figure of the next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from torch.utils.data import IterableDataset

from . import files


class StickFigureDataset(IterableDataset[dict[str, Any]]):
    """The training pairs of ``train_data.pt``, or of its shards, read one shard at a time.

    Every actor of a scene is a pair of its own. Keys: ``motion`` (T - 1, 48), frames 0 to T - 2;
    ``target`` (T - 1, 48), frames 1 to T - 1; ``actions`` (T - 1,), ``physics`` (T - 1, 6) and ``camera``
    (T - 1, 3) of the frames in ``motion``; ``embedding`` (D,), ``description``, ``source``,
    ``enhanced_meta``. Held frames at the end of padded samples are left out.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for sample in files.iter_samples(self.path):
            end = (sample.get("meta") or {}).get("frames") or len(sample["motion"])
            motion, actions, physics = (sample[key][:end] for key in ("motion", "actions", "physics"))
            scene = motion.ndim == 3
            for actor in range(motion.shape[1] if scene else 1):
                of_actor = (slice(None), actor) if scene else (slice(None),)
                yield {
                    "motion": motion[of_actor][:-1],
                    "target": motion[of_actor][1:],
                    "actions": actions[of_actor][:-1],
                    "physics": physics[of_actor][:-1],
                    "camera": sample["camera"][: end - 1],
                    **{
                        key: sample[key]
                        for key in ("embedding", "description", "source", "enhanced_meta")
                        if key in sample
                    },
                }
