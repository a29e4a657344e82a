"""The flags that direct, as far as they need no model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from understudy.backend.cli.directing import direction_of
from understudy.backend.cli.main import build_parser
from understudy.backend.errors import BadInput
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import write_clip
from understudy.backend.protocol.messages import GenerateParams, parse


def fields(*flags: str) -> dict[str, Any]:
    return direction_of(build_parser().parse_args(["generate", "--out", "a.npz", *flags]))


def request(*flags: str) -> GenerateParams:
    found = fields(*flags)
    return parse(GenerateParams, found if "script" in found else {"prompt": "walk", **found})


def test_a_script_is_typed_or_a_file(tmp_path: Path) -> None:
    typed = request("--script", "a person walks @ 3; a person waves@2.5 ;sits down")
    assert typed.script is not None
    assert [(one.prompt, one.seconds) for one in typed.script] == [
        ("a person walks", 3.0),
        ("a person waves", 2.5),
        ("sits down", 4.0),
    ]
    lines = [{"prompt": "walk", "seconds": 2, "style": {"energy": 0.8}, "seed": 4}]
    for value in (lines, {"script": lines}):
        (tmp_path / "s.json").write_text(json.dumps(value))
        read = request("--script", str(tmp_path / "s.json"))
        assert read.script is not None and read.script[0].style == {"energy": 0.8}


def test_constraints_are_the_files(tmp_path: Path) -> None:
    wanted = {
        "path": {"points": [[0, 0], [0, 2.5]], "facing": "keep"},
        "waypoints": [{"time": 1, "position": [0, 1], "facing": 0.3}],
        "pins": [{"joint": "left_wrist", "start": 0, "end": 1, "position": [0.1, 1, 0.2]}],
        "poses": [{"time": 0, "pose": [[0, 0, 0]] * 55, "trans": [0, 0, 0]}],
    }
    (tmp_path / "c.json").write_text(json.dumps(wanted))
    found = request("--constraints", str(tmp_path / "c.json")).constraints
    assert found.path is not None and found.path.facing == "keep"
    assert found.pins[0].joint == "left_wrist" and found.travels


def test_an_edit_takes_a_file_and_its_times(tmp_path: Path) -> None:
    write_clip(Clip(poses=np.zeros((30, 55, 3)), trans=np.zeros((30, 3)), fps=30.0), tmp_path / "a.npz")
    found = request("--edit", str(tmp_path / "a.npz"), "--from", "0.2", "--to", "0.8").edit
    assert found is not None and (found.start, found.end) == (0.2, 0.8)
    assert request("--edit", str(tmp_path / "a.npz")).edit.end is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("flags", "content", "field", "words"),
    [
        (["--constraints", "{file}"], '{"pins": [{"joint": "nose"}]}', "constraints.pins.0.joint", "'left_wrist'"),
        (["--constraints", "{file}"], '{"path": {"points": [[0, 0], [1, "a"]]}}', "constraints.path.points.1.1", "a number"),
        (["--constraints", "{file}"], '{"waypoints": [{"time": 1}]}', "constraints.waypoints.0.position", "lacks its position"),
        (["--constraints", "{file}"], '{"pats": []}', "constraints.pats", "Unknown setting"),
        (["--constraints", "{file}"], "[1]", "constraints", "an object"),
        (["--constraints", "{file}"], "{", "constraints", "not JSON: line 1"),
        (["--constraints", "{file}"], "[" * 100000, "constraints", "nested"),
        (["--constraints", "nowhere.json"], "", "constraints", "cannot be read"),
        (["--script", "{file}"], '[{"prompt": "a", "seconds": 0.1}]', "script.0.seconds", "between 0.5 and 60"),
        (["--script", "{file}"], "[]", "script", "at least 1"),
        (["--script", "a;;b"], "", "script", "has no prompt"),
        (["--script", "a @ soon"], "", "script", "a number of seconds"),
        (["--from", "1"], "", "edit", "--edit"),
        (["--edit", "nowhere.npz"], "", "edit", "cannot be read"),
        (["--edit", "clip.bvh"], "", "edit", "not an .npz"),
    ],
)  # fmt: skip
def test_mistakes_are_one_sentence_that_names_the_field(
    tmp_path: Path, flags: list[str], content: str, field: str, words: str
) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(BadInput) as caught:
        request(*(flag.replace("{file}", str(path)) for flag in flags))
    assert caught.value.field == field
    assert words in caught.value.message
    assert caught.value.message.endswith(".") and "\n" not in caught.value.message
