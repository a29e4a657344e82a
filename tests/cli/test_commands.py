"""The commands, run in this process: results, exit codes, sentences, untouched files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from understudy.backend.cli.main import main
from understudy.backend.errors import JobFailed
from understudy.backend.motion.clip import Clip
from understudy.backend.motion.npz import read_clip, write_clip
from understudy.backend.process import worker


class FakePipeline:
    """Stands in for trained models; what it does stands in the prompt."""

    def generate(self, params: Any, progress: Any = None, cancelled: Any = None) -> list[Clip]:
        print("a library prints")
        for step in range(3):
            progress("refine", step, 3)
        if params.prompt == "fail":
            raise JobFailed("The model did not manage.")
        if params.prompt == "crash":
            raise RuntimeError("shapes\ndiffer")
        if params.prompt == "interrupt":
            raise KeyboardInterrupt
        frames = round((params.seconds or 1) * 30)
        unknown = {"warnings": ["The pack knows little of this."]} if params.prompt == "far" else {}
        random = np.random.default_rng(params.seed)
        return [
            Clip(
                poses=random.normal(size=(frames, 55, 3)) * 0.1,
                trans=np.linspace([0, 0, 0], [0, 0, 3], frames),
                contacts=np.ones((frames, 4)),
                fps=30.0,
                meta={
                    "prompt": params.prompt,
                    "seed": params.seed,
                    "sample": sample,
                    "licence": "CC-BY-4.0",
                    **unknown,
                },
            )
            for sample in range(params.samples)
        ]


@pytest.fixture(autouse=True)
def pretend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "load_shipped", lambda pack, device, engine: FakePipeline())


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str | Path) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def clip_file(run: Run, tmp_path: Path) -> Path:
    path = tmp_path / "walk.npz"
    assert run("generate", "a person walks", "--out", path, "--seconds", "2")[0] == 0
    return path


def test_generate_writes_a_clip(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "walk.npz"
    code, text, _ = run("generate", "a person wälks 走", "--out", out, "--seconds", "2", "--seed", "7")
    assert code == 0
    assert "2.0 s, 60 frames, CC-BY-4.0" in text
    clip = read_clip(out)
    assert (len(clip), clip.meta["prompt"], clip.meta["seed"]) == (60, "a person wälks 走", 7)
    assert [path.name for path in tmp_path.iterdir()] == ["walk.npz"]  # no temporary files


def test_the_same_seed_gives_the_same_file(run: Run, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run("generate", "x", "--out", tmp_path / f"{name}.npz", "--seed", str(seed))
    one, same, other = ((tmp_path / f"{name}.npz").read_bytes() for name in "abc")
    assert one == same != other


def test_generate_json_is_only_json(run: Run, tmp_path: Path) -> None:
    code, text, errors = run("generate", "x", "--out", tmp_path / "x.npz", "--samples", "2", "--json")
    assert code == 0
    clips = json.loads(text)["clips"]
    assert [Path(clip["file"]).name for clip in clips] == ["x-1.npz", "x-2.npz"]
    assert all(Path(clip["file"]).is_file() for clip in clips)
    assert [clip["meta"]["sample"] for clip in clips] == [0, 1]
    assert "a library prints" in errors


def test_generate_warns_once_on_stderr_and_in_json(run: Run, tmp_path: Path) -> None:
    arguments = ["far", "--out", tmp_path / "x.npz", "--samples", "2"]
    code, text, errors = run("generate", *arguments)
    assert code == 0
    assert errors.count("Warning: The pack knows little of this.\n") == 1
    assert "knows little" not in text
    assert read_clip(tmp_path / "x-1.npz").meta["warnings"] == ["The pack knows little of this."]
    code, text, errors = run("generate", *arguments, "--json")
    assert json.loads(text)["warnings"] == ["The pack knows little of this."]
    assert "knows little" not in errors
    code, text, errors = run("generate", "x", "--out", tmp_path / "y.npz", "--json")
    assert json.loads(text)["warnings"] == []
    assert "Warning" not in run("generate", "x", "--out", tmp_path / "y.npz")[2]


def test_generate_in_another_dialect(run: Run, tmp_path: Path) -> None:
    run("generate", "x", "--out", tmp_path / "z.npz")
    run("generate", "x", "--out", tmp_path / "y.npz", "--dialect", "smplx")
    with np.load(tmp_path / "y.npz") as arrays, np.load(tmp_path / "z.npz") as other:
        assert not np.allclose(arrays["trans"], other["trans"])  # Y up, Z up
    assert np.allclose(read_clip(tmp_path / "y.npz").trans, read_clip(tmp_path / "z.npz").trans, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["", "--out", "a.npz"], "The prompt is empty."),
        (["  ", "--out", "a.npz"], "The prompt is empty."),
        (["x"], "The following arguments are required: --out."),
        (["x", "--out", "a.npz", "--seconds", "0"], "Seconds must be between 0.5 and 60, not 0.0."),
        (["x", "--out", "a.npz", "--seconds", "1000"], "Seconds must be between 0.5 and 60, not 1000.0."),
        (["x", "--out", "a.npz", "--seconds", "-3"], "Seconds must be between 0.5 and 60, not -3.0."),
        (["x", "--out", "a.npz", "--seconds", "nan"], "Seconds must be a finite number."),
        (["x", "--out", "a.npz", "--seconds", "abc"], "Argument --seconds: invalid float value: 'abc'."),
        (
            ["x", "--out", "a.npz", "--seed", "2147483648"],
            "Seed must be between 0 and 2147483647, not 2147483648.",
        ),
        (["x", "--out", "a.npz", "--seed", "-1"], "Seed must be between 0 and 2147483647, not -1."),
        (["x", "--out", "a.npz", "--samples", "9"], "Samples must be between 1 and 8, not 9."),
        (
            ["x", "--out", "a.npz", "--engine", "abacus"],
            "Engine must be 'auto', 'onnx' or 'torch', not 'abacus'.",
        ),
        (["x", "--out", "a.txt"], "a.txt must end in .npz or .bvh."),
        (["x", "--out", "a.npz", "--dialect", "bvh"], "The dialect bvh does not go into a .npz file."),
        (["x", "--out", "a.bvh", "--dialect", "amass"], "The dialect amass does not go into a .bvh file."),
        (["x", "--out", "no/a.npz"], "The folder no does not exist."),
        (["x", "--out", "file.txt/a.npz"], "The folder file.txt does not exist."),
        (["x", "--out", "folder.npz"], "folder.npz is a folder, not a file."),
        (
            ["x", "--out", "a.npz", "--speech", "a.wav", "--seconds", "2"],
            "A voice decides the length: leave seconds out.",
        ),
        (["x", "--out", "a.npz", "--sec", "3"], "Unrecognized arguments: --sec 3."),
    ],
)
def test_bad_input_is_one_sentence_and_exit_2(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder.npz").mkdir()
    Path("file.txt").touch()
    Path("a.npz").write_bytes(b"precious")
    monkeypatch.setattr(worker, "load_shipped", lambda *_: pytest.fail("work started"))
    assert run("generate", *arguments) == (2, "", sentence + "\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "file.txt", "folder.npz"]
    assert Path("a.npz").read_bytes() == b"precious"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that refuses everybody, root too")
def test_an_unwritable_folder_is_told_before_the_work(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "load_shipped", lambda *_: pytest.fail("work started"))
    code, _, errors = run("generate", "x", "--out", "/proc/a.npz")
    assert code == 2
    assert errors.startswith("The folder /proc cannot be written to: ")


@pytest.mark.parametrize(
    ("prompt", "code", "sentence"),
    [
        ("fail", 1, "The model did not manage."),
        ("crash", 1, "Generating failed: shapes."),
        ("interrupt", 130, "Interrupted."),
    ],
)
def test_a_failed_job_leaves_the_old_file(
    run: Run, tmp_path: Path, prompt: str, code: int, sentence: str
) -> None:
    out = tmp_path / "a.npz"
    out.write_bytes(b"precious")
    actual, text, errors = run("generate", prompt, "--out", out)
    assert (actual, text) == (code, "")
    assert errors.splitlines()[-1] == sentence
    assert out.read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_all_samples_appear_or_none(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from understudy.backend.cli import generate

    write = generate.save_clip

    def fail_at_second(clip: Clip, path: Path, dialect: str) -> None:
        if clip.meta["sample"] == 1:
            raise OSError(28, "No space left on device")
        write(clip, path, dialect)

    monkeypatch.setattr(generate, "save_clip", fail_at_second)
    code, _, errors = run("generate", "x", "--out", tmp_path / "a.npz", "--samples", "3")
    assert code == 1
    assert "No space left on device" in errors
    assert list(tmp_path.iterdir()) == []


def test_errors_as_json(run: Run, tmp_path: Path) -> None:
    code, text, errors = run("generate", "", "--out", tmp_path / "a.npz", "--json")
    assert (code, text) == (2, "")
    error = json.loads(errors)["error"]
    assert (error["code"], error["message"], error["field"]) == (
        "bad_input",
        "The prompt is empty.",
        "prompt",
    )
    assert error["hint"]


def test_an_unknown_pack_names_the_field(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    code, _, errors = run("generate", "x", "--out", tmp_path / "a.npz", "--pack", "nowhere", "--json")
    error = json.loads(errors)["error"]
    assert (code, error["field"]) == (2, "pack")
    assert error["message"].startswith("There is no pack 'nowhere'.")


def test_a_fault_of_ours_is_still_one_sentence(
    run: Run, clip_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from understudy.backend.cli import info

    monkeypatch.setattr(info, "describe", lambda clip: 1 / 0)
    assert run("info", clip_file) == (1, "", "This went wrong inside Understudy: division by zero.\n")


def test_info(run: Run, clip_file: Path) -> None:
    code, text, _ = run("info", clip_file)
    assert code == 0
    for words in (
        "2.00 s, 60 frames at 30 fps",
        "3.00 m along its path",
        "left ankle 100%",
        "CC-BY-4.0",
        "a person walks",
    ):
        assert words in text
    facts = json.loads(run("info", clip_file, "--json")[1])
    assert facts["root_travel"]["distance"] == pytest.approx(3, abs=1e-4)
    assert (facts["frames"], facts["fps"], facts["licence"]) == (60, 30, "CC-BY-4.0")
    assert set(facts["known"]) == {"lower_trans", "upper", "hands", "face"}


def test_info_of_a_recording(run: Run, tmp_path: Path) -> None:
    time = np.arange(2 * 16000) / 16000
    soundfile.write(
        tmp_path / "tone.wav", np.stack([0.1 * np.sin(2 * np.pi * 440 * time)] * 2, axis=1), 16000
    )
    code, text, _ = run("info", tmp_path / "tone.wav")
    assert code == 0
    for words in ("2.00 s, 60 frames at 30 fps", "16000 Hz, 2 channels", "0% of it", "warning"):
        assert words in text
    facts = json.loads(run("info", tmp_path / "tone.wav", "--json")[1])
    assert (facts["seconds"], facts["frames"], facts["voice_share"]) == (2.0, 60, 0.0)
    assert all(0 <= value <= 1 for value in facts["outline"])

    (tmp_path / "no.wav").write_bytes(b"hello")
    code, text, errors = run("info", tmp_path / "no.wav", "--json")
    assert (code, text, json.loads(errors)["error"]["field"]) == (2, "", "speech")


def test_files_that_are_no_clips(run: Run, tmp_path: Path, clip_file: Path) -> None:
    (tmp_path / "cut.npz").write_bytes(clip_file.read_bytes()[:2000])
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "objects.npz", poses=np.array([{}, None], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "keys.npz", something=np.zeros(3))
    (tmp_path / "a.txt").touch()
    for name in ("cut.npz", "text.npz", "objects.npz", "keys.npz", "a.txt", "none.npz", "."):
        for command in (["info"], ["convert"], ["render"]):
            extra = {"info": [], "convert": [tmp_path / "o.npz"], "render": ["--out", tmp_path / "o.png"]}
            code, text, errors = run(*command, tmp_path / name, *extra[command[0]])
            assert (code, text) == (2, ""), name
            assert len(errors.splitlines()) == 1
            assert errors.rstrip().endswith(".")
    assert not list(tmp_path.glob("o.*"))


def test_convert_keeps_the_duration_at_another_rate(run: Run, clip_file: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.npz"
    code, text, _ = run("convert", clip_file, out, "--fps", "24")
    assert code == 0
    assert "24 fps" in text
    before, after = read_clip(clip_file), read_clip(out)
    assert after.fps == 24
    assert after.seconds == pytest.approx(before.seconds, abs=2 / 24)
    assert np.allclose(after.trans[-1], before.trans[-1], atol=3 / 24)


def test_convert_in_place(run: Run, clip_file: Path) -> None:
    before = read_clip(clip_file)
    assert run("convert", clip_file, clip_file, "--dialect", "smplx", "--json")[0] == 0
    assert np.allclose(read_clip(clip_file).trans, before.trans, atol=1e-5)


def test_convert_to_bvh(run: Run, clip_file: Path, tmp_path: Path) -> None:
    assert run("convert", clip_file, tmp_path / "walk.bvh")[0] == 0
    assert (tmp_path / "walk.bvh").read_text().startswith("HIERARCHY")


@pytest.mark.parametrize(("file", "rate"), [("amc/02/02_03.amc", 120), ("bvh_mb/02/02_03.bvh", 120)])
def test_convert_reads_captured_motion(run: Run, tmp_path: Path, file: str, rate: int) -> None:
    source = Path(__file__).parents[1] / "data" / "raw" / "cmu" / file
    code, text, _ = run("info", source, "--json")
    facts = json.loads(text)
    assert code == 0
    assert facts["fps"] == rate
    assert facts["layout"].startswith(("BVH", "ASF/AMC"))
    assert run("convert", source, tmp_path / "a.npz", "--source-fps", "60", "--fps", "30")[0] == 0
    assert read_clip(tmp_path / "a.npz").seconds == pytest.approx(facts["frames"] / 60, abs=1 / 30)


@pytest.mark.parametrize("fps", ["0", "-1", "nan", "inf", "1e9"])
def test_convert_refuses_impossible_rates(run: Run, clip_file: Path, tmp_path: Path, fps: str) -> None:
    code, _, errors = run("convert", clip_file, tmp_path / "o.npz", "--fps", fps)
    assert (code, errors.startswith("Fps must be between 1 and 1000")) == (2, True)


def test_doctor_names_what_is_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from understudy.backend.packs import finding as packs
    from understudy.backend.process import machine

    monkeypatch.setattr(packs, "pack_folders", lambda: iter(()))
    real = machine.installed_version
    gone = ("torch", "onnxruntime")
    monkeypatch.setattr(machine, "installed_version", lambda name: None if name in gone else real(name))
    code, text, errors = run("doctor", "--blender", "/no/such/blender", "--json")
    assert (code, errors) == (1, "")
    found = json.loads(text)
    states = {check["name"]: check["state"] for check in found["checks"]}
    assert (states["engine torch"], states["packs"], states["numpy"]) == ("missing", "missing", "ok")
    assert states["Blender"] == "absent"
    assert all(check["hint"] for check in found["checks"] if check["state"] != "ok")


def test_doctor_is_content_with_one_engine(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from understudy.backend.process import machine

    monkeypatch.setattr(machine, "engines", lambda: {"onnx": "1.23"})
    code, text, _ = run("doctor", "--blender", "/no/such/blender", "--json")
    states = {check["name"]: check["state"] for check in json.loads(text)["checks"]}
    assert (states["engine onnx"], states["engine torch"], code) == ("ok", "absent", 0)


def test_packs(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from understudy.backend.packs import finding as packs

    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "w").write_bytes(b"12345")
    (folder / "pack.toml").write_text(
        'name="mine"\nversion="2"\nlicence="MIT"\nformat=1\n'
        f'[[data]]\nname="CMU"\nlicence="free"\nattribution="CMU mocap"\n[files]\nw="{"0" * 64}"\n'
    )
    monkeypatch.setattr(packs, "SHIPPED", tmp_path)
    code, text, _ = run("packs")
    assert code == 0
    assert "mine 2, MIT" in text
    assert "trained on CMU (free): CMU mocap" in text
    listed = json.loads(run("packs", "--json")[1])
    assert [(pack["name"], pack["licence"], pack["bytes"]) for pack in listed] == [("mine", "MIT", 5)]
    assert (listed[0]["actions"], listed[0]["styles"]) == (None, None)  # it does not say


def test_packs_tells_what_each_knows(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from understudy.backend.packs import finding as packs

    known = {
        "threshold": 0.5,
        "captions": ["a person walks"],
        "labels": ["walk"],
        "actions": [
            {"name": "walk", "captions": 3, "seconds": 750.0},
            {"name": "jump", "captions": 1, "seconds": 4.2},
        ],
        "styles": [{"name": "proud", "captions": 2, "seconds": 90.0}],
    }
    for name, content in (("bad", "{"), ("good", json.dumps(known))):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "known.json").write_text(content)
        (folder / "pack.toml").write_text(
            f'name="{name}"\nversion="2"\nlicence="MIT"\nformat=1\n[files]\n"known.json"="{"0" * 64}"\n'
        )
    monkeypatch.setattr(packs, "SHIPPED", tmp_path)
    code, text, _ = run("packs")
    assert code == 0
    assert "  knows walk 12.5 min, jump 4 s\n  in the styles proud 1.5 min\n" in text
    assert "The pack bad has no readable known.json." in text
    bad, good = json.loads(run("packs", "--json")[1])
    assert bad["actions"] is None
    assert (good["actions"], good["styles"]) == (known["actions"], known["styles"])


# -- render: the child is a script of ours here; the real one is tested with Blender ---------------


@pytest.fixture
def renderer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def use(script: str) -> None:
        from understudy.backend.cli import render

        monkeypatch.setattr(
            render,
            "blender_command",
            lambda found, module, arguments: [
                sys.executable,
                "-c",
                "import sys\n" + script,
                module,
                *arguments,
            ],
        )
        monkeypatch.setattr(render, "find_blender", lambda asked: ["python", sys.executable])

    return use


def test_render_puts_the_files_in_place(run: Run, clip_file: Path, tmp_path: Path, renderer: Any) -> None:
    renderer(
        "a = sys.argv[1:]; assert a[0] == 'understudy.addon.render.cli', a\n"
        "print('Fra:1 Mem:20M')\n"
        "open(a[a.index('--out') + 1], 'w').write(' '.join(a))\n"
        "open(a[a.index('--blend') + 1], 'w').write('blend')"
    )
    out, blend = tmp_path / "o.png", tmp_path / "o.blend"
    arguments = ["--engine", "cycles", "--samples", "4", "--frame", "3", "--resolution", "64x48"]
    code, text, _ = run("render", clip_file, "--out", out, "--blend", blend, *arguments)
    assert (code, text) == (0, f"{out}\n{blend}\n")
    given = out.read_text()
    assert all(
        words in given for words in ("--engine cycles", "--samples 4", "--frame 3", "--resolution 64x48")
    )
    assert blend.read_text() == "blend"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["o.blend", "o.png", "walk.npz"]


@pytest.mark.parametrize(
    ("script", "code", "sentence"),
    [
        ("sys.exit('out of memory')", 1, "Rendering failed: out of memory"),
        ("print('No such shape.', file=sys.stderr); sys.exit(2)", 2, "No such shape."),
        ("sys.exit(5)", 1, "Rendering failed with exit code 5."),
        ("pass", 1, "Blender ended without writing a picture."),
        ("sys.stderr.buffer.write(b'\\xff' * 300000 + b'\\nlast'); sys.exit(1)", 1, "Rendering failed: last"),
    ],
)
def test_render_that_fails(
    run: Run, clip_file: Path, tmp_path: Path, renderer: Any, script: str, code: int, sentence: str
) -> None:
    renderer(script)
    out = tmp_path / "o.mp4"
    out.write_bytes(b"precious")
    assert run("render", clip_file, "--out", out) == (code, "", sentence + "\n")
    assert out.read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--out", "o.gif"], "o.gif must end in .mp4 or .png."),
        (
            ["--out", "o.png", "--resolution", "big"],
            "Resolution must look like 1280x720, each side from 16 to 8192.",
        ),
        (
            ["--out", "o.png", "--resolution", "0x10"],
            "Resolution must look like 1280x720, each side from 16 to 8192.",
        ),
        (["--out", "o.png", "--samples", "0"], "Samples must be between 1 and 65536, not 0."),
        (["--out", "o.png", "--frame", "60"], "The clip has frames 0 to 59, not 60."),
        (["--out", "o.png", "--blend", "a.png"], "a.png must end in .blend."),
        (["--out", "o.png", "--blender", "/no/blender"], "There is no program /no/blender."),
    ],
)
def test_render_bad_input(
    run: Run,
    clip_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("render", clip_file, *arguments) == (2, "", sentence + "\n")


def test_write_clip_is_what_generate_writes(clip_file: Path, tmp_path: Path) -> None:
    write_clip(read_clip(clip_file), tmp_path / "again.npz")
    assert (tmp_path / "again.npz").read_bytes() == clip_file.read_bytes()
