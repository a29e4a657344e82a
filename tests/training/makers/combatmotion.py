"""Small files of CombatMotion with the faults of its releases."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import humanml3d
from .humanml3d import line, write

CHINESE = "The character performs the '忍义手' pose, quickly."


def make(root: Path) -> Path:
    """Two releases, ``CMP`` and ``soul_v1``, under one folder.

    CMP: CMP000001 sound with three captions, one of them twice; CMP000002 features of one frame; CMP000003
    features shorter than the joints; CMP000004 joints of one pose and features of one frame; CMP000005
    tokens without part of speech, characters outside ASCII, a line without tokens and times.
    soul_v1: ids that are words, one begins with M; a mirror image; statistics of the wrong length.
    """
    home = root / "CombatMotion"
    joints, vectors = humanml3d.positions(40), humanml3d.features(40)
    cmp = home / "CMP"
    three = line("a fighter strikes", "a/DET fighter/NOUN strike/VERB") * 2 + line(
        "a heavy strike", "a/DET heavy/ADJ strike/NOUN"
    )
    write(
        cmp, "CMP000001", joints, vectors, three + line("a fighter slashes with a sword, slow", "slash/VERB")
    )
    write(cmp, "CMP000002", joints, vectors[:1], line("kicks", "kick/VERB"))
    write(cmp, "CMP000003", joints, vectors[:22], line("kicks", "kick/VERB"))
    write(cmp, "CMP000004", joints[0], vectors[:1], line("kicks", "kick/VERB"))
    faulty = line(
        CHINESE, "The/DET character perform/VERB '/PUNCT 忍义手/NOUN -/PUNCT pose/NOUN quick-ly/ADV"
    )
    write(cmp, "CMP000005", joints, vectors, faulty + "he “turns” to the left\n#\n\n")
    (cmp / "train.txt").write_text("".join(f"CMP00000{i}\n" for i in range(1, 6)))
    soul = home / "soul_v1"
    write(soul, "ER000_004070", joints, vectors, line("strikes left", "strike/VERB left/ADV"))
    write(soul, "MER000_004070", humanml3d.mirrored(joints), None, None)
    write(soul, "MHW_001", joints, vectors, line("jumps", "jump/VERB"))
    np.save(soul / "Mean.npy", np.zeros(10))
    np.save(soul / "Std.npy", np.ones(10))
    (soul / "train.txt").write_text("ER000_004070.npy\r\nMER000_004070.npy\r\nMHW_001.npy\r\n")
    return home
