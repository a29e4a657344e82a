"""Small files laid out as Bandai-Namco-Research-Motiondataset's, with a motion of our own.

The published facts that they keep: 22 joints with six channels each (position, then Z X Y rotation),
centimetres, 30 fps written as 0.0333333, three decimals; bones along X (on the right side along -X), no
T-pose; positions of all joints but ``Hips`` repeat the OFFSET, and the OFFSET of ``Hips`` means nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from understudy.backend.motion.rotations import axis_angle_to_matrix, yaw_matrix

from .bvh_text import Joint, facing, header, rows, text

CHANNELS = "Xposition Yposition Zposition Zrotation Xrotation Yrotation"
THIGH, SHIN, ANKLE = 39.0, 41.0, 11.7
_BONES: list[tuple[str, str, tuple[float, float, float]]] = [
    ("joint_Root", "", (0, 0, 0)),
    ("Hips", "joint_Root", (0, 500, -3)),
    ("Spine", "Hips", (15.5, 0, 0)),
    ("Chest", "Spine", (9, -0.4, 0)),
    ("Neck", "Chest", (16.5, 0, 0)),
    ("Head", "Neck", (6.5, 0, 0)),
    *((f"{part}_{side}", parent.replace("*", side), (sign * x, y, sign_z * z))
      for side, sign, sign_z in (("L", 1, 1), ("R", -1, -1))
      for part, parent, (x, y, z) in (
          ("Shoulder", "Chest", (sign * 13, -0.2, 5)), ("UpperArm", "Shoulder_*", (5.3, 0, 0)),
          ("LowerArm", "UpperArm_*", (24, 0, 0)), ("Hand", "LowerArm_*", (22, 0, 0)))),
    *((f"{part}_{side}", parent.replace("*", side), (sign * x, y, z))
      for side, sign in (("L", 1), ("R", -1))
      for part, parent, (x, y, z) in (
          ("UpperLeg", "Hips", (sign * -2.2, sign * -6.5, 0)), ("LowerLeg", "UpperLeg_*", (THIGH, 0, 0)),
          ("Foot", "LowerLeg_*", (SHIN, 0, 0)), ("Toes", "Foot_*", (11.75, 0, 0)))),
]  # fmt: skip
JOINTS = [
    Joint(
        name,
        parent,
        offset,
        CHANNELS,
        (0, 0, 0) if name in ("Head", "Hand_L", "Hand_R", "Toes_L", "Toes_R") else None,
    )
    for name, parent, offset in _BONES
]


def motion(
    frames: int = 40,
    *,
    speed: float = 1.2,
    heading: float = 0.0,
    raised: str = "R",
    knee: float = 30.0,
    skip: str = "",
) -> str:
    """A file's text: somebody glides ahead with hanging arms, lifts one forearm to the front, bends a knee.

    Args:
        frames: length.
        speed: metres a second, along ``heading``.
        heading: radians from +Z towards +X.
        raised: whose forearm (``L`` or ``R``) points ahead.
        knee: degrees that the left knee is bent.
        skip: a joint to leave out.
    """
    turn = yaw_matrix(np.array(heading))
    bend = axis_angle_to_matrix(np.array([np.radians(knee), 0.0, 0.0]))
    slope = axis_angle_to_matrix(np.array([np.radians(39.6), 0.0, 0.0]))
    toes = axis_angle_to_matrix(np.array([np.radians(23.0), 0.0, 0.0]))
    world = {
        "Hips": facing("up right front"),
        **dict.fromkeys(("Spine", "Chest", "Neck", "Head"), facing("up front left")),
        "Shoulder_L": facing("left up front"), "Shoulder_R": facing("left down back"),
        "UpperArm_L": facing("down left front"), "UpperArm_R": facing("up left back"),
        "UpperLeg_L": facing("down left front"), "UpperLeg_R": facing("up left back"),
        "LowerLeg_L": bend @ facing("down left front"), "LowerLeg_R": facing("up left back"),
        "Foot_L": bend @ slope @ facing("front left up"), "Foot_R": slope @ facing("back left down"),
        "Toes_L": bend @ toes @ facing("front left up"), "Toes_R": toes @ facing("back left down"),
    }  # fmt: skip
    world[f"LowerArm_{raised}"] = facing("front left up" if raised == "L" else "back left down")
    world = {name: turn @ matrix for name, matrix in world.items()}
    travel = np.arange(frames)[:, None] / 30 * speed * 100
    place = travel * np.array([np.sin(heading), 0, np.cos(heading)]) + [0, THIGH + SHIN + ANKLE + 2.2, 0]
    joints = [joint for joint in JOINTS if joint.name != skip]
    return text(header(joints), rows(joints, world, {"Hips": place}, frames), "0.0333333", decimals=3)


def write(root: Path, names: list[str], *, layout: str = "plain", **options: object) -> Path:
    """The named clips under ``root/bandai_namco`` in one of the layouts met: ``plain``, ``owners``."""
    home = root / "bandai_namco"
    for name in names:
        number = name.split("_")[0].removeprefix("dataset-")
        folder = home / f"dataset-{number}"
        if layout == "owners":
            folder = home / f"dataset/Bandai-Namco-Research-Motiondataset-{number}/data"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.bvh").write_text(motion(**options), encoding="latin-1")  # type: ignore[arg-type]
        if layout == "owners":
            (folder / f"{name}.json").write_text('{"content": 0, "style": 1}')
    return home
