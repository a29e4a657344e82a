"""Skeletal animation out of a binary glTF 2.0 file (.glb): nodes, keys and skins, no meshes.

World positions are those of the nodes; rotations are measured against the rest pose (the node
transforms of the file), which is what :class:`~.source.SourceMotion` wants. Source: Khronos glTF 2.0
specification, sections 4.4 (GLB) and 3.11 (animations).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.rotations import normalize_quaternion, quaternion_to_matrix, slerp
from .source import SourceMotion

_TYPES = {5126: np.float32, 5125: np.uint32, 5123: np.uint16, 5121: np.uint8, 5122: np.int16, 5120: np.int8}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


@dataclass(frozen=True)
class Glb:
    """A parsed file: the JSON tree and the binary chunk."""

    tree: dict[str, Any]
    binary: bytes

    def accessor(self, number: int) -> np.ndarray:
        """Values (N, width) of an accessor (no sparse ones, no byte stride)."""
        accessor = self.tree["accessors"][number]
        view = self.tree["bufferViews"][accessor["bufferView"]]
        dtype, width = np.dtype(_TYPES[accessor["componentType"]]), _WIDTHS[accessor["type"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        values = np.frombuffer(self.binary, dtype, accessor["count"] * width, start)
        return values.reshape(accessor["count"], width)

    def animation_names(self) -> list[str]:
        return [a.get("name", str(i)) for i, a in enumerate(self.tree.get("animations", []))]


def read_glb(path: Path | str) -> Glb:
    """Read the two chunks.

    Raises:
        BadInput: not a GLB 2 file, or cut short.
    """
    data = Path(path).read_bytes()
    try:
        magic, version, length = struct.unpack_from("<4sII", data)
        size, kind = struct.unpack_from("<I4s", data, 12)
        if magic != b"glTF" or version != 2 or kind != b"JSON" or length > len(data):
            raise ValueError
        tree = json.loads(data[20 : 20 + size])
        body = 20 + size
        (size,) = struct.unpack_from("<I", data, body)
        return Glb(tree, data[body + 8 : body + 8 + size])
    except (struct.error, ValueError):
        raise BadInput(f"{Path(path).name} is no complete GLB 2 file.", field="path") from None


def motion_of(glb: Glb, animation: str, *, fps: float) -> SourceMotion:
    """One animation, sampled by time at ``fps`` from its first to its last key.

    Axes: as glTF, Y up, metres. Node scales are taken as 1.

    Raises:
        BadInput: no animation of that name, or a kind of key that is not supported.
    """
    names = glb.animation_names()
    if animation not in names:
        raise BadInput(f"The GLB file has no animation {animation!r}.", field="animation")
    take = glb.tree["animations"][names.index(animation)]
    order, parents = _node_order(glb.tree)
    nodes = [glb.tree["nodes"][n] for n in order]
    place = {n: i for i, n in enumerate(order)}

    rest_turn = np.array([node.get("rotation", (0, 0, 0, 1)) for node in nodes])[:, [3, 0, 1, 2]]
    rest_shift = np.array([node.get("translation", (0, 0, 0)) for node in nodes], float)
    keys = {s["input"]: glb.accessor(s["input"])[:, 0].astype(float) for s in take["samplers"]}
    start, stop = min(k[0] for k in keys.values()), max(k[-1] for k in keys.values())
    times = start + np.arange(int(np.floor((stop - start) * fps + 1e-4)) + 1) / fps

    turn = np.repeat(rest_turn[None], len(times), 0)
    shift = np.repeat(rest_shift[None], len(times), 0)
    for channel in take["channels"]:
        sampler = take["samplers"][channel["sampler"]]
        node, path = channel["target"].get("node"), channel["target"]["path"]
        if node not in place or path not in ("rotation", "translation"):
            continue
        mode = sampler.get("interpolation", "LINEAR")
        if mode == "CUBICSPLINE":
            raise BadInput("GLB animations with cubic keys are not supported.", field="animation")
        stamps, values = keys[sampler["input"]], glb.accessor(sampler["output"]).astype(float)
        low, high, weight = _between(stamps, times, step=mode == "STEP")
        if path == "rotation":
            q = normalize_quaternion(values[:, [3, 0, 1, 2]])
            turn[:, place[node]] = slerp(q[low], q[high], weight)
        else:
            shift[:, place[node]] = (1 - weight) * values[low] + weight * values[high]

    rest_world, rest = _compose(parents, quaternion_to_matrix(rest_turn)[None], rest_shift[None])
    world, positions = _compose(parents, quaternion_to_matrix(turn), shift)
    return SourceMotion(
        names=tuple(node.get("name", f"node{n}") for n, node in zip(order, nodes, strict=True)),
        parents=parents,
        rest=rest[0],
        rotations=world @ np.swapaxes(rest_world, -1, -2),
        positions=positions,
        fps=fps,
        original=_timing(keys.values()),
    )


def _timing(tracks: Iterable[np.ndarray]) -> tuple[float, int] | None:
    """Keys a second and number of keys of the track with the most; None for a single pose."""
    longest = max(tracks, key=len)
    if len(longest) < 2 or longest[-1] <= longest[0]:
        return None
    return round(float((len(longest) - 1) / (longest[-1] - longest[0])), 3), len(longest)


def _between(
    stamps: np.ndarray, times: np.ndarray, *, step: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Neighbouring keys and the weight (N, 1) of the later one; values hold beyond the ends."""
    low = np.clip(np.searchsorted(stamps, times + 1e-6, "right") - 1, 0, len(stamps) - 1)
    high = np.minimum(low + 1, len(stamps) - 1)
    gap = np.maximum(stamps[high] - stamps[low], 1e-9)
    weight = np.clip((times - stamps[low]) / gap, 0.0, 1.0) * (high > low) * (not step)
    return low, high, weight[:, None]


def _node_order(tree: dict[str, Any]) -> tuple[list[int], tuple[int, ...]]:
    """Nodes with parents before children, and each one's parent in that order."""
    parent_of = {child: n for n, node in enumerate(tree["nodes"]) for child in node.get("children", [])}
    order = [n for n in range(len(tree["nodes"])) if n not in parent_of]
    for n in order:  # grows while it is read
        order += tree["nodes"][n].get("children", [])
    place = {n: i for i, n in enumerate(order)}
    return order, tuple(place[parent_of[n]] if n in parent_of else -1 for n in order)


def _compose(parents: tuple[int, ...], turn: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local transforms (T, J, ...) -> world rotations and positions."""
    world, positions = np.empty_like(turn), np.empty_like(shift)
    for j, parent in enumerate(parents):
        if parent < 0:
            world[:, j], positions[:, j] = turn[:, j], shift[:, j]
        else:
            world[:, j] = world[:, parent] @ turn[:, j]
            positions[:, j] = positions[:, parent] + np.einsum("tij,tj->ti", world[:, parent], shift[:, j])
    return world, positions
