"""Many prompts in one go: what is done, what is skipped, what is said, and what a bad file gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xmlschema
import yaml
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.cli import batch, render
from understudy.backend.cli.junit import junit
from understudy.backend.cli.main import main
from understudy.backend.errors import JobFailed
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import read_clip
from understudy.backend.process import worker

SCHEMA = xmlschema.XMLSchema(str(Path(__file__).with_name("junit.xsd")))


class Performer:
    """Stands in for the models; keeps what it was asked."""

    def __init__(self) -> None:
        self.loaded: list[tuple[str, str]] = []
        self.asked: list[Any] = []

    def load(self, pack: str, device: str, engine: str) -> Performer:
        self.loaded.append((pack, device))
        return self

    def generate(self, params: Any, progress: Any = None, cancelled: Any = None) -> list[Clip]:
        print("a library prints")
        self.asked.append(params)
        if params.prompt == "fail":
            raise JobFailed("The model did not manage \x00.", hint="Try another prompt.")
        if params.prompt == "interrupt":
            raise KeyboardInterrupt
        frames = round((params.seconds or 1) * 30)
        clip = Clip(
            np.zeros((frames, 55, 3)),
            np.zeros((frames, 3)),
            30.0,
            meta={
                "prompt": params.prompt,
                "licence": "CC0-1.0",
                "warnings": ["far"] * (params.prompt == "far"),
            },
        )
        return [clip] * params.samples


@pytest.fixture
def performer(monkeypatch: pytest.MonkeyPatch) -> Performer:
    found = Performer()
    monkeypatch.setattr(worker, "load_shipped", found.load)
    return found


Batch = Callable[..., tuple[int, list[dict[str, Any]], str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], performer: Performer) -> Batch:
    def call(*jobs: Any, flags: tuple[str, ...] = ()) -> tuple[int, list[dict[str, Any]], str]:
        file = tmp_path / "jobs.jsonl"
        file.write_text("".join((j if isinstance(j, str) else json.dumps(j)) + "\n" for j in jobs))
        code = main(["batch", str(file), "--out", str(tmp_path / "out"), "--json", *flags])
        said = capsys.readouterr()
        results = [json.loads(line) for line in said.out.splitlines()]
        return code, sorted(results, key=lambda result: result["line"]), said.err

    return call


WAVE = {"name": "wave", "prompt": "a person waves", "seconds": 2, "style": {"energy": 0.8}, "seed": 4}
FAIL = {"name": "fail", "prompt": "fail"}
TWO = {"name": "two", "prompt": "a person jumps", "samples": 2, "guidance": {"text": 2.0}}


def test_it_goes_on_after_a_failure(run: Batch, performer: Performer, tmp_path: Path) -> None:
    code, results, _ = run(WAVE, "", "# not this one", FAIL, TWO)
    assert code == 1
    assert [(r["name"], r["line"], r["state"]) for r in results] == [
        ("wave", 1, "done"),
        ("fail", 4, "failed"),
        ("two", 5, "done"),
    ]
    assert read_clip(tmp_path / "out" / "wave.npz").seconds == pytest.approx(2.0)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("junit.xml", "results.jsonl", "summary.json", "two-1.npz", "two-2.npz", "wave.npz")
    ]
    assert performer.asked[0].style == {"energy": 0.8} and performer.asked[0].seed == 4
    assert performer.asked[2].guidances == {"text": 2.0}
    assert performer.loaded == [("open", "auto")], "the pack is loaded once"
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert {k: summary[k] for k in ("jobs", "done", "failed", "skipped")} == {
        "jobs": 3,
        "done": 2,
        "failed": 1,
        "skipped": 0,
    }
    lines = (tmp_path / "out" / "results.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == results


def test_junit_is_valid_and_counts(run: Batch, tmp_path: Path) -> None:
    run(WAVE, FAIL, {"name": "far", "prompt": "far"})
    run(WAVE, FAIL, {"name": "far", "prompt": "far"})
    report = tmp_path / "out" / "junit.xml"
    SCHEMA.validate(str(report))
    suite = SCHEMA.to_dict(str(report))["testsuite"][0]
    assert (suite["@tests"], suite["@failures"], suite["@skipped"]) == (3, 1, 2)
    wave, fail, _ = suite["testcase"]
    assert wave["skipped"] is not None and "\N{REPLACEMENT CHARACTER}" in fail["failure"]["@message"]


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "name": st.text(min_size=1),
                "state": st.sampled_from(["done", "failed", "skipped"]),
                "seconds": st.floats(0, 1e6),
                "error": st.text(),
                "code": st.text(min_size=1),
                "hint": st.text(),
                "warnings": st.lists(st.text(), max_size=2),
            }
        ),
        max_size=4,
    ),
    st.text(),
)
def test_junit_is_valid_whatever_the_texts(results: list[dict[str, Any]], suite: str) -> None:
    assert SCHEMA.is_valid(junit(suite, results))


def test_what_is_done_is_not_done_again(run: Batch, performer: Performer, tmp_path: Path) -> None:
    run(WAVE, TWO)
    performer.asked.clear()
    code, results, _ = run(WAVE, TWO)
    assert code == 0 and [r["state"] for r in results] == ["skipped", "skipped"] and not performer.asked

    (tmp_path / "out" / "two-2.npz").unlink()
    _, results, _ = run(WAVE, TWO)
    assert [r["state"] for r in results] == ["skipped", "done"], "a file was gone"

    _, results, _ = run({**WAVE, "seed": 5}, TWO)
    assert [r["state"] for r in results] == ["done", "skipped"], "the line was changed"

    (tmp_path / "out" / "wave.npz").write_bytes(b"half")
    _, results, _ = run({**WAVE, "seed": 5}, TWO)
    assert [r["state"] for r in results] == ["done", "skipped"], "a file was damaged"

    _, results, _ = run({**WAVE, "seed": 5}, TWO, flags=("--again",))
    assert [r["state"] for r in results] == ["done", "done"]


def test_a_failed_job_is_tried_again(run: Batch, performer: Performer) -> None:
    run(FAIL)
    assert run(FAIL)[1][0]["state"] == "failed" and len(performer.asked) == 2


def test_an_interrupted_batch_keeps_what_it_has(run: Batch, performer: Performer, tmp_path: Path) -> None:
    stop = {"name": "stop", "prompt": "interrupt"}
    code, results, _ = run(WAVE, stop, TWO)
    assert code == 130 and [r["name"] for r in results] == ["wave"]
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["jobs"] == 3
    _, results, _ = run(WAVE, {**stop, "prompt": "a person stops"}, TWO)
    assert [r["state"] for r in results] == ["skipped", "done", "done"]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "Line 2: This is not JSON"),
        ("[1]", "Line 2: A job is a JSON object"),
        ('{"prompt": "x", "seconds": NaN}', "Line 2: This is not JSON: NaN is not a number."),
        ('{"prompt": "x", "tempo": 3}', "Line 2: 'tempo' cannot be in a job"),
        ('{"prompt": "x", "out": "y.npz"}', "Line 2: 'out' cannot be in a job"),
        ('{"prompt": "x", "seconds": 1000}', "Line 2: Seconds must be between"),
        ('{"prompt": "x", "seconds": "long"}', "Line 2: Argument --seconds"),
        ('{"prompt": ["x"]}', "Line 2: prompt must be text"),
        ('{"prompt": "x", "no_cleanup": 1}', "Line 2: no_cleanup must be true or false"),
        ("{}", "Line 2: There is neither a prompt nor a voice."),
        ('{"name": "../up", "prompt": "x"}', "Line 2: '../up' cannot be the name of a file."),
        ('{"name": "WAVE", "prompt": "x"}', "Line 2: The name 'WAVE' is taken by line 1."),
        ('{"prompt": "x", "render": true}', "Line 2: render must be an object"),
        ('{"prompt": "x", "render": {"light": 1}}', "Line 2: render has no 'light'"),
        ('{"prompt": "x", "render": {"format": "gif"}}', "Line 2: The format of render must be mp4 or png."),
        ('{"prompt": "x", "render": {"resolution": "big"}}', "Line 2: Resolution must look like"),
        ('{"prompt": "x", "render": {"engine": "unreal"}}', "Line 2: Argument --engine"),
        ('{"prompt": "x", "dialect": "bvh", "render": {}}', "Line 2: Only .npz clips can be rendered"),
    ],
)
def test_a_bad_line_is_told_before_the_work(
    run: Batch, performer: Performer, tmp_path: Path, line: str, sentence: str
) -> None:
    code, results, error = run(WAVE, line)
    assert (code, results, performer.loaded) == (2, [], [])
    said = json.loads(error)["error"]
    assert said["message"].startswith(sentence), said
    assert not list((tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else True


def test_files_that_hold_no_jobs(run: Batch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("# nothing")[0] == 2
    (tmp_path / "latin.jsonl").write_bytes(b'{"prompt": "caf\xe9"}')
    for name in ("latin.jsonl", "none.jsonl"):
        assert main(["batch", str(tmp_path / name), "--out", str(tmp_path / "out")]) == 2
        assert name in capsys.readouterr().err


def test_a_prompt_that_looks_like_a_flag_is_a_prompt(run: Batch, performer: Performer) -> None:
    assert run({"prompt": "--out /etc/passwd"})[0] == 0
    assert performer.asked[0].prompt == "--out /etc/passwd"


def test_jobs_are_rendered(run: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def pretend(args: Any) -> int:
        seen.append(args)
        assert read_clip(args.clip).seconds
        args.out.write_bytes(b"picture")
        print("a path")
        return 0

    monkeypatch.setattr(render, "run", pretend)
    rendering = {"format": "png", "engine": "cycles", "samples": 4, "resolution": "64x48", "follow": False}
    code, results, _ = run({**TWO, "render": rendering})
    assert code == 0 and [f["file"] for f in results[0]["files"]] == [
        *("two-1.npz", "two-2.npz", "two-1.png", "two-2.png")
    ]
    assert (seen[0].engine, seen[0].samples, seen[0].resolution, seen[0].follow) == (
        "cycles",
        4,
        "64x48",
        False,
    )


def test_a_failed_rendering_keeps_the_clip_and_is_tried_again(
    run: Batch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(args: Any) -> int:
        raise JobFailed("Rendering failed: no.")

    monkeypatch.setattr(render, "run", broken)
    job = {**WAVE, "render": {}}
    code, results, _ = run(job)
    assert code == 1 and results[0]["error"] == "Rendering failed: no."
    assert (tmp_path / "out" / "wave.npz").exists()
    assert run(job)[1][0]["state"] == "failed"


def test_the_example_for_github_is_a_workflow() -> None:
    """Pinned actions, read-only permissions, and the command as it is spelled here."""
    root = Path(batch.__file__).resolve().parents[2]
    workflow = yaml.safe_load((root / "docs" / "ci" / "render-farm.yml").read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    used = [step["uses"] for step in steps if "uses" in step]
    assert used and all(len(name.rpartition("@")[2]) == 40 for name in used), "pinned to commits"
    assert workflow["permissions"] == {"contents": "read"}
    assert any("understudy batch" in step.get("run", "") for step in steps)
    jobs = (root / "docs" / "ci" / "jobs.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(json.loads(line)["prompt"] for line in jobs)
