"""Write any rig's motion as BVH: its own bones and names, Y up, facing +Z as the rest pose stands."""

from __future__ import annotations

import numpy as np

from .bvh import CENTIMETRES, ORDER, _continuous_angles
from .rig import Rig


def rig_to_bvh(
    rig: Rig, posed: np.ndarray, fps: float, *, axes: np.ndarray, hips: str, scale: float = CENTIMETRES
) -> str:
    """The text of a BVH file.

    The hips are the root, as in motion capture; what lies above them goes into their place in the world.
    The root's OFFSET is zero, so that readers which add it to the position and readers which do not agree.

    Args:
        rig: the skeleton; bones that do not hang on the hips are left out.
        posed: (T, N, 4, 4) matrices of all bones in armature space.
        fps: frames per second.
        axes: (3, 3) body frame to armature space, see :class:`.stance.Stance`.
        hips: name of the bone that carries the body.
        scale: file units per armature unit.
    """
    root = rig.index[hips]
    heads = rig.heads @ axes * scale
    basis = posed[..., :3, :3] / np.maximum(np.linalg.norm(posed[..., :3, :3], axis=-2, keepdims=True), 1e-12)
    turned = np.einsum("ji,tnjk,kl->tnil", axes, basis @ np.swapaxes(rig.rotations, -1, -2), axes)
    places = posed[..., :3, 3] @ axes * scale

    lines = ["HIERARCHY"]
    columns: list[np.ndarray] = []

    def write(bone: int, depth: int) -> None:
        parent = int(rig.parents[bone])
        top = bone == root
        pad = "\t" * depth
        offset = np.zeros(3) if top else heads[bone] - heads[parent]
        channels = " ".join(f"{axis}rotation" for axis in ORDER)
        count = "6 Xposition Yposition Zposition" if top else "3"
        name = "_".join(rig.bones[bone].split())
        lines.extend(
            (
                f"{pad}{'ROOT' if top else 'JOINT'} {name}",
                f"{pad}{{",
                f"{pad}\tOFFSET {_numbers(offset)}",
                f"{pad}\tCHANNELS {count} {channels}",
            )
        )
        above = np.eye(3) if top else np.swapaxes(turned[:, parent], -1, -2)
        if top:
            columns.append(places[:, bone])
        columns.append(np.degrees(_continuous_angles((above @ turned[:, bone])[:, None])[:, 0]))
        for child in rig.children[bone]:
            write(child, depth + 1)
        if not rig.children[bone]:
            tip = (rig.tails[bone] - rig.heads[bone]) @ axes * scale
            lines.extend((f"{pad}\tEnd Site", f"{pad}\t{{", f"{pad}\t\tOFFSET {_numbers(tip)}", f"{pad}\t}}"))
        lines.append(f"{pad}}}")

    write(root, 0)
    table = np.concatenate(columns, axis=1)
    lines += ["MOTION", f"Frames: {len(table)}", f"Frame Time: {1 / fps:.10g}"]
    table = np.where(np.abs(table) < 5e-7, 0.0, table)  # no "-0.000000"
    lines += [" ".join(f"{value:.6f}" for value in row) for row in table.tolist()]
    return "\n".join(lines) + "\n"


def _numbers(values: np.ndarray) -> str:
    return " ".join(f"{value:.6f}" for value in values + 0.0)
