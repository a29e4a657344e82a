"""A synthetic body model with the keys and kinds of arrays of SMPLX_*.npz, and nothing of the real one's content.

Every bone of the built-in skeleton is a closed box; the four vertices at its near end have the joint in their middle.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from understudy.backend.motion.skeleton import NUM_JOINTS, PARENTS, rest_joints

_CORNERS = np.array([(x, y, z) for y in (-1, 1) for x, z in ((-1, -1), (1, -1), (1, 1), (-1, 1))], float)
_QUADS = ((0, 1, 2, 3), (7, 6, 5, 4), (0, 4, 5, 1), (1, 5, 6, 2), (2, 6, 7, 3), (3, 7, 4, 0))


def arrays(shapes: int = 20) -> dict[str, np.ndarray]:
    """The arrays of a model file. Shape 0 scales the body by 5 %, shape 1 makes it 20 % wider and deeper."""
    joints = rest_joints()
    vertices, faces, weights = [], [], np.zeros((8 * NUM_JOINTS, NUM_JOINTS), np.float32)
    regressor = np.zeros((NUM_JOINTS, 8 * NUM_JOINTS))
    sizes = np.array(
        [0.12 if i in (0, 3, 6, 9, 16, 17) else 0.06 if i < 22 else 0.012 for i in range(NUM_JOINTS)]
    )
    for i, joint in enumerate(joints):
        first = 8 * i
        vertices.append(joint + _CORNERS * sizes[i] / 2)
        faces += [(first + q[0], first + q[a], first + q[a + 1]) for q in _QUADS for a in (1, 2)]
        weights[first : first + 8, i] = 0.75 if PARENTS[i] >= 0 else 1.0
        if PARENTS[i] >= 0:
            weights[first : first + 8, PARENTS[i]] = 0.25
        regressor[i, first : first + 8] = 1 / 8
    template = np.concatenate(vertices)
    middle = np.repeat(joints, 8, axis=0)
    directions = np.zeros((len(template), 3, shapes))
    directions[:, :, 0] = 0.05 * template
    directions[:, :, 1] = 0.2 * (template - middle) * (1, 0, 1)
    random = np.random.default_rng(0)
    split = 300 if shapes >= 400 else shapes // 2
    directions[:, :, split:] = random.normal(size=(len(template), 3, shapes - split)) * 0.002
    correctives = np.zeros((len(template), 3, 9 * (NUM_JOINTS - 1)))
    correctives[:, :, : 9 * 21] = random.normal(size=(len(template), 3, 9 * 21)) * 0.003
    correctives[:, :, 9:18] = 0.0  # the right hip has none
    return {
        "v_template": template,
        "f": np.array(faces, np.uint32),
        "shapedirs": directions,
        "posedirs": correctives,
        "J_regressor": regressor,
        "weights": weights,
        "kintree_table": np.array([PARENTS, range(NUM_JOINTS)]),
        "hands_meanl": np.zeros(45),
        "hands_meanr": np.zeros(45),
        "joint2num": np.array([{"pelvis": 0}], dtype=object),  # pickled in the real files, too
    }


def write(path: Path, changed: dict[str, np.ndarray] | None = None, shapes: int = 20) -> Path:
    """Write a model file; ``changed`` replaces arrays, None leaves one out."""
    values = arrays(shapes) | (changed or {})
    np.savez(path, **{key: value for key, value in values.items() if value is not None})
    return path
