"""Contact sheets: a clip as a row of stick figures, next to the skeleton it came from, to be looked at.

Left limbs are red, right limbs blue, the trunk is grey: "left is left" can be seen. Each figure is drawn
from its front right, the floor is a line at y = 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from ...backend.motion.clip import Clip
from ...backend.motion.kinematics import forward_kinematics
from ...backend.motion.skeleton import INDEX, JOINT_NAMES, PARENTS
from ..formats.source import SourceMotion

LEFT, RIGHT, MIDDLE = (205, 45, 45), (40, 80, 205), (90, 90, 90)
TILE = (190, 210)
_VIEW = np.radians(35.0)


def bones_of_clip(clip: Clip) -> tuple[np.ndarray, list[tuple[int, int]], list[tuple[int, int, int]]]:
    """Joints with toe tips and a nose (T, 58, 3), bones as index pairs, and a colour per bone."""
    joints, world = forward_kinematics(clip.poses, clip.trans)
    extra = [
        joints[:, INDEX["left_foot"]] + world[:, INDEX["left_foot"]] @ np.array([0, 0, 0.07]),
        joints[:, INDEX["right_foot"]] + world[:, INDEX["right_foot"]] @ np.array([0, 0, 0.07]),
        joints[:, INDEX["head"]] + world[:, INDEX["head"]] @ np.array([0, 0.06, 0.13]),
    ]
    points = np.concatenate([joints, np.stack(extra, 1)], axis=1)
    bones = [
        (parent, j)
        for j, parent in enumerate(PARENTS)
        if parent >= 0 and JOINT_NAMES[j] not in ("jaw", "left_eye_smplhf", "right_eye_smplhf")
    ]
    colours = [_colour(JOINT_NAMES[j]) for _, j in bones]
    bones += [(INDEX["left_foot"], 55), (INDEX["right_foot"], 56), (INDEX["head"], 57)]
    return points, bones, [*colours, LEFT, RIGHT, MIDDLE]


def bones_of_source(
    motion: SourceMotion, skip: Sequence[str] = ()
) -> tuple[np.ndarray, list[tuple[int, int]], list[tuple[int, int, int]]]:
    """The same of a source skeleton; ``skip`` names joints that are no body (a world root)."""
    points = [motion.positions]
    bones = [
        (p, j)
        for j, p in enumerate(motion.parents)
        if p >= 0 and motion.names[p] not in skip and motion.names[j] not in skip
    ]
    colours = [_colour(motion.names[j]) for _, j in bones]
    for name in motion.tips:
        bones.append((motion.index(name), sum(p.shape[1] for p in points)))
        colours.append(_colour(name))
        points.append(motion.point(f"{name}.tip")[:, None])
    return np.concatenate(points, axis=1), bones, colours


def _colour(name: str) -> tuple[int, int, int]:
    low = name.lower()
    if (
        low.startswith("left")
        or low.endswith((".l", "_l"))
        or (low[0] == "l" and not low.startswith("lower"))
    ):
        return LEFT
    if low.startswith("right") or low.endswith((".r", "_r")) or (low[0] == "r" and low != "root"):
        return RIGHT
    return MIDDLE


def draw_row(
    points: np.ndarray,
    bones: list[tuple[int, int]],
    colours: list[tuple[int, int, int]],
    frames: Sequence[int],
    *,
    scale: float = 95.0,
) -> Image.Image:
    """Stick figures (one tile a frame) of points (T, N, 3), each centred on its own root."""
    width, height = TILE
    image = Image.new("RGB", (width * len(frames), height), "white")
    draw = ImageDraw.Draw(image)
    sin, cos = np.sin(_VIEW), np.cos(_VIEW)
    for tile, frame in enumerate(frames):
        figure = points[frame]
        centre = figure[bones[0][0]]
        x = cos * (figure[:, 0] - centre[0]) - sin * (figure[:, 2] - centre[2])
        depth = sin * (figure[:, 0] - centre[0]) + cos * (figure[:, 2] - centre[2])
        u = tile * width + width / 2 + scale * x
        v = height - 18 - scale * figure[:, 1] + 0.12 * scale * depth
        draw.line(
            [(tile * width + 4, height - 18), ((tile + 1) * width - 4, height - 18)], fill=(200, 200, 200)
        )
        for (a, b), colour in sorted(zip(bones, colours, strict=True), key=lambda item: depth[item[0][1]]):
            draw.line([(u[a], v[a]), (u[b], v[b])], fill=colour, width=3)
        draw.text((tile * width + 4, 2), str(frame), fill=(120, 120, 120))
    return image


def sheet(rows: list[tuple[str, Image.Image]]) -> Image.Image:
    """Rows with their captions, one below the other."""
    width = max(image.width for _, image in rows)
    height = sum(image.height + 16 for _, image in rows)
    page = Image.new("RGB", (width, height), "white")
    draw, y = ImageDraw.Draw(page), 0
    for text, image in rows:
        draw.text((4, y + 2), text, fill=(0, 0, 0))
        page.paste(image, (0, y + 16))
        y += image.height + 16
    return page


def clip_row(clip: Clip, count: int = 8) -> Image.Image:
    """A clip as ``count`` figures, evenly in time."""
    return draw_row(*bones_of_clip(clip), frames=evenly(len(clip), count))


def evenly(length: int, count: int) -> list[int]:
    return [int(round(x)) for x in np.linspace(0, length - 1, count)]


def save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
