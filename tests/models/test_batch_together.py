"""Batches with real models: performed one by one, together, in processes and on Ray, the clips are the same."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.cli import batch_workers
from understudy.backend.cli.main import main
from understudy.backend.motion.npz import read_clip

PROMPTS = ["a person walks", "a person waves", "a person jumps", "a person sits down slowly"]


def perform(
    folder: Path, pack: Path, capsys: pytest.CaptureFixture[str], *flags: str
) -> list[dict[str, object]]:
    """The results of a batch of prompts, in their order."""
    folder.mkdir()
    jobs = [
        {"name": f"clip-{i}", "prompt": prompt, "seconds": 2, "seed": i, "pack": str(pack), "device": "cpu"}
        for i, prompt in enumerate(PROMPTS)
    ]
    (folder / "jobs.jsonl").write_text("".join(json.dumps(job) + "\n" for job in jobs))
    code = main(["batch", str(folder / "jobs.jsonl"), "--out", str(folder / "out"), "--json", *flags])
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert code == 0, results
    return sorted(results, key=lambda result: int(result["line"]))


def alone(folder: Path, pack: Path) -> None:
    """The same clips, by ``generate``."""
    folder.mkdir()
    for i, prompt in enumerate(PROMPTS):
        command = [
            "generate",
            prompt,
            "--seconds",
            "2",
            "--seed",
            str(i),
            "--pack",
            str(pack),
            "--device",
            "cpu",
        ]
        assert main([*command, "--out", str(folder / f"clip-{i}.npz"), "--json"]) == 0


def assert_same(one: Path, other: Path) -> None:
    for i in range(len(PROMPTS)):
        a, b = read_clip(one / f"clip-{i}.npz"), read_clip(other / f"clip-{i}.npz")
        assert len(a) == len(b) and a.meta["prompt"] == b.meta["prompt"]
        assert np.abs(a.poses - b.poses).max() < 1e-3 and np.abs(a.trans - b.trans).max() < 1e-3


def test_together_is_as_one_by_one(
    able_pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone(tmp_path / "alone", able_pack)
    capsys.readouterr()
    results = perform(tmp_path / "together", able_pack, capsys)
    assert [result["state"] for result in results] == ["done"] * len(PROMPTS)
    assert_same(tmp_path / "alone", tmp_path / "together" / "out")


@pytest.mark.slow
def test_processes_make_the_same(able_pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    perform(tmp_path / "here", able_pack, capsys)
    perform(tmp_path / "processes", able_pack, capsys, "--workers", "2")
    assert_same(tmp_path / "here" / "out", tmp_path / "processes" / "out")


@pytest.mark.slow
def test_ray_makes_the_same(able_pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("ray")
    perform(tmp_path / "here", able_pack, capsys)
    perform(tmp_path / "ray", able_pack, capsys, "--ray", "local")
    assert_same(tmp_path / "here" / "out", tmp_path / "ray" / "out")


def test_processes_are_started_where_they_are_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "bpy", raising=False)
    monkeypatch.setattr(batch_workers.machine, "cores", lambda: 8)
    monkeypatch.setattr(batch_workers.machine, "cuda_devices", lambda: 0)
    assert batch_workers.places(None, 7, "auto") == []
    assert batch_workers.places(None, 100, "auto") == [{"OMP_NUM_THREADS": "2"}] * 4
    assert batch_workers.places(2, 100, "cpu") == [{"OMP_NUM_THREADS": "4"}] * 2
    assert batch_workers.places(8, 1, "auto") == []
    monkeypatch.setattr(batch_workers.machine, "cuda_devices", lambda: 2)
    assert [place["CUDA_VISIBLE_DEVICES"] for place in batch_workers.places(None, 100, "auto")] == ["0", "1"]
    assert batch_workers.places(None, 100, "cpu") == [{"OMP_NUM_THREADS": "2"}] * 4
    monkeypatch.setitem(sys.modules, "bpy", object())
    assert batch_workers.places(4, 100, "auto") == [], "Blender renders in its own process"
