"""Two people of one recording: one world, one floor, one clock; when they touch, and who leads.

What belongs to both is decided for both: the up axis, the shift to the floor, the length. Their distance and
the way they face each other are those of the recording.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from ...backend.motion import rotations as rot
from ...backend.motion.clip import Clip, move, resample, rotate_world
from ...backend.motion.dialects import Z_UP
from ...backend.motion.skeleton import INDEX, NUM_BODY_JOINTS, PARENTS
from ..canonical.style import ROLE_RATIO
from .item import Item
from .job import FPS
from .metadata import Interaction
from .smpl_floor import floor_of

Role = Literal["leader", "follower", "symmetric"]

CLEARLY = 0.2
"""Difference between the mean uprightness along two axes that tells them apart."""
SAME_FLOOR = 0.10
"""Metres: floors of two people that differ by more are not both floors; one is carried, or sits."""
TOUCH = 0.03
"""Metres between the skins at which people touch: our body is not quite theirs."""
REACH = 3.0
"""Metres between two pelves beyond which nobody touches: two people with their arms stretched out are not longer."""
CHUNK = 256
"""Frames whose distances are held in memory together."""

_RADII: dict[str, float] = {
    "spine1": 0.11, "spine2": 0.11, "spine3": 0.11, "neck": 0.09, "head": 0.06, "left_hip": 0.09, "left_knee": 0.07,
    "left_ankle": 0.05, "left_foot": 0.04, "left_collar": 0.07, "left_shoulder": 0.06, "left_elbow": 0.045,
    "left_wrist": 0.035,
}  # fmt: skip
"""Metres: half the thickness of the flesh around the bone that ends in a joint; the right is as the left."""
_FINGERS = tuple(
    f"{side}_{finger}3" for side in ("left", "right") for finger in ("index", "middle", "pinky", "thumb")
)
_FINGER_RADIUS = 0.015
_HEAD_RADIUS = 0.10


def staged(people: Sequence[Clip], *, expected_up: Literal["y", "z"]) -> list[Clip]:
    """Clips at the store's rate and of one length, in one world with Y up and the floor at y = 0.

    Args:
        people: as read, all of one frame rate; their world's up axis is found, not assumed.
        expected_up: of the source, where the motion does not tell (both lie on the floor).

    Returns:
        The clips; ``meta`` has ``floor``, what was shifted (metres), ``source_up``, ``original_fps``,
        ``original_frames`` and, where one was longer, a note.
    """
    shortest, fps = min(len(clip) for clip in people), people[0].fps
    up = up_axis(people, expected_up)
    placed = []
    for clip in people:
        meta: dict[str, Any] = {
            **clip.meta,
            "original_fps": fps,
            "original_frames": len(clip),
            "source_up": up,
        }
        if len(clip) > shortest:
            note = f"It was cut from {len(clip)} to the partner's {shortest} frames."
            meta["notes"] = [*meta.get("notes", ()), note]
        clip = resample(clip.slice(0, shortest), FPS).replace(meta=meta)
        placed.append(rotate_world(clip, Z_UP.T) if up == "z" else clip)
    floor = common_floor([floor_of(clip) for clip in placed])
    return [
        move(clip, np.array([0.0, -floor, 0.0])).replace(meta={**clip.meta, "floor": round(floor, 4)})
        for clip in placed
    ]


def up_axis(people: Sequence[Clip], expected: Literal["y", "z"]) -> Literal["y", "z"]:
    """The axis along which the bodies are long, over all frames of all people."""
    upright = np.concatenate([rot.axis_angle_to_matrix(clip.poses[:, 0])[:, :, 1] for clip in people]).mean(
        axis=0
    )
    if abs(upright[1] - upright[2]) < CLEARLY:
        return expected
    return "y" if upright[1] > upright[2] else "z"


def common_floor(floors: Sequence[float]) -> float:
    """The height of the floor under all: the middle, or the lowest where one stands on no floor."""
    return float(np.mean(floors) if max(floors) - min(floors) < SAME_FLOOR else min(floors))


# ---------------------------------------------------------------------------------- what they do


def contact_frames(first: Clip, second: Clip) -> list[int]:
    """Frames in which the skins of two people of one world are less than :data:`TOUCH` apart.

    Bodies are capsules around the bones of our own body; joints, middles of bones and finger tips of each are
    measured against the capsules of the other.
    """
    frames = min(len(first), len(second))
    mine, other = first.joints()[:frames], second.joints()[:frames]
    near = np.flatnonzero(np.linalg.norm(mine[:, 0] - other[:, 0], axis=-1) < REACH)
    touching = [
        part[np.minimum(_one_way(mine[part], other[part]), _one_way(other[part], mine[part])) < TOUCH]
        for part in np.split(near, range(CHUNK, len(near), CHUNK))
    ]
    return [int(frame) for part in touching for frame in part]


def _capsules() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    bones = [(PARENTS[j], j, _RADII.get(_name(j), 0.0)) for j in range(1, NUM_BODY_JOINTS)]
    bones += [(INDEX["head"], INDEX["head"], _HEAD_RADIUS)]
    bones += [(INDEX[f"{tip.split('_')[0]}_wrist"], INDEX[tip], _FINGER_RADIUS) for tip in _FINGERS]
    start, end, radius = zip(*bones, strict=True)
    return np.array(start), np.array(end), np.array(radius)


def _name(joint: int) -> str:
    return next(name for name, index in INDEX.items() if index == joint).replace("right_", "left_")


_START, _END, _RADIUS = _capsules()


def _one_way(points_of: np.ndarray, bones_of: np.ndarray) -> np.ndarray:
    """(T,) metres between the skins, negative where they meet, of joints (T, 55, 3): points of one, bones of the other."""
    points = np.concatenate([points_of[:, _END], 0.5 * (points_of[:, _START] + points_of[:, _END])], axis=1)
    thickness = np.concatenate([_RADIUS, _RADIUS])
    # Everything from here on is products of matrices: |p - s - share a|^2 with all three about one origin.
    origin = bones_of[:, :1]
    points, start = points - origin, bones_of[:, _START] - origin
    along = bones_of[:, _END] - bones_of[:, _START]
    length = (along**2).sum(axis=-1)[:, None]
    across = (
        (points**2).sum(axis=-1)[..., None]
        - 2 * points @ np.swapaxes(start, -1, -2)
        + (start**2).sum(axis=-1)[:, None]
    )
    ahead = points @ np.swapaxes(along, -1, -2) - (start * along).sum(axis=-1)[:, None]
    share = np.clip(ahead / np.maximum(length, 1e-12), 0.0, 1.0)
    distance = np.sqrt(np.maximum(across - 2 * share * ahead + share**2 * length, 0.0))
    return np.asarray((distance - thickness[:, None] - _RADIUS).min(axis=(1, 2)))


def roles(first: Clip, second: Clip) -> tuple[Role, Role]:
    """Who leads: the one whose speed varies clearly more, as the metadata's schema has it."""
    if len(first) < 4:
        return "symmetric", "symmetric"
    one, two = (_speed_variance(clip) for clip in (first, second))
    if one > ROLE_RATIO * two:
        return "leader", "follower"
    return ("follower", "leader") if two > ROLE_RATIO * one else ("symmetric", "symmetric")


def _speed_variance(clip: Clip) -> float:
    steps = np.diff(clip.joints()[:, :NUM_BODY_JOINTS], axis=0) * clip.fps
    return float(np.linalg.norm(steps, axis=-1).mean(axis=1).var(ddof=1))


TYPES: tuple[tuple[str, str], ...] = (
    ("hug", r"hug|embrac"),
    ("handshake", r"handshak|shak\w* (?:\w+ ){0,3}hands?"),
    ("high-five", r"high.?five"),
    ("kiss", r"kiss"),
    ("rock-paper-scissors", r"rock.?paper"),
    ("dance", r"danc|waltz|tango|salsa"),
    ("fight", r"fight|boxing|boxers?\b|spar(?:s|ring)?\b|fenc|wrestl|martial|taekwondo|sword|duel"),
    ("kick", r"kick"),
    ("punch", r"punch|hits?\b|hitting|strik|slap"),
    ("push", r"push|shov"),
    ("pull", r"pull|drag|tug"),
    ("carry", r"carr(?:y|ies|ying)\b(?! (?:on|out)\b)|lift"),
    ("support", r"support|help\w* (?:\w+ ){0,3}up"),
    ("massage", r"massag"),
    ("pat", r"\bpat(?:s|ting|ted)?\b"),
    ("give", r"hand(?:s|ing|ed)? (?:\w+ ){0,3}(?:over|to)\b|giv(?:e|es|ing)|pass(?:es|ing)?\b"),
    ("bow", r"\bbow(?:s|ing)?\b"),
    ("wave", r"\bwav(?:e|es|ing)\b|greet"),
    ("point", r"point"),
    ("chase", r"chas"),
    ("talk", r"talk|chat|argu|convers|whisper|quarrel"),
    ("walk", r"walk|stroll"),
)
"""Kinds of interaction and the words that tell them, the more telling first."""
_TYPES = tuple((kind, re.compile(words, re.IGNORECASE)) for kind, words in TYPES)


def interaction_type(captions: Sequence[str]) -> str | None:
    """What most captions call it; ``None`` where none names a kind of :data:`TYPES`."""
    counts = [(sum(bool(words.search(text)) for text in captions), kind) for kind, words in _TYPES]
    most, kind = max(counts, key=lambda pair: pair[0])
    return kind if most else None


def interactions(people: Sequence[Clip], kind: str | None, actor: int | None) -> list[Interaction]:
    """The metadata of both.

    Args:
        people: two clips of :func:`staged`.
        kind: of interaction.
        actor: which of them the data set says acts; measured where it does not say.
    """
    frames = contact_frames(*people) or None
    sides = roles(*people) if actor is None else (("leader", "follower"), ("follower", "leader"))[actor]
    return [
        Interaction(contact_frames=frames, interaction_role=side, interaction_type=kind)  # type: ignore[arg-type]
        for side in sides
    ]


def item_of(scene: str, person: int, actor: int | None, **fields: Any) -> Item:
    """The row of one person: ``scene--0`` or ``scene--1``, linked to the partner's.

    The partner who acts comes before; where nobody is known to act, the first person comes first and both are
    ``Null``.
    """
    name, partner = f"{scene}--{person}", f"{scene}--{1 - person}"
    leads = person == (actor or 0)
    return Item(
        motion_name=name, trial=scene, kind="whole", actor="Null" if actor is None else "Y" if leads else "N",
        next_partner_motion_name=partner if leads else "", last_partner_motion_name="" if leads else partner,
        **fields,
    )  # fmt: skip


def read_text(path: Any) -> str:
    """A text file whatever its encoding; empty when it is not there."""
    try:
        data = path.read_bytes()
    except OSError:
        return ""
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return str(data.decode(encoding))
        except UnicodeDecodeError:
            continue
    return str(data.decode("latin-1"))


def captions_of(path: Any) -> list[str]:
    """One caption a line, single spaces, no stop at the end, none twice."""
    lines = (
        " ".join(line.replace("\0", "").split()).rstrip(".").strip() for line in read_text(path).splitlines()
    )
    return list(dict.fromkeys(line for line in lines if line))
