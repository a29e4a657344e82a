"""Joints as HumanML3D computed them from AMASS: SMPL+H with the subject's shape, thinned by an integer step.

HumanML3D's published features follow from these joints to the last digits (``features humanml3d``), so this is
the one place where frames are picked instead of resampled. The body model is not ours to ship: SMPL+H comes
from mano.is.tue.mpg.de (non-commercial), as ``smplh/<gender>/model.npz``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion import keys
from ...backend.motion.archive import Archive
from ...backend.motion.kinematics import forward_kinematics
from ...backend.motion.skeleton import NUM_BODY_JOINTS, PARENTS, REST_OFFSETS
from .humanml3d_index import Cut

BETAS = 10
"""Shape parameters that HumanML3D uses, of the file's 16."""
MIRRORED = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20)
"""For each of the 22 joints, the joint it becomes in a mirror."""


@dataclass(frozen=True)
class ShapedBody:
    """The joints of a body model in its rest pose, as a function of shape.

    Attributes:
        template: (22, 3) metres.
        directions: (22, 3, 10) metres per shape parameter.
    """

    template: np.ndarray
    directions: np.ndarray

    def offsets(self, betas: np.ndarray) -> np.ndarray:
        """(55, 3) rest offsets of a body of this shape; joints after the 22nd keep ours and are not used."""
        count = min(len(betas), self.directions.shape[-1])
        joints = self.template + self.directions[..., :count] @ betas[:count]
        offsets = np.array(REST_OFFSETS)
        parents = np.array(PARENTS[:NUM_BODY_JOINTS])
        offsets[:NUM_BODY_JOINTS] = joints
        offsets[1:NUM_BODY_JOINTS] -= joints[parents[1:]]
        return offsets


def read_body(path: Path) -> ShapedBody:
    """The rest joints of an SMPL-family model file (``v_template``, ``shapedirs``, ``J_regressor``).

    Raises:
        BadInput: the file is no such model.
    """
    with Archive(path) as opened:
        for key in ("v_template", "shapedirs", "J_regressor"):
            if key not in opened:
                raise BadInput(f"{path.name} is no body model: {key} is missing.", field=key)
        regressor = keys.read_numbers(opened, "J_regressor")
        template = keys.read_numbers(opened, "v_template")
        shapes = keys.read_numbers(opened, "shapedirs")
    vertices = regressor.shape[-1]
    if (
        regressor.ndim != 2
        or len(regressor) < NUM_BODY_JOINTS
        or template.shape != (vertices, 3)
        or shapes.ndim != 3
        or shapes.shape[:2] != (vertices, 3)
    ):
        raise BadInput(f"{path.name} is no body model: its arrays do not fit together.", field="J_regressor")
    regressor = regressor[:NUM_BODY_JOINTS]
    return ShapedBody(regressor @ template, np.einsum("jv,vik->jik", regressor, shapes[..., :BETAS]))


def humanml3d_joints(
    path: Path,
    bodies: Path,
    *,
    cut: Cut | None = None,
    mirrored: bool = False,
    bytes_gender_is_female: bool = True,
) -> np.ndarray:
    """HumanML3D's joints of an AMASS SMPL+H file, before its features.

    Args:
        path: ``*_poses.npz``.
        bodies: folder with ``male/model.npz`` and ``female/model.npz``.
        cut: the stretch to keep; the whole file without.
        mirrored: the joints of the ``M`` clip.
        bytes_gender_is_female: HumanML3D's own comparison takes a gender stored as bytes for female, whatever
            it says; off, the gender is read.

    Returns:
        (T, 22, 3) metres, Y up; T counts every ``int(fps / 20)``-th frame.

    Raises:
        BadInput: the file or the model cannot be used, or the file ends before the cut.
    """
    with Archive(path) as opened:
        poses, _ = keys.read_poses(opened, [])
        trans = keys.read_trans(opened, len(poses))
        betas = keys.read_betas(opened)
        fps = keys.read_fps(opened, len(poses), None, [])
        male = keys.read_gender(opened) == "male"
        if male and bytes_gender_is_female:
            male = opened.read("gender").dtype.kind == "U"
    span = (cut or Cut(path.stem, path.stem, 0, 0, -1)).frames(fps, len(poses))
    rows = slice(*span)
    body = read_body(Path(bodies) / ("male" if male else "female") / "model.npz")
    joints, _ = forward_kinematics(poses[rows, :NUM_BODY_JOINTS], trans[rows], body.offsets(betas))
    # Z up to Y up as HumanML3D does it: a proper turn, half a circle off ours.
    joints = np.stack([-joints[..., 0], joints[..., 2], joints[..., 1]], axis=-1)
    return joints[:, MIRRORED] * np.array([-1.0, 1.0, 1.0]) if mirrored else joints
