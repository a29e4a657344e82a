"""The learned mouth: it finds what is there to be found, and says so only of speech that it did not see."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from understudy.backend.errors import BadInput
from understudy.backend.motion.expressions import CHANNELS, MOUTH_OPEN
from understudy.backend.speech.face import face_blocks, perform_face
from understudy.backend.speech.face_model import FILE, OUTPUTS, FaceModel
from understudy.backend.speech.features import features_of
from understudy.training import cli
from understudy.training.face import Sums, correlations, fit, solve, squared_error

from ..speech.voices import RATE, speak
from .makers import beat2 as maker


def take(root: Path, name: str, seed: int, follows: bool) -> None:
    """A take whose jaw and first expression follow the loudness of its voice, or nothing at all."""
    import soundfile

    voice = speak(seed, 20.0)
    features = features_of(voice.samples)
    keys = maker.motion(seconds=20.0)
    frames = len(keys["poses"])
    loud = 10 ** (0.03 * np.maximum(features.loudness[:frames].astype(float), -30.0))
    noise = np.random.default_rng(seed).normal(size=(2, frames))
    driven = loud if follows else np.abs(noise[0])
    poses = keys["poses"].reshape(frames, 55, 3)
    poses[:, 22, 0] = 0.1 * driven
    keys["poses"] = poses.reshape(frames, -1)
    keys["expressions"] = np.zeros((frames, 100))
    keys["expressions"][:, 0] = 2.0 * driven + 0.05 * noise[1]
    keys["expressions"][:, 1] = noise[1]
    root.mkdir(parents=True, exist_ok=True)
    np.savez(root / f"{name}.npz", **keys)
    soundfile.write(root / f"{name}.wav", voice.samples, RATE)


def store_of(tmp_path: Path, follows: bool = True) -> Path:
    for i, name in enumerate(("2_scott_0_1_1", "2_scott_0_3_3")):
        take(tmp_path / "raw" / "beat2", name, i, follows)
    store = tmp_path / "store"
    assert cli.main(["prepare", "beat2", "--root", str(tmp_path / "raw"), "--store", str(store)]) == 0
    return store


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, FaceModel, dict]:
    folder = tmp_path_factory.mktemp("face")
    return folder, *fit(store_of(folder))


def test_it_finds_a_face_that_follows_the_voice(fitted: tuple[Path, FaceModel, dict]) -> None:
    _, _, result = fitted
    assert result["clips"] == 2 and result["held_out_frames"] > 100
    assert result["jaw"]["correlation"] > 0.8
    assert result["jaw"]["correlation"] > result["jaw"]["with_other_sound"] + 0.5
    assert result["explained"] > 0.2
    assert "CC BY-NC" in result["licence"]


def test_it_finds_nothing_in_a_face_that_does_not(tmp_path: Path) -> None:
    _, result = fit(store_of(tmp_path, follows=False))
    assert abs(result["jaw"]["correlation"]) < 0.25 and result["explained"] < 0.1


def test_the_command_writes_weights_that_perform(fitted: tuple[Path, FaceModel, dict], capsys) -> None:
    folder, model, _ = fitted
    out = folder / "out"
    assert cli.main(["face", "--store", str(folder / "store"), "--out", str(out)]) == 0
    assert "| jaw |" in capsys.readouterr().out
    assert json.loads((out / "face.json").read_text())["clips"] == 2
    loaded = FaceModel.load(out / FILE)
    assert np.abs(loaded.weights - model.weights).max() < 1e-6 and loaded.licence == model.licence

    voice = speak(9, 10.0)
    features = features_of(voice.samples)
    frames = len(features)
    jaw, eyes, expressions = perform_face(features, frames, 3, model=loaded)
    simple_jaw, simple_eyes, simple = perform_face(features, frames, 3)
    assert np.array_equal(eyes, simple_eyes)
    assert np.corrcoef(jaw[:, 0], features.loudness)[0, 1] > 0.6
    assert np.ptp(expressions[:, 0]) > 0.5, "the scans' expressions move"
    others = [i for name, i in CHANNELS.items() if name != "mouth_open"]
    assert np.array_equal(expressions[:, others], simple[:, others]), "our channels stay ours"
    shown = jaw[:, 0] + MOUTH_OPEN * expressions[:, CHANNELS["mouth_open"]]
    assert (shown > simple_jaw[:, 0] - 1e-9).all(), "a body of our own opens its mouth as far"
    blocks = list(face_blocks(features, frames, 3, model=loaded, block=71))
    for whole, i in ((jaw, 0), (expressions, 2)):
        assert np.abs(np.concatenate([block[i] for block in blocks]) - whole).max() < 1e-9


def test_moments_are_those_of_the_frames() -> None:
    rng = np.random.default_rng(0)
    from understudy.backend.speech.face_model import WIDTH

    x = rng.normal(size=(900, WIDTH)) + 2.0
    true = np.zeros((WIDTH, OUTPUTS))
    true[:5] = rng.normal(size=(5, OUTPUTS))
    y = x @ true + 0.5 * rng.normal(size=(900, OUTPUTS)) - 1.0
    sums = Sums.empty()
    for part in np.array_split(np.arange(900), 7):
        sums.add(x[part], y[part])
    weights = solve(sums, 0.1)
    foretold = (x - x.mean(0)) @ weights + y.mean(0)
    assert np.allclose(
        correlations(weights, sums)[:8], [np.corrcoef(foretold[:, i], y[:, i])[0, 1] for i in range(8)]
    )
    assert squared_error(weights, sums, sums) == pytest.approx(
        (((foretold - y) ** 2).mean(0) / y.var(0)).mean(), rel=1e-6
    )


def test_a_store_without_speech_or_faces_is_refused(tmp_path: Path, capsys) -> None:
    root = tmp_path / "raw" / "beat2"
    root.mkdir(parents=True)
    np.savez(root / "2_scott_0_1_1.npz", **maker.motion(seconds=4.0))
    store = tmp_path / "store"
    assert cli.main(["prepare", "beat2", "--root", str(tmp_path / "raw"), "--store", str(store)]) == 0
    capsys.readouterr()
    assert cli.main(["face", "--store", str(store), "--out", str(tmp_path / "out")]) == 2
    assert "has a recording and a face" in capsys.readouterr().err
    assert not (tmp_path / "out" / FILE).exists()


def test_damaged_weights_are_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / FILE
    with pytest.raises(BadInput, match="no readable face model"):
        FaceModel.load(path)
    path.write_bytes(b"\x00" * 50)
    with pytest.raises(BadInput, match="no readable face model"):
        FaceModel.load(path)
    from safetensors.numpy import save_file

    save_file({"weights": np.zeros((3, OUTPUTS), np.float32), "bias": np.zeros(OUTPUTS, np.float32)}, path)
    with pytest.raises(BadInput, match="another shape"):
        FaceModel.load(path)
