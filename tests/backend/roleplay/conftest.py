"""The shipped pack, loaded once."""

from __future__ import annotations

import pytest

from understudy.backend.pipeline import Pipeline, load_pipeline


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    return load_pipeline("open", "cpu", "onnx")
