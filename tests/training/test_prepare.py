"""Preparing at scale: parts, Ray, kills, files that bring a worker down, rows of Parquet."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from understudy.backend.errors import BadInput
from understudy.backend.motion import npz
from understudy.backend.motion.clip import Clip
from understudy.training import cli
from understudy.training.data import executors, prepare, store
from understudy.training.data.item import Item
from understudy.training.data.job import Converted, Job
from understudy.training.data.metadata import EnhancedMetadata, Interaction, Music, Subject
from understudy.training.data.parquet import TableWriter, schema_of
from understudy.training.data.sets import jobs_of

RAW = Path(__file__).parents[1] / "data" / "raw"


def sway(path: Path, *, frames: int = 12, phase: float = 0.0, fault: str = "") -> Clip | Converted:
    """A converter: a clip that depends on its arguments, or the fault asked for."""
    if fault == "exit":
        os._exit(3)
    if fault == "crash":
        raise RuntimeError("nobody foresaw this")
    poses = np.zeros((frames, 55, 3))
    poses[:, 16, 2] = np.sin(np.arange(frames) / 5 + phase)
    if fault == "nan":
        poses[3, 4, 1] = np.nan
    clip = Clip(poses, np.zeros((frames, 3)), fps=60.0 if fault == "fps" else 30.0)
    if fault == "more":
        facts = EnhancedMetadata(music=Music(bpm=120.0), subject=Subject(height_cm=181.0))
        return Converted(clip, facts, {".wav": b"RIFF", ".words.json": b"{}"})
    return clip


def jobs(folder: Path, count: int, **faults: str) -> Iterator[Job]:
    source = folder / "source.bin"
    source.write_bytes(b"1234")
    os.utime(source, (1, 1))
    for i in range(count):
        name = f"clip{i:03d}"
        item = Item(dataset="toy", motion_name=name, text=[f"a person sways {i}"], trial=name)
        yield Job("toy", name, sway, source, {"phase": i / 7, "fault": faults.get(name, "")}, [item])


def names(folder: Path) -> list[str]:
    return [item.motion_name for item in store.iter_index(folder)]


def test_parts_together_are_the_whole_in_any_order(tmp_path: Path) -> None:
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    prepare.prepare("toy", jobs(tmp_path, 11), whole)
    for part in (2, 0):
        report = prepare.prepare("toy", jobs(tmp_path, 11), parted, period=3, part=part)
    assert report["parts"] == "2 of 3" and len(names(parted)) == 7
    report = prepare.prepare("toy", jobs(tmp_path, 11), parted, period=3, part=1)
    assert "parts" not in report and report["read"] == 11
    assert sorted(names(parted)) == names(whole)
    for path in (whole / "clips").rglob("*.npz"):
        assert path.read_bytes() == (parted / path.relative_to(whole)).read_bytes()
    # Another division forgets the old one's rows and keeps the clips.
    report = prepare.prepare("toy", jobs(tmp_path, 11), parted)
    assert (report["made"], report["kept"]) == (0, 11) and names(parted) == names(whole)


def test_processes_give_what_one_gives_in_the_same_order(tmp_path: Path) -> None:
    prepare.prepare("toy", jobs(tmp_path, 25), tmp_path / "one")
    prepare.prepare("toy", jobs(tmp_path, 25), tmp_path / "two", workers=2)
    assert names(tmp_path / "one") == names(tmp_path / "two") == [f"clip{i:03d}" for i in range(25)]


def test_faults_are_named_and_not_fatal(tmp_path: Path) -> None:
    faults = {"clip002": "exit", "clip004": "crash", "clip005": "nan", "clip009": "fps"}
    report = prepare.prepare("toy", jobs(tmp_path, 20, **faults), tmp_path / "s", workers=2)
    assert report["made"] + report["kept"] == 16 and set(report["skipped"]) == set(faults)
    assert "ended the worker process" in report["skipped"]["clip002"]
    assert "nobody foresaw this" in report["skipped"]["clip004"]
    assert "not finite" in report["skipped"]["clip005"] and "60 frames" in report["skipped"]["clip009"]
    assert not (set(names(tmp_path / "s")) & set(faults))


def test_a_name_taken_twice_does_not_double_rows(tmp_path: Path) -> None:
    twice = [*jobs(tmp_path, 3), *jobs(tmp_path, 3)]
    report = prepare.prepare("toy", twice, tmp_path / "s")
    assert names(tmp_path / "s") == ["clip000", "clip001", "clip002"]
    assert report["read"] == 6 and "has this name" in next(iter(report["skipped"].values()))


def test_a_clip_is_made_again_when_its_file_or_arguments_change(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    prepare.prepare("toy", jobs(tmp_path, 4), folder)
    changed = [
        Job(job.set, job.name, job.convert, job.path, {**job.arguments, "frames": 14}, job.items)
        if job.name == "clip001"
        else job
        for job in jobs(tmp_path, 4)
    ]
    report = prepare.prepare("toy", changed, folder)
    assert (report["made"], report["kept"]) == (1, 3)
    assert len(npz.read_clip(folder / "clips/toy/clip001.npz")) == 14
    list(jobs(tmp_path, 1))
    os.utime(tmp_path / "source.bin", (2, 2))
    moved = [Job(j.set, j.name, j.convert, j.path, j.arguments, j.items) for j in changed]
    assert prepare.prepare("toy", moved, folder)["made"] == 4


def test_what_the_source_knows_travels_with_the_rows(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    for _ in range(2):  # made, then kept: the same rows
        prepare.prepare("toy", jobs(tmp_path, 2, clip001="more"), folder)
        plain, rich = store.read_index(folder)
        assert rich.metadata.music == Music(bpm=120.0) and rich.metadata.subject.height_cm == 181.0
        assert plain.metadata.music is None and plain.metadata.motion_style is not None
        assert (folder / rich.speech).read_bytes() == b"RIFF" and rich.words.endswith("clip001.words.json")
        assert plain.speech == "" == plain.words


def test_captions_may_change_without_making_clips_again(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    prepare.prepare("toy", jobs(tmp_path, 2), folder)
    retold = [
        Job(
            j.set,
            j.name,
            j.convert,
            j.path,
            j.arguments,
            [j.items[0].model_copy(update={"text": ["he is happy"]})],
        )
        for j in jobs(tmp_path, 2)
    ]
    assert prepare.prepare("toy", retold, folder)["kept"] == 2
    assert [item.text for item in store.iter_index(folder)] == [["he is happy"]] * 2
    assert all(item.metadata.motion_style is not None for item in store.iter_index(folder))


def test_a_part_at_work_is_not_disturbed(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    (folder / "parts/toy").mkdir(parents=True)
    with FileLock(folder / "parts/toy/0-of-1.lock"), pytest.raises(BadInput, match="another process"):
        prepare.prepare("toy", jobs(tmp_path, 2), folder)


def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    command = [
        sys.executable, "-m", "understudy.training.cli", "prepare", "open", "--root", str(RAW), "--store", str(folder), "--workers", "1",
    ]  # fmt: skip
    for wanted in (0, 1, 3, 6):
        child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while child.poll() is None and len(list((folder / "clips").rglob("*.npz"))) <= wanted:
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.wait()
        for path in (folder / "clips").rglob("*.npz"):
            if not path.name.startswith("."):
                npz.read_clip(path)
        if (folder / "index.parquet").is_file():
            store.read_index(folder)
    assert subprocess.run(command, capture_output=True, check=True).returncode == 0
    other = tmp_path / "other"
    assert cli.main(["prepare", "open", "--root", str(RAW), "--store", str(other), "--workers", "1"]) == 0
    assert store.read_index(folder) == store.read_index(other)
    assert not list((folder / "parts").rglob(".*"))


@pytest.mark.slow
def test_a_local_ray_gives_the_same_store(tmp_path: Path) -> None:
    one, ray = tmp_path / "one", tmp_path / "ray"
    root = ["--root", str(RAW), "--store"]
    assert cli.main(["prepare", "cmu", "deepmimic", *root, str(one), "--workers", "1"]) == 0
    assert cli.main(["prepare", "cmu", "deepmimic", *root, str(ray), "--ray", "local"]) == 0
    assert store.read_index(one) == store.read_index(ray)
    for path in (one / "clips").rglob("*.npz"):
        assert path.read_bytes() == (ray / path.relative_to(one)).read_bytes()


def test_no_cluster_at_the_address_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = [
        "prepare",
        "deepmimic",
        "--root",
        str(RAW),
        "--store",
        str(tmp_path),
        "--part",
        "3",
        "--period",
        "2",
    ]
    assert cli.main(bad) == 2
    assert "--part counts" in capsys.readouterr().err


def test_all_prepares_what_is_there_and_says_what_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["prepare", "all", "--root", str(RAW), "--store", str(tmp_path), "--workers", "1"]) == 0
    out = capsys.readouterr().out
    assert "cmu: " in out and "not under" in out
    report = json.loads((tmp_path / "report.json").read_text())
    assert {"cmu", "cc0", "deepmimic", "jump_cmu"} <= set(report)


def test_every_row_model_has_a_schema_and_survives_parquet(tmp_path: Path) -> None:
    item = Item(
        dataset="toy", motion_name="a", text=["x", "ÿ"], end=1.5, known=["upper"],
        metadata=EnhancedMetadata(music=Music(bpm=96.5, beat_frames=[1, 20], genre="pop")),
    )  # fmt: skip
    assert schema_of(Item).names == list(Item.model_fields)
    with TableWriter(tmp_path / "index.parquet", Item) as table:
        table.add([item])
    assert store.read_index(tmp_path) == [item]


def test_a_table_that_failed_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), TableWriter(tmp_path / "index.parquet", Item) as table:
        table.add([Item(dataset="toy", motion_name="a")])
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_jobs_are_taken_as_they_are_needed(tmp_path: Path) -> None:
    """A generator of a hundred thousand jobs must not be drained into memory first."""
    taken = 0

    def counted() -> Iterator[Job]:
        nonlocal taken
        for job in jobs(tmp_path, 500):
            taken += 1
            yield job

    done = executors.run(counted(), tmp_path / "s", workers=2)
    next(done)
    assert taken <= 2 * executors.AHEAD * executors.BATCH + executors.BATCH
    done.close()  # type: ignore[attr-defined]


def test_options_of_a_set_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["prepare", "deepmimic", "--root", str(RAW), "--store", str(tmp_path)]
    assert cli.main([*call, "--option", "sides=release"]) == 2
    assert "deepmimic has no option sides" in capsys.readouterr().err
    assert cli.main([*call, "--option", "sides"]) == 2
    assert "KEY=VALUE" in capsys.readouterr().err


def test_a_set_among_others_lies_in_its_own_folder(tmp_path: Path) -> None:
    (tmp_path / "humanml3d/new_joints").mkdir(parents=True)
    np.save(tmp_path / "humanml3d/new_joints/000001.npy", np.zeros((50, 22, 3), np.float32))
    with pytest.raises(BadInput, match="kit_ml"):
        next(iter(jobs_of("kit_ml", tmp_path, tmp_path / "s", alone=False)), None)


def touching(path: Path) -> Converted:
    facts = EnhancedMetadata(interaction=Interaction(contact_frames=[3, 4, 9], interaction_role="leader"))
    clip = sway(path)
    assert isinstance(clip, Clip)
    return Converted(clip, facts)


def test_two_people_in_contact_are_interactive_from_the_first_touch_to_the_last(tmp_path: Path) -> None:
    source = tmp_path / "pair.bin"
    source.write_bytes(b"")
    items = [
        Item(dataset="toy", motion_name="whole", both_text=["they shake hands"]),
        Item(dataset="toy", motion_name="begin", both_text=["they shake hands"], end=0.2),
        Item(dataset="toy", motion_name="said", interactive_start_frame=1, interactive_end_frame=2),
    ]
    report = prepare.prepare("toy", [Job("toy", "pair", touching, source, {}, items)], tmp_path / "s")
    assert report["captions"] == 2
    found = {
        i.motion_name: (i.interactive_start_frame, i.interactive_end_frame)
        for i in store.iter_index(tmp_path / "s")
    }
    assert found == {"whole": (3, 10), "begin": (3, 5), "said": (1, 2)}
