"""Small files laid out as 100STYLE's, with a motion of our own.

The published facts that they keep: ``<Style>/<Style>_<movement>.bvh``, an Xsens figure of 23 joints in
centimetres at 60 fps, Y X Z rotations, zero angles = T-pose facing +Z; ``Frame_Cuts.csv`` with a start and a
stop per movement, ``N/A`` where there is none; ``Dataset_List.csv`` with name, description, number and Yes or No.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from understudy.backend.motion.rotations import axis_angle_to_matrix, yaw_matrix

from .bvh_text import Joint, header, rows, text

TURNS = "Yrotation Xrotation Zrotation"
MOVEMENTS = ("BR", "BW", "FR", "FW", "ID", "SR", "SW", "TR1", "TR2", "TR3")
HIP_HEIGHT = 91.0


def joints(turns: str = TURNS) -> list[Joint]:
    """The skeleton with a channel order of one's choice."""
    bones: list[tuple[str, str, tuple[float, float, float]]] = [
        ("Hips", "", (0, 0, 0)), ("Chest", "Hips", (0, 9.8, -1)), ("Chest2", "Chest", (0, 10.9, 0)),
        ("Chest3", "Chest2", (0, 9.9, 0)), ("Chest4", "Chest3", (0, 9.9, 0)), ("Neck", "Chest4", (0, 13.9, 0)),
        ("Head", "Neck", (0, 9.2, 0)),
    ]  # fmt: skip
    for side, x in (("Right", -1.0), ("Left", 1.0)):
        bones += [
            (f"{side}Collar", "Chest4", (3 * x, 7.8, 0)), (f"{side}Shoulder", f"{side}Collar", (14.2 * x, 0, 0)),
            (f"{side}Elbow", f"{side}Shoulder", (28 * x, 0, 0)), (f"{side}Wrist", f"{side}Elbow", (24 * x, 0, 0)),
        ]  # fmt: skip
    for side, x in (("Right", -1.0), ("Left", 1.0)):
        bones += [
            (f"{side}Hip", "Hips", (9 * x, 0, 0)), (f"{side}Knee", f"{side}Hip", (0, -42, 0)),
            (f"{side}Ankle", f"{side}Knee", (0, -41, 0)), (f"{side}Toe", f"{side}Ankle", (0, -6, 15)),
        ]  # fmt: skip
    ends = {
        "Head": (0, 17.1, 0),
        "LeftWrist": (18, 0, 0),
        "RightWrist": (-18, 0, 0),
        "LeftToe": (0, 0, 6),
        "RightToe": (0, 0, 6),
    }
    return [
        Joint(
            name,
            parent,
            offset,
            turns if parent else f"Xposition Yposition Zposition {turns}",
            ends.get(name),
        )
        for name, parent, offset in bones
    ]


def motion(
    frames: int = 120,
    *,
    lead: int = 20,
    turns: str = TURNS,
    heading: float = 0.0,
    speed: float = 1.0,
    skip: str = "",
) -> str:
    """A file's text: ``lead`` frames of T-pose, then somebody with hanging arms glides along, left knee bent."""
    turn = yaw_matrix(np.array(heading))
    down = {
        side: axis_angle_to_matrix(np.array([0, 0, sign * np.radians(80)]))
        for side, sign in (("Left", -1), ("Right", 1))
    }
    knee = axis_angle_to_matrix(np.array([np.radians(40), 0, 0]))
    pose = {
        "Hips": turn, "LeftShoulder": turn @ down["Left"], "RightShoulder": turn @ down["Right"],
        "LeftKnee": turn @ knee, "Neck": turn,
    }  # fmt: skip
    moving = (np.arange(frames) >= lead)[:, None, None]
    world = {name: np.where(moving, matrix, turn) for name, matrix in pose.items()}
    path = np.maximum(np.arange(frames) - lead, 0)[:, None] / 60 * speed * 100
    place = path * np.array([np.sin(heading), 0, np.cos(heading)]) + [0, HIP_HEIGHT, 0]
    skeleton = [joint for joint in joints(turns) if joint.name != skip]
    values = rows(skeleton, world, {"Hips": place}, frames)
    return text(header(skeleton), values, "0.016667", decimals=6)


def write(
    root: Path,
    styles: dict[str, dict[str, tuple[int, int] | None]],
    *,
    symmetric: dict[str, str] | None = None,
    **options: object,
) -> Path:
    """``root/100STYLE`` with one file per style and movement whose cut is given; ``None`` writes N/A."""
    home = root / "100STYLE"
    cuts = ["STYLE_NAME," + ",".join(f"{m}_{end}" for m in MOVEMENTS for end in ("START", "STOP"))]
    listed = ["Style Name,Description,Stochastic,Symmetric"]
    for style, movements in styles.items():
        (home / style).mkdir(parents=True, exist_ok=True)
        cells = []
        for movement in MOVEMENTS:
            cut = movements.get(movement)
            cells += [str(v) for v in cut] if cut else ["N/A", "N/A"]
            if movement in movements:
                (home / style / f"{style}_{movement}.bvh").write_text(motion(**options))  # type: ignore[arg-type]
        cuts.append(",".join([style, *cells]))
        listed.append(f'{style},"Arms, legs, everything.",3,{(symmetric or {}).get(style, "Yes")}')
    (home / "Frame_Cuts.csv").write_text("\ufeff" + "\r\n".join(cuts) + "\r\n", encoding="utf-8")
    (home / "Dataset_List.csv").write_text("\r\n".join(listed) + "\r\n", encoding="utf-8")
    return home
