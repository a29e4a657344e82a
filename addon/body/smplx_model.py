"""The user's own SMPL-X model files: mesh, shape, expressions and pose correctives. numpy only.

Model: Pavlakos et al., "Expressive Body Capture: 3D Hands, Face, and Body from a Single Image", CVPR 2019.
No file of it ships; the arrays are read from ``SMPLX_NEUTRAL.npz`` and its like, without unpickling anything.
Axes as in a clip: Y up, facing +Z, metres.
"""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from ...backend.errors import BadInput
from ...backend.motion.skeleton import NUM_JOINTS

Array = np.ndarray
GENDERS = ("neutral", "female", "male")
NUM_BETAS = 10
"""Shape components that are offered: the first ones of any release."""
DENSITY = 985.0
"""Kilograms per cubic metre of a person at mid-breath (Krzywicki and Chinn, 1967)."""

_NEWER, _SPLIT = 400, 300  # version 1.1: 300 shape components, then 100 of expression; before: 10 and 10


@dataclass(frozen=True)
class BodyModel:
    """The arrays of one model file.

    Attributes:
        template: (V, 3) the mean body's vertices in the T-pose.
        faces: (F, 3) vertex indices, counter-clockwise from outside.
        shapes: (V, 3, B) metres per unit of each beta.
        expressions: (V, 3, E) metres per unit of each expression coefficient.
        correctives: (V, 3, 486) metres per entry of the 54 joints' rotation matrices minus identity.
        regressor: (55, V) joints from vertices.
        weights: (V, 55) skin weights.
        gender: by the file's name.
    """

    template: Array
    faces: Array
    shapes: Array
    expressions: Array
    correctives: Array
    regressor: Array
    weights: Array
    gender: str

    def shaped(self, betas: Array) -> tuple[Array, Array]:
        """Vertices (V, 3) and joints (55, 3) of a body, metres.

        Args:
            betas: any number of them; those beyond the file's are left out.
        """
        count = min(len(betas), self.shapes.shape[2])
        vertices = self.template + self.shapes[:, :, :count] @ np.asarray(betas[:count], float)
        return vertices, self.regressor @ vertices

    def height(self, vertices: Array) -> float:
        """Stature, metres."""
        return float(np.ptp(vertices[:, 1]))

    def weight(self, vertices: Array) -> float:
        """Mass in kilograms, from the mesh's volume."""
        a, b, c = (vertices[self.faces[:, k]] for k in range(3))
        return DENSITY * float(np.einsum("fi,fi->", a, np.cross(b, c))) / 6.0

    def measured(self, betas: Array) -> tuple[float, float]:
        """Stature in metres and mass in kilograms of a body."""
        vertices, _ = self.shaped(betas)
        return self.height(vertices), self.weight(vertices)

    def betas_for(self, height: float, weight: float) -> Array:
        """The most ordinary shape (least norm) of a stature and a mass.

        Args:
            height: metres.
            weight: kilograms.

        Raises:
            BadInput: no such person within five standard deviations of the mean.
        """
        betas = np.zeros(min(NUM_BETAS, self.shapes.shape[2]))
        wanted = np.array([height, np.cbrt(weight)])
        for _ in range(30):
            found = self._measures(betas)
            slope = np.stack(
                [(self._measures(betas + step) - found) / 1e-3 for step in 1e-3 * np.eye(len(betas))], axis=1
            )
            # Of all shapes on the tangent that fit, the nearest to the mean.
            target = wanted - found + slope @ betas
            betas = np.clip(np.linalg.pinv(slope) @ target, -5.0, 5.0)
        reached_height, reached_weight = self.measured(betas)
        if abs(reached_height - height) > 0.01 or abs(reached_weight - weight) > 1.0:
            raise BadInput(
                f"The {self.gender} model has no body of {height:.2f} m and {weight:.0f} kg.",
                hint=f"The nearest is {reached_height:.2f} m and {reached_weight:.0f} kg.",
                field="height",
            )
        return betas

    def _measures(self, betas: Array) -> Array:
        height, weight = self.measured(betas)
        return np.array([height, np.cbrt(max(weight, 1e-6))])


def find_models(folder: Path) -> dict[str, Path]:
    """The model files of a folder and of its folder ``smplx``, by gender.

    Of several files of one gender (``SMPLX_NEUTRAL_2020.npz``) the plainest name counts.
    """
    found: dict[str, Path] = {}
    for place in (folder, folder / "smplx", folder / "models" / "smplx"):
        try:
            files = sorted(place.glob("*.npz"), key=lambda path: (len(path.name), path.name))
        except OSError:
            continue
        for file in files:
            match = re.fullmatch(
                r"smplx_(neutral|female|male)\b.*|smplx_(neutral|female|male)_.*", file.stem.lower()
            )
            if match:
                found.setdefault(match[1] or match[2], file)
    return found


def read_model(path: Path) -> BodyModel:
    """A model file.

    Raises:
        BadInput: with one sentence on what is wrong with it.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise BadInput(f"There is no body model {path.name} any more.", field="body_models") from error
    return _read(str(path), stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=1)
def _read(name: str, changed: int, size: int) -> BodyModel:
    path = Path(name)
    keys = ("v_template", "f", "shapedirs", "posedirs", "J_regressor", "weights")
    try:
        with np.load(path, allow_pickle=False) as file:
            missing = [key for key in keys if key not in file.files]
            if missing:
                raise BadInput(
                    f"{path.name} is not a SMPL-X model: it has no {missing[0]}.",
                    hint="Choose the folder of the files SMPLX_NEUTRAL.npz, SMPLX_FEMALE.npz and SMPLX_MALE.npz.",
                    field="body_models",
                )
            arrays = {key: np.asarray(file[key]) for key in keys}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise BadInput(
            f"{path.name} is damaged, or holds something else than a body model.",
            hint="Copy it again from the download of SMPL-X.",
            field="body_models",
        ) from error
    return _checked(path, arrays)


def _checked(path: Path, arrays: dict[str, Array]) -> BodyModel:
    template, faces = arrays["v_template"], arrays["f"]
    count = len(template)
    shapes = arrays["shapedirs"]
    fits = (
        template.shape == (count, 3)
        and faces.ndim == 2
        and faces.shape[1] == 3
        and faces.dtype.kind in "iu"
        and shapes.ndim == 3
        and shapes.shape[:2] == (count, 3)
        and arrays["posedirs"].ndim == 3
        and arrays["posedirs"].shape[:2] == (count, 3)
        and arrays["J_regressor"].ndim == 2
        and arrays["weights"].ndim == 2
    )
    if not fits:
        raise BadInput(f"{path.name} is no body model: its arrays do not fit together.", field="body_models")
    joints = len(arrays["J_regressor"])
    if joints != NUM_JOINTS:
        kind = {24: " (a SMPL model)", 52: " (a SMPL-H model)"}.get(joints, "")
        raise BadInput(
            f"{path.name} has {joints} joints instead of {NUM_JOINTS}{kind}.",
            hint="Understudy needs the SMPL-X model.",
            field="body_models",
        )
    sound = (
        arrays["J_regressor"].shape == (NUM_JOINTS, count)
        and arrays["weights"].shape == (count, NUM_JOINTS)
        and arrays["posedirs"].shape[2] == 9 * (NUM_JOINTS - 1)
        and len(faces) > 0
        and int(faces.min()) >= 0
        and int(faces.max()) < count
        and all(a.dtype.kind in "fiu" and np.isfinite(a).all() for a in arrays.values())
    )
    if not sound:
        raise BadInput(f"{path.name} is no body model: its arrays do not fit together.", field="body_models")
    split = _SPLIT if shapes.shape[2] >= _NEWER else min(10, shapes.shape[2])
    gender = next((g for g in GENDERS if re.search(rf"_{g}\b|_{g}_", path.stem.lower())), "neutral")
    return BodyModel(
        template=template.astype(np.float64),
        faces=faces.astype(np.int64),
        shapes=shapes[:, :, :split].astype(np.float64),
        expressions=shapes[:, :, split : split + 100].astype(np.float32),
        correctives=arrays["posedirs"].astype(np.float32),
        regressor=arrays["J_regressor"].astype(np.float64),
        weights=arrays["weights"].astype(np.float32),
        gender=gender,
    )
