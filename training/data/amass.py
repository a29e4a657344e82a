"""AMASS (Mahmood et al., ICCV 2019) in both of its body models, with true frame rates and one clip a sequence.

Licence: Max Planck Institute, non-commercial research only, no redistribution, no commercial training.
Where a sequence is there as SMPL-X and as SMPL+H, the SMPL-X file is converted and the SMPL+H file gives
the frame rate. Splits are VPoser's (nghorbani/human_body_prior). No captions: see the sets ``babel`` and
``humanml3d_amass``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import dialects, keys
from ...backend.motion.archive import Archive
from ...backend.motion.clip import Clip, resample
from ..formats.source import frame_picks
from . import amass_fps
from .amass_files import AmassFiles, AmassSequence, model_of
from .amass_fps import Rate
from .babel_files import durations
from .item import Item, Split
from .job import FPS, Converted, Job
from .metadata import EnhancedMetadata, Subject
from .raw import Raw
from .smpl_floor import stand

LICENCE = "AMASS: MPI non-commercial research licence, no redistribution"
MARKS = ("**/*_poses.npz", "**/*_stageii.npz")
"""What a folder with AMASS files has."""

_VAL = frozenset({"HumanEva", "HDM05", "SFU", "MoSh"})
_TEST = frozenset({"Transitions", "SSM"})


def split_of(subset: str) -> Split:
    """VPoser's split of a subset; subsets that VPoser does not use are for training."""
    return "val" if subset in _VAL else "test" if subset in _TEST else "train"


def attribution(subset: str) -> str:
    return f"AMASS, Mahmood et al., ICCV 2019; subset {subset}"


def jobs(raw: Raw) -> Iterator[Job]:
    """One job per file, SMPL+H twins and shape files included (they are left out, by name)."""
    files = AmassFiles(raw.home("amass", *MARKS))
    seconds = durations(raw)
    for key, sequence in files.sequences.items():
        item = Item(
            dataset="amass", motion_name=sequence.name, split=split_of(sequence.subset), kind="whole",
            trial=sequence.name, source=attribution(sequence.subset), licence=LICENCE, commercial=False, actor="Null",
        )  # fmt: skip
        rates = arguments_of(sequence, files.root)
        arguments = rates | {"seconds": seconds.get(key)}
        yield Job("amass", sequence.name, convert, sequence.best, arguments, [item])
        for number, copy in enumerate(sequence.files[1:], 1):
            model = {"smplh": "SMPL+H", "smplx": "SMPL-X"}[model_of(copy.relative_to(files.root))]  # type: ignore[arg-type]
            why = f"The {model} copy of a sequence that is converted from {sequence.best.name}."
            yield Job("amass", f"{sequence.name}.copy{number}", read_copy, copy, rates, left_out=why)
    for path in files.others:
        name = path.relative_to(files.root).with_suffix("").as_posix()
        yield Job("amass", name, _no_motion, path)


def arguments_of(sequence: AmassSequence, root: Path) -> dict[str, Any]:
    """The arguments of :func:`read_amass` for a sequence."""
    listed = amass_fps.listed_rate(sequence.name)
    return {
        "twin": sequence.twin(root),
        "listed": (listed.fps, listed.source) if listed else None,
    }


def read_amass(
    path: Path,
    *,
    twin: Path | None = None,
    listed: tuple[float, str] | None = None,
    seconds: float | None = None,
) -> tuple[Clip, EnhancedMetadata]:
    """An AMASS file as it is, at its true frame rate, Y up, hands absolute; not yet on the floor.

    ``betas`` are SMPL-X's or zero; those of SMPL+H are in ``meta["betas_smplh"]``.

    Args:
        path: SMPL+H or SMPL-X; the keys tell, not the name.
        twin: the SMPL+H file of an SMPL-X file.
        listed: rate and source of :func:`.amass_fps.listed_rate`.
        seconds: BABEL's duration.

    Raises:
        BadInput: the file is damaged, is no motion, or its frame rate cannot be found.
    """
    with Archive(path) as opened:
        smplx = _is_smplx(opened)
        tagged = keys.first_key(opened, keys.FPS_KEYS) is not None
        clip = dialects.to_clip(opened, dialect="amass" if smplx else "smplh", fps=None if tagged else FPS)
    rate = amass_fps.true_rate(
        path.name,
        len(clip),
        tagged=clip.fps if tagged else None,
        smplx=smplx,
        twin=twin,
        listed=Rate(*listed) if listed else None,
        seconds=seconds,
    )
    meta: dict[str, Any] = {
        "model": "smplx" if smplx else "smplh",
        "original_fps": rate.fps,
        "original_frames": len(clip),
        "fps_source": rate.source,
        **({"fps_in_file": clip.fps} if tagged and clip.fps != rate.fps else {}),
    }
    metadata = EnhancedMetadata(subject=_subject(clip, smplx))
    if not smplx:
        # The shape spaces differ: SMPL+H's numbers would give an SMPL-X body another build.
        meta["betas_smplh"] = [round(float(beta), 6) for beta in clip.betas]
        clip = clip.replace(betas=np.zeros_like(clip.betas))
    return clip.replace(fps=rate.fps, meta=meta), metadata


def _is_smplx(opened: Archive) -> bool:
    """Whether the file is of the SMPL-X release."""
    named = keys.read_text(opened, "surface_model_type")
    if named:
        return "smplx" in named.lower().replace("-", "")
    if "dmpls" in opened:
        return False
    return "pose_jaw" in opened or "poses" not in opened or opened.read("poses").shape[-1] == 165


def _subject(clip: Clip, smplx: bool) -> Subject:
    """Height from the first shape parameter (10 cm a unit in SMPL+H, 8 in SMPL-X), and the gender."""
    gender = clip.gender if clip.gender in ("female", "male") else None
    shaped = len(clip.betas) > 0 and bool(clip.betas.any())
    height = 170.0 + (8.0 if smplx else 10.0) * float(clip.betas[0]) if shaped else None
    return Subject(height_cm=round(height, 1) if height and height > 0 else None, gender=gender)  # type: ignore[arg-type]


def convert(path: Path, **arguments: Any) -> Converted:
    """The sequence at the store's frame rate, on the floor; arguments as :func:`read_amass`."""
    clip, metadata = read_amass(path, **arguments)
    return Converted(stand(resample(clip, FPS)), metadata)


def read_copy(path: Path, **arguments: Any) -> Clip:
    """A copy that is left out, read all the same: its faults are named and its hours counted.

    Arguments as :func:`read_amass`. Nobody looks at the motion, so the nearest frames will do.
    """
    clip, _ = read_amass(path, **arguments)
    rows = np.round(frame_picks(len(clip), clip.fps, FPS)).astype(int)
    return Clip(poses=clip.poses[rows], trans=clip.trans[rows], fps=FPS)


def _no_motion(path: Path) -> Clip:
    raise BadInput(f"{path.name} holds the shape of a subject, no motion.")
