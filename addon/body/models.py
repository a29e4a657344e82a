"""Where the user's body models lie. Looked up when the preferences change, never while drawing."""

from __future__ import annotations

from pathlib import Path

import bpy

from ...backend.errors import BadInput
from ..preferences import settings as preferences
from .smplx_model import GENDERS, BodyModel, find_models, read_model

_LABELS = {"neutral": "Neutral", "female": "Female", "male": "Male"}


class Models:
    """The model files of the folder in the preferences."""

    found: dict[str, Path] = {}
    items: list[tuple[str, str, str]] = []
    """For an enum; Blender needs the strings kept alive."""

    @classmethod
    def scan(cls) -> None:
        folder = preferences.get().body_models
        cls.found = find_models(Path(bpy.path.abspath(folder)).expanduser()) if folder else {}
        cls.items = [(g, _LABELS[g], cls.found[g].name) for g in GENDERS if g in cls.found]
        if not cls.items:
            cls.items = [("neutral", _LABELS["neutral"], "")]

    @classmethod
    def read(cls, gender: str) -> BodyModel:
        """The model of a gender.

        Raises:
            BadInput: there is none, or its file is wrong.
        """
        path = cls.found.get(gender)
        if path is None:
            raise BadInput(
                "There is no SMPL-X model in the folder of the preferences.",
                hint="Download the model from its makers, and choose the folder of SMPLX_NEUTRAL.npz.",
                field="body_models",
            )
        return read_model(path)


def register() -> None:
    Models.scan()


def unregister() -> None:
    Models.found, Models.items = {}, []
