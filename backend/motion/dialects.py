"""From the keys of an ``.npz`` file to a :class:`Clip` and back, for every dialect of the SMPL family.

What differs between dialects, and what is decided here:

- **Up axis.** AMASS is Z up, the SMPL-X add-on and BEAT2 are Y up, and nothing in the numbers says so. Keys
  decide where only one dialect has them; otherwise the data do: a person is upright most of the time.
- **Origin.** A pelvis stands at J0 + trans, and J0 (the rest pelvis) belongs to the body model: turning the
  world by C means ``trans' = C (J0 + trans) - J0``, and SMPL+H has another J0 than SMPL-X.
- **Frame rate.** ``mocap_framerate``, ``mocap_frame_rate``, ``fps`` and more spellings; text or number.
- **Hands.** AMASS and BEAT2 store absolute rotations. A file that is relative to the relaxed hand mean needs
  that mean *added* as a vector, never composed (vchoutas/smplx issue 208).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..errors import BadInput
from . import keys, rotations
from .archive import Archive
from .clip import Clip
from .skeleton import J0, NUM_EXPRESSIONS, NUM_JOINTS, PARTS

VERSION = 1
"""Version of the JSON string ``understudy``."""

SMPLH_J0 = np.array([-0.0018, -0.2233, 0.0282])
"""(3,) metres: the neutral rest pelvis of SMPL and SMPL+H, which lies higher than that of SMPL-X."""

Z_UP = rotations.axis_angle_to_matrix(np.array([np.pi / 2, 0.0, 0.0])).round()
"""(3, 3) our world (Y up) to AMASS's (Z up): (x, y, z) becomes (x, -z, y)."""

# --------------------------------------------------------------------------------------- writing


def to_amass(clip: Clip) -> dict[str, np.ndarray]:
    """The keys of an AMASS SMPL-X file (Z up), float32, plus ours."""
    poses, trans = turn_world(clip.poses, clip.trans, Z_UP)
    flat = _float32(poses.reshape(len(clip), -1), "poses")
    return {
        "poses": flat,
        "trans": _float32(trans, "trans"),
        "betas": _float32(clip.betas, "betas"),
        "num_betas": np.array(len(clip.betas)),
        "gender": np.array(clip.gender),
        "surface_model_type": np.array("smplx"),
        "mocap_frame_rate": np.array(float(clip.fps)),
        "mocap_time_length": np.array(clip.seconds),
        "root_orient": flat[:, :3],
        "pose_body": flat[:, 3:66],
        "pose_hand": flat[:, 75:165],
        "pose_jaw": flat[:, 66:69],
        "pose_eye": flat[:, 69:75],
        **_own_keys(clip, up="z"),
    }


def to_smplx(clip: Clip) -> dict[str, np.ndarray]:
    """The keys of the SMPL-X Blender add-on and of BEAT2 (Y up): 300 betas, ``model``; plus ours."""
    betas = np.zeros(max(300, len(clip.betas)))
    betas[: len(clip.betas)] = clip.betas
    # A whole rate is written as an integer, as BEAT2 does: some loaders use it as an index step.
    whole = float(clip.fps).is_integer()
    return {
        "betas": _float32(betas, "betas"),
        "poses": _float32(clip.poses.reshape(len(clip), -1), "poses"),
        "trans": _float32(clip.trans, "trans"),
        "model": np.array("smplx2020"),
        "gender": np.array(clip.gender),
        "mocap_frame_rate": np.array(int(clip.fps) if whole else float(clip.fps)),
        **_own_keys(clip, up="y"),
    }


def _own_keys(clip: Clip, up: str) -> dict[str, np.ndarray]:
    frames = len(clip)
    expressions = np.zeros((frames, NUM_EXPRESSIONS)) if clip.expressions is None else clip.expressions
    contacts = np.zeros((frames, 4)) if clip.contacts is None else clip.contacts
    about = {
        "version": VERSION,
        "up": up,
        "fps": float(clip.fps),
        "known": {part: bool(clip.known.get(part, True)) for part in PARTS},
        "num_betas": len(clip.betas),
        "expressions": clip.expressions is not None,
        "contacts": clip.contacts is not None,
        "meta": clip.meta,
    }
    text = json.dumps(about, sort_keys=True, ensure_ascii=False, default=_plain)
    return {
        "expressions": _float32(expressions, "expressions"),
        "contacts": _float32(contacts, "contacts"),
        "understudy": np.array(text),
    }


def _plain(value: Any) -> Any:
    """JSON for what meta may hold besides plain values: numpy numbers and arrays, paths, the rest as text."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    return str(value)


def _float32(values: np.ndarray, key: str) -> np.ndarray:
    array = np.ascontiguousarray(values, dtype=np.float32)
    if not np.isfinite(array).all():
        raise BadInput(f"The clip cannot be written: {key} holds numbers that are not finite.", field=key)
    return array


def turn_world(poses: np.ndarray, trans: np.ndarray, turn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rotate poses (T, 55, 3) and trans (T, 3) about the world's origin; the pelvis is at ``J0 + trans``."""
    turned = np.array(poses, dtype=np.float64)
    root = turn @ rotations.axis_angle_to_matrix(turned[:, 0])
    turned[:, 0] = rotations.matrix_to_axis_angle(root)
    return turned, (trans + J0) @ turn.T - J0


# --------------------------------------------------------------------------------------- reading


def to_clip(
    archive: Archive, *, dialect: str = "auto", fps: float | None = None, hands_mean: np.ndarray | None = None
) -> Clip:
    """A clip from the arrays of one file; arguments and errors as :func:`~.npz.read_clip`."""
    if dialect not in ("auto", "amass", "smplh", "smplx"):
        raise BadInput(f"Unknown dialect {dialect!r}: use auto, amass, smplh or smplx.", field="dialect")
    own = _own_facts(archive)
    notes: list[str] = []

    poses, joints = keys.read_poses(archive, notes)
    frames = len(poses)
    trans = keys.read_trans(archive, frames)
    rate = (
        keys.check_fps(archive.name, fps) if fps is not None else keys.read_fps(archive, frames, own, notes)
    )
    if own is None:
        _add_hand_mean(archive, poses, hands_mean)
    expressions = keys.read_expressions(archive, frames)
    betas = keys.read_betas(archive)
    contacts = keys.read_contacts(archive, frames)

    smplh = dialect == "smplh" or (
        dialect == "auto" and joints != NUM_JOINTS and _names_smplh(archive, joints)
    )
    if own is not None:
        up = own["up"]
    elif dialect != "auto":
        up = "y" if dialect == "smplx" else "z"
    else:
        up = _find_up(archive, joints, poses)
    if smplh:
        trans = trans + (SMPLH_J0 - J0)
    if up == "z":
        poses, trans = turn_world(poses, trans, Z_UP.T)

    if own is not None:
        expressions = expressions if own.get("expressions", True) else None
        contacts = contacts if own.get("contacts", True) else None
        betas = betas[: own.get("num_betas", len(betas))]
        known = {part: bool(own.get("known", {}).get(part, True)) for part in PARTS}
        meta = dict(own.get("meta", {}))
    else:
        known = _what_is_known(poses, expressions)
        meta = {"source": archive.name.replace("\\", "/").rsplit("/", 1)[-1], "source_fps": rate}
        if notes:
            meta["notes"] = notes
    return Clip(
        poses=poses, trans=trans, fps=rate, betas=betas, expressions=expressions, contacts=contacts,
        gender=keys.read_gender(archive), known=known, meta=meta,
    )  # fmt: skip


def _own_facts(archive: Archive) -> dict[str, Any] | None:
    """The JSON string of a file of ours, or None for a foreign file."""
    text = keys.read_text(archive, "understudy")
    if text is None:
        return None
    try:
        facts = json.loads(text)
        version = facts["version"]
        kinds = {"version": int, "meta": dict, "known": dict, "num_betas": int}
        valid = facts["up"] in ("y", "z")
        valid &= all(isinstance(facts[key], kind) for key, kind in kinds.items() if key in facts)
    except (ValueError, KeyError, TypeError):
        valid = False
    if not valid:
        raise BadInput(
            f"{archive.name}: the key understudy is not the JSON text it should be.", field="understudy"
        )
    if version > VERSION:
        raise BadInput(
            f"{archive.name} was written by a newer version (file version {version}, known up to {VERSION}).",
            hint="Update Understudy.",
            field="understudy",
        )
    return facts


def _add_hand_mean(archive: Archive, poses: np.ndarray, mean: np.ndarray | None) -> None:
    """Make relaxed hands absolute, in place: ``flat = relaxed + mean``, as vectors."""
    flat = True
    if "flat_hand_mean" in archive:
        flat = bool(keys.read_numbers(archive, "flat_hand_mean").reshape(-1)[:1].all())
    if mean is None and flat:
        return
    if mean is None and "hands_mean" in archive:
        mean = keys.read_numbers(archive, "hands_mean")
    elif mean is None and "hands_meanl" in archive and "hands_meanr" in archive:
        mean = np.concatenate([keys.read_numbers(archive, f"hands_mean{side}").reshape(-1) for side in "lr"])
    if mean is None:
        raise BadInput(
            f"{archive.name}: the hands are relative to a relaxed hand (flat_hand_mean is false) and the key "
            "hands_mean is missing.",
            field="hands_mean",
        )
    mean = np.asarray(mean, dtype=np.float64)
    if mean.size != 90:
        raise BadInput(
            f"{archive.name}: hands_mean has the shape {mean.shape}; expected (90,).", field="hands_mean"
        )
    poses[:, 25:] += mean.reshape(30, 3)


def _names_smplh(archive: Archive, joints: int) -> bool:
    """Whether the body model is SMPL or SMPL+H (their rest pelvis differs from SMPL-X's)."""
    model = (keys.read_text(archive, "surface_model_type") or keys.read_text(archive, "model") or "").lower()
    if model:
        return "smplx" not in model
    return joints in (24, 52)


def _find_up(archive: Archive, joints: int, poses: np.ndarray) -> str:
    """``y`` or ``z``: by keys that only one dialect has, else by the data."""
    for key in ("up_axis", "up"):
        text = (keys.read_text(archive, key) or "").strip().lower().removeprefix("+")
        if text in ("y", "z"):
            return text
    if "model" in archive:  # BEAT2 and the SMPL-X add-on
        return "y"
    if any(key in archive for key in ("surface_model_type", "dmpls", "marker_data", "markers_latent")):
        return "z"
    if joints == 52 and "mocap_framerate" in archive:
        return "z"
    # The body's long axis in the world, over the clip: a person is upright most of the time.
    upright = rotations.axis_angle_to_matrix(poses[:, 0])[:, :, 1].mean(axis=0)
    if abs(upright[1] - upright[2]) > 0.2:
        return "y" if upright[1] > upright[2] else "z"
    return "z" if keys.first_key(archive, ("mocap_frame_rate", "mocap_framerate")) else "y"


def _what_is_known(poses: np.ndarray, expressions: np.ndarray | None) -> dict[str, bool]:
    """What a foreign file really contains: hands that never move were never captured (AMASS fills in a mean)."""

    def moves(values: np.ndarray) -> bool:
        return bool(np.ptp(values, axis=0).max() > 1e-3) if len(values) > 1 else bool(values.any())

    face = moves(poses[:, 22:25]) or (expressions is not None and moves(expressions))
    return {"lower_trans": True, "upper": True, "hands": moves(poses[:, 25:]), "face": face}
