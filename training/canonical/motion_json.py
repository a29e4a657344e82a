"""``.motion`` files: what stick-figure renderers read. JSON, schema v1 (20 numbers a frame) or v3 (48).

::

    meta      version, generator, created_at, fps, duration, total_frames, description
    skeleton  type, joint_format "xy_lines_flat", input_dim, segments
    motion    total_frames x input_dim numbers in one list
    actions   one name per frame (or none)
    physics   six numbers per frame, optional       camera    three numbers per frame, optional
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ...backend.errors import BadInput
from .actions import ACTION_TO_IDX, IDX_TO_ACTION, ActionType
from .samples import Sample
from .skeleton import DIM, DIM_V1, INDEX, SEGMENTS, SEGMENTS_V1, joints, segments, to_v1
from .style import physics as physics_of

Schema = Literal["v1", "v3"]
TYPES: dict[int, tuple[str, list[str]]] = {
    DIM_V1: ("stick_figure_5_segment", list(SEGMENTS_V1)),
    DIM: ("stick_figure_12_segment_v3", list(SEGMENTS)),
}
"""By numbers per frame: the skeleton's type and its segments."""
GENERATOR = "Understudy"
MAX_BYTES = 256 << 20


def actors_of(sample: Sample) -> int:
    return int(sample["motion"].shape[1]) if sample["motion"].ndim == 3 else 1


def to_schema(motion: np.ndarray, schema: Schema) -> np.ndarray:
    """Figures (..., 48 or 20) in a schema.

    Raises:
        BadInput: schema v3 is asked of v1 figures, which have no elbows and knees.
    """
    wanted = DIM_V1 if schema == "v1" else DIM
    if motion.shape[-1] == wanted:
        return motion
    if motion.shape[-1] == DIM and schema == "v1":
        return to_v1(motion)
    raise BadInput(
        f"Figures with {motion.shape[-1]} numbers a frame have no schema {schema}.", field="schema"
    )


def document(sample: Sample, *, schema: Schema = "v1", actor: int = 0) -> dict[str, Any]:
    """The content of a ``.motion`` file of one actor of a sample."""
    meta = sample.get("meta") or {}
    end = int(meta.get("frames") or len(sample["motion"]))

    def own(key: str) -> np.ndarray:
        values = sample[key][:end].numpy()
        return values[:, actor] if sample["motion"].ndim == 3 and key != "camera" else values

    motion = to_schema(own("motion"), schema)
    kind, segments = TYPES[motion.shape[-1]]
    fps = float(meta.get("fps") or 30.0)
    return {
        "meta": {
            "version": "1.0",
            "generator": GENERATOR,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "fps": int(fps) if fps.is_integer() else fps,
            "duration": round(end / fps, 6),
            "total_frames": end,
            "description": str(sample.get("description", "")),
        },
        "skeleton": {
            "type": kind, "joint_format": "xy_lines_flat", "input_dim": motion.shape[-1], "segments": segments,
        },
        "motion": _flat(motion),
        "actions": [IDX_TO_ACTION[index].value for index in own("actions").tolist()],
        "physics": _flat(own("physics")),
        "camera": _flat(own("camera")),
    }  # fmt: skip


def _flat(values: np.ndarray) -> list[float]:
    # Adding zero makes -0.0 plain.
    return (np.round(values.astype(np.float64), 4) + 0.0).ravel().tolist()


def write(sample: Sample, path: Path, *, schema: Schema = "v1", actor: int = 0) -> None:
    """Write one actor of a sample; the file appears whole or not at all."""
    from ...backend.motion.archive import write_bytes

    text = json.dumps(document(sample, schema=schema, actor=actor), separators=(",", ":"), ensure_ascii=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(text.encode(), path)


def read(path: Path) -> Sample:
    """A sample of a ``.motion`` file of either schema.

    Raises:
        BadInput: one sentence that says what is wrong with the file.
    """
    import torch

    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise BadInput(f"{path.name} is larger than {MAX_BYTES >> 20} MB.", field="file")
        content = json.loads(path.read_bytes())
        meta, skeleton = content["meta"], content["skeleton"]
        dim, fps = int(skeleton["input_dim"]), float(meta["fps"])
        if dim not in TYPES or TYPES[dim][0] != skeleton.get("type", TYPES[dim][0]):
            raise BadInput(
                f"{path.name} has the skeleton {skeleton.get('type')!r} with {dim} numbers a frame; "
                "known are 5 segments with 20 and 12 with 48.",
                field="file",
            )
        motion = _rows(content["motion"], dim, path, "motion")
        motion = _rejoined(motion) if dim == DIM else motion
        names = content.get("actions") or [ActionType.IDLE.value] * len(motion)
        camera, physics = content.get("camera"), content.get("physics")
    except OSError as error:
        raise BadInput(f"{path} cannot be read ({error.strerror}).", field="file") from None
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadInput(
            f"{path.name} is no .motion file ({type(error).__name__}: {error}).", field="file"
        ) from None
    if not (0 < fps < 10_000):
        raise BadInput(f"{path.name} has the frame rate {fps:g}.", field="file")
    if not isinstance(names, list) or len(names) != len(motion):
        raise BadInput(f"{path.name} has not one action per frame.", field="file")
    known = {action.value: index for action, index in ACTION_TO_IDX.items()}
    actions = [known.get(str(name).lower(), 0) for name in names]
    moves = _rows(physics, 6, path, "physics") if physics else physics_of(motion, fps)
    film = _rows(camera, 3, path, "camera") if camera else np.zeros((len(motion), 3))
    if not len(moves) == len(film) == len(motion):
        raise BadInput(
            f"{path.name} has not as many frames of physics and camera as of motion.", field="file"
        )
    description = str(meta.get("description") or "")
    return {
        "description": description,
        "all_descriptions": [description] if description else [],
        "motion": torch.from_numpy(motion.astype(np.float32)),
        "actions": torch.tensor(actions, dtype=torch.int64),
        "physics": torch.from_numpy(moves.astype(np.float32)),
        "camera": torch.from_numpy(film.astype(np.float32)),
        "source": "motion",
        "action_label": IDX_TO_ACTION[max(set(actions), key=actions.count)].value,
        "meta": {"name": path.stem, "fps": fps, "frames": len(motion), "padded_frames": 0},
        "enhanced_meta": None,
    }


ROUNDING = 1e-3
"""Figures this near to a joined one are taken for a rounded one."""


def _rejoined(motion: np.ndarray) -> np.ndarray:
    """Figures (T, 48) whose joints meet exactly: rounding moved the pelvis from midway between the hips."""
    points = joints(motion)
    points[:, INDEX["pelvis_center"]] = (points[:, INDEX["l_hip"]] + points[:, INDEX["r_hip"]]) / 2
    joined = segments(points)
    return joined if np.allclose(joined, motion, rtol=0.0, atol=ROUNDING) else motion


def _rows(values: Any, width: int, path: Path, name: str) -> np.ndarray:
    try:
        flat = np.asarray(values, dtype=np.float64)
    except (ValueError, TypeError):
        flat = np.empty(0)
    if flat.ndim != 1 or not flat.size or flat.size % width or not np.isfinite(flat).all():
        raise BadInput(
            f"{path.name}: {name} is no flat list of finite numbers, {width} a frame.", field="file"
        )
    return flat.reshape(-1, width)
