"""One sample of ``canonical.pt``: a scene of one or more actors as stick figures, with all that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.clip import Clip, resample
from ..data.item import Item
from ..data.metadata import EnhancedMetadata, Quality, Temporal
from .actions import ACTION_TO_IDX, ActionType, action_of
from .emotion import emotion
from .figures import HEIGHT, Figures, figures
from .measure import quality, subject, temporal
from .skeleton import from_clip
from .style import camera, interaction, marker_quality, motion_style, physics

Sample = dict[str, Any]
"""The keys of the schema: description, all_descriptions, motion, actions, physics, camera, source,
action_label, meta, enhanced_meta. Tensors are float32, ``actions`` int64; everything else is plain."""


@dataclass(frozen=True)
class Options:
    """How samples are made.

    Attributes:
        fps: frames per second; ``None`` keeps the store's.
        target_frames: give every sample so many frames; ``None`` keeps its own number.
        fit: how ``target_frames`` is reached. ``cut`` leaves the motion at its speed: what is longer is cut
            off and what is shorter holds its last pose. ``stretch`` plays it slower or faster; ``meta``
            then has the frame rate at which it plays at its true speed.
        view: where the viewer stands, radians; see :func:`.skeleton.project`.
        camera: ``none`` writes zeros, as the schema wants where a set has no camera; ``follow`` a camera
            that follows the figures.
        height: units from head to ankles; ``None`` keeps metres.
    """

    fps: float | None = None
    target_frames: int | None = None
    fit: Literal["cut", "stretch"] = "cut"
    view: float = 0.0
    camera: Literal["none", "follow"] = "none"
    height: float | None = HEIGHT


def make_sample(clips: Sequence[Clip], items: Sequence[Item], options: Options = Options()) -> Sample:
    """The sample of a scene.

    Args:
        clips: one per actor, in one world, starting together; the shortest decides the length.
        items: their rows, in the same order.
        options: see :class:`Options`.

    Raises:
        BadInput: fewer than two frames are left.
    """

    source_fps, clips = clips[0].fps, _timed(clips, options)
    fps = clips[0].fps
    points = np.stack([from_clip(clip) for clip in clips], axis=1)
    made = figures(points[:, 0] if len(clips) == 1 else points, view=options.view, height=options.height)
    first, captions = items[0], _captions(items)
    return {
        "description": captions[0] if captions else "",
        "all_descriptions": captions,
        **_tensors(made.motion, fps, [action_of([*item.text, *item.both_text]) for item in items], options),
        "source": first.dataset,
        "meta": {
            "name": first.motion_name,
            "actors": [item.motion_name for item in items],
            "clips": [item.path for item in items],
            "trial": first.trial,
            "split": first.split,
            "start_frame": first.start_frame,
            "end_frame": first.end_frame,
            "source_fps": float(source_fps),
            **_measures(made, fps, options),
            "caption_source": first.caption_source,
            "attribution": first.source,
            "licence": first.licence,
            "commercial": all(item.commercial for item in items),
        },
        "enhanced_meta": _metadata(made.motion, clips, items, fps).model_dump(),
    }


def sample_of_joints(
    points: np.ndarray,
    fps: float,
    *,
    name: str,
    text: Sequence[str] = (),
    source: str = "joints",
    options: Options = Options(),
) -> Sample:
    """The sample of bare joints, at their own rate.

    Args:
        points: canonical joints (T, 16, D) or (T, A, 16, D), see :func:`.skeleton.from_joints`.
        fps: frames per second.
        name: of the motion.
        text: its captions.
        source: of which data set.
        options: ``fps`` and ``fit`` are not used: what is longer than ``target_frames`` is cut.

    Raises:
        BadInput: fewer than two frames, or numbers that are not finite.
    """
    points = points[: options.target_frames]
    if len(points) < 2 or not np.isfinite(points).all():
        raise BadInput(f"{name} has fewer than two frames, or joints that are not finite.", field="file")
    made = figures(points, view=options.view, height=options.height)
    actors = points.shape[1] if points.ndim == 4 else 1
    metadata = EnhancedMetadata(
        motion_style=motion_style(made.motion, fps),
        quality=Quality(marker_quality=marker_quality(made.motion, fps)),
        emotion=emotion(made.motion, fps, text),
        interaction=interaction(made.motion),
        temporal=Temporal(
            original_fps=fps, original_duration_sec=len(points) / fps, original_num_frames=len(points)
        ),
    )
    return {
        "description": text[0] if text else "",
        "all_descriptions": list(text),
        **_tensors(made.motion, fps, [action_of(text)] * actors, options),
        "source": source,
        "meta": {"name": name, "source_fps": float(fps), **_measures(made, fps, options)},
        "enhanced_meta": metadata.model_dump(),
    }


def _tensors(motion: np.ndarray, fps: float, labels: Sequence[ActionType], options: Options) -> Sample:
    """The tensors of figures (T, 48) or (T, A, 48), held at the end where more frames are wanted."""
    import torch

    padded = _padded(len(motion), options)
    moves = physics(motion, fps)
    film = camera(motion) if options.camera == "follow" else np.zeros((len(motion), 3))
    actions = np.tile([ACTION_TO_IDX[label] for label in labels], (len(motion) + padded, 1))
    return {
        "motion": _tensor(_held(motion, padded)),
        "actions": torch.from_numpy(actions if motion.ndim == 3 else actions[:, 0].copy()),
        # The held pose neither moves nor brakes.
        "physics": _tensor(np.concatenate([moves, np.zeros((padded, *moves.shape[1:]))])),
        "camera": _tensor(_held(film, padded)),
        "action_label": labels[0].value,
    }


def _measures(made: Figures, fps: float, options: Options) -> dict[str, Any]:
    """What tells how the figures came about; ``segment_lengths`` are read by the validator."""
    return {
        "fps": float(fps),
        "frames": len(made.motion),
        "padded_frames": _padded(len(made.motion), options),
        "view_degrees": round(float(np.degrees(options.view)), 6),
        "units_per_metre": made.scale,
        "segment_lengths": made.lengths.tolist(),
    }


def _padded(frames: int, options: Options) -> int:
    return max((options.target_frames or 0) - frames, 0)


def _timed(clips: Sequence[Clip], options: Options) -> list[Clip]:
    """The clips at one rate and of one length, at most ``target_frames``."""
    fps, target = options.fps or clips[0].fps, options.target_frames
    seconds = min((len(clip) - 1) / clip.fps for clip in clips)
    if seconds <= 0:
        raise BadInput("The motion has fewer than two frames.")
    if target is not None and options.fit == "stretch":
        fps = (target - 1) / seconds
    timed = [resample(clip, fps) for clip in clips]
    frames = min(*(len(clip) for clip in timed), target or len(timed[0]))
    if frames < 2:
        raise BadInput("The motion has fewer than two frames.")
    return [clip.slice(0, frames) for clip in timed]


def _captions(items: Sequence[Item]) -> list[str]:
    """Captions of the scene before those of single actors when there are several actors, without doubles."""
    scene = [text for item in items for text in item.both_text]
    single = [text for item in items for text in item.text]
    return list(dict.fromkeys([*scene, *single] if len(items) > 1 else [*single, *scene]))


def _held(values: np.ndarray, frames: int) -> np.ndarray:
    return np.concatenate([values, np.repeat(values[-1:], frames, axis=0)])


def _tensor(values: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


def _metadata(
    motion: np.ndarray, clips: Sequence[Clip], items: Sequence[Item], fps: float
) -> EnhancedMetadata:
    """What the store knows of the items, frames counted in the sample, completed by measuring."""
    known = items[0].metadata
    for item in items[1:]:
        known = known.merged(item.metadata)
    style = motion_style(motion, fps)
    measures = quality(clips[0], motion).model_dump(exclude_none=True)
    trust = Quality(**{**(known.quality.model_dump() if known.quality else {}), **measures})
    # Style and quality are those of the frames in the sample, which may be fewer than the store's.
    changes: dict[str, Any] = {"motion_style": style, "quality": trust}
    if len(items) > 1:
        texts = [text for item in items for text in (*item.both_text, *item.text)]
        changes |= {
            "subject": None,  # two performers have no common height
            "emotion": emotion(motion, fps, texts),
        }
    else:
        known = known.merged(
            EnhancedMetadata(
                subject=subject(clips[0]),
                temporal=temporal(clips[0]),
                emotion=emotion(motion, fps, items[0].text),
            )
        )
    counted = _counted(known.model_copy(update=changes), items[0], len(motion), fps)
    # Contacts seen in the picture, where the store did not find them in space.
    return counted.merged(EnhancedMetadata(interaction=interaction(motion)))


def _counted(known: EnhancedMetadata, item: Item, frames: int, fps: float) -> EnhancedMetadata:
    """Beats and contacts as frames of the sample: the store counts frames of the whole clip."""

    def moved(counted: list[int] | None) -> list[int] | None:
        if counted is None:
            return None
        times = {round((frame - item.start_frame) / item.fps * fps) for frame in counted}
        return sorted(frame for frame in times if 0 <= frame < frames)

    music, contact = known.music, known.interaction
    if music is not None:
        music = music.model_copy(update={"beat_frames": moved(music.beat_frames)})
    if contact is not None:
        contact = contact.model_copy(update={"contact_frames": moved(contact.contact_frames)})
    return known.model_copy(update={"music": music, "interaction": contact})
