"""The speech tokenizer: what a voice is, codes and back, training from a manifest, codes of any voice."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import load_file

from understudy.backend.models.tokenizer_config import TokenizerConfig
from understudy.backend.speech.features import features_of
from understudy.training.cli import main
from understudy.training.corpus.chat_turns import Voices
from understudy.training.data.multimodal.script import json_of
from understudy.training.speech.manifests import write_manifest
from understudy.training.speech.model import (
    STATISTICS,
    SpeechTokenizer,
    SpeechTokenizerConfig,
    voice_statistics,
)
from understudy.training.stages.speech_tokenizer import Speech, load_speech_tokenizer, reconstruction, spoken

from .test_chat import script

RATE = 16000


def voice(seconds: float, pitch: float, seed: int = 0) -> np.ndarray:
    """Something like speech: a buzz whose vowels and loudness change, with pauses."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    syllable = np.floor(time * 4).astype(int)
    loud = np.clip(np.sin(np.pi * (time * 4 % 1)), 0, None) * (syllable % 5 != 4)
    brightness = rng.uniform(0.3, 2.0, syllable.max() + 1)[syllable]
    wave = sum(np.sin(2 * np.pi * pitch * k * time) / k**brightness for k in range(1, 20))
    return (0.1 * loud * wave + 0.001 * rng.normal(size=len(time))).astype(np.float32)


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("speech")
    for speaker, pitch in (("anna", 220.0), ("ben", 110.0), ("carl", 90.0), ("dora", 200.0), ("emil", 130.0)):
        for i in range(2):
            path = root / speaker / f"{i}.wav"
            path.parent.mkdir(exist_ok=True)
            soundfile.write(path, voice(3.0, pitch, i), RATE)
    write_manifest("folder", root, root / "speech.jsonl")
    return root / "speech.jsonl"


def yaml(manifest: Path, out: Path, steps: int = 4) -> str:
    return (
        f"manifest: {manifest}\nout: {out}\nsteps: {steps}\nbatch_size: 4\nwindow: 32\nwarmup: 1\nlog_every: 1\n"
        "save_every: 2\nevaluate_every: 4\nlearning_rate: 0.002\n"
        "model: {width: 32, latent: 16, codes: 16, quantizers: 4, depth: 1}\n"
    )


def small() -> SpeechTokenizer:
    torch.manual_seed(0)
    sizes = TokenizerConfig(features=80, width=16, latent=8, codes=8, quantizers=2, depth=1, norm="frame")
    model = SpeechTokenizer(SpeechTokenizerConfig(tokenizer=sizes)).eval()
    model.tokenizer.codebooks.normal_()
    return model


def test_a_voice_is_told_apart_by_its_statistics_whatever_it_says() -> None:
    rows = [
        voice_statistics(features_of(voice(3.0, pitch, seed))) for pitch in (220.0, 110.0) for seed in (1, 2)
    ]
    assert all(row.shape == (STATISTICS,) and np.isfinite(row).all() for row in rows)
    same = np.linalg.norm(rows[0] - rows[1]) + np.linalg.norm(rows[2] - rows[3])
    assert np.linalg.norm(rows[0] - rows[2]) + np.linalg.norm(rows[1] - rows[3]) > 1.3 * same
    assert 2 ** rows[0][160] * 150 == pytest.approx(220, rel=0.05), "the pitch is in it"
    silent = voice_statistics(features_of(np.zeros(RATE, np.float32)))
    assert np.isfinite(silent).all() and silent[162] == 0


def test_codes_do_not_know_how_loud_a_band_is_with_its_speaker() -> None:
    """A speaker who has more of some bands, and is told so, is coded alike."""
    model = small()
    mel = torch.randn(1, 32, 80)
    told = torch.zeros(1, STATISTICS)
    told[:, 80:160] = 1.0
    tilt = torch.linspace(-2, 2, 80)
    tilted = told.clone()
    tilted[:, :80] = tilt
    with torch.no_grad():
        assert torch.allclose(model.encode(mel, told), model.encode(mel + tilt, tilted), atol=1e-4)
        latents = model.encode(mel, told)
        assert not torch.allclose(
            model.decode(latents, told), model.decode(latents, tilted) - tilt, atol=1e-3
        )


def test_codes_say_the_same_as_their_latents() -> None:
    model = small()
    features = features_of(voice(2.05, 150.0))
    codes, told = model.codes(features)
    assert codes.shape == (len(features) // 4, 2) and codes.max() < 8
    said = model.said(codes, told)
    with torch.no_grad():
        mel = torch.from_numpy(features.mel[: len(said)])[None]
        latents = model.quantize(model.encode(mel, torch.from_numpy(told)[None])).latents
        expected = model.decode(latents, torch.from_numpy(told)[None])[0].numpy()
    assert np.allclose(said, expected, atol=1e-4)
    nothing, _ = model.codes(features_of(np.zeros(400, np.float32)))
    assert len(nothing) == 0


def test_it_trains_goes_on_exactly_and_hears_held_out_speakers(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    for name in ("whole", "parts"):
        (tmp_path / f"{name}.yaml").write_text(yaml(manifest, tmp_path / name))
    assert main(["stage", "speech_tokenizer", "--config", str(tmp_path / "whole.yaml")]) == 0
    said = capsys.readouterr().out
    assert "mel_db" in said and "speaker_mean_db" in said
    for _ in range(4):
        assert (
            main(
                ["stage", "speech_tokenizer", "--config", str(tmp_path / "parts.yaml"), "--set", "minutes=0"]
            )
            == 0
        )
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(a[key], b[key]) for key in a)

    out = tmp_path / "codes"
    assert (
        main(["speech-codes", str(tmp_path / "whole"), "--manifest", str(manifest), "--out", str(out)]) == 0
    )
    with np.load(out / "anna" / "0.npz", allow_pickle=False) as kept:
        assert kept["codes"].shape == (22, 4) and json.loads(str(kept["about"]))["codes_per_second"] == 7.5
        assert kept["voice"].shape == (STATISTICS,)


def test_it_learns_to_say_what_it_hears(manifest: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    path = tmp_path / "s.yaml"
    path.write_text(yaml(manifest, tmp_path / "run", 120).replace("save_every: 2", "save_every: 120").replace("evaluate_every: 4", "evaluate_every: 120"))  # fmt: skip
    assert main(["stage", "speech_tokenizer", "--config", str(path)]) == 0
    from understudy.training.speech.manifests import read_manifest

    rows = [spoken(row, manifest.parent / "mel") for row in read_manifest(manifest) if row.split == "val"]
    numbers = reconstruction(load_speech_tokenizer(tmp_path / "run"), Speech(rows), np.zeros(80))
    assert numbers["mel_db"] < numbers["speaker_mean_db"], "of a speaker that it has not heard"


def test_another_recording_of_the_same_speaker_tells_the_voice(manifest: Path) -> None:
    from understudy.training.speech.manifests import read_manifest

    recordings = [spoken(row, manifest.parent / "mel") for row in read_manifest(manifest)]
    speech = Speech(recordings)
    own, other = (speech.draw(np.random.default_rng(1), 16, 32, share) for share in (0.0, 1.0))
    voices = {one.voice.tobytes(): one.speaker for one in recordings}
    assert own[0].shape == (16, 32, 80) and not np.array_equal(own[1], other[1])
    assert {voices[row.tobytes()] for row in other[1]} <= set(speech.by_speaker)


def test_what_cannot_be_used_is_said(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.jsonl"
    rows = manifest.read_text().splitlines()
    gone = json.loads(rows[0]) | {"path": "gone.wav", "split": "train"}
    whole = [json.loads(r) for r in rows]
    for row in whole:
        row["path"] = str(manifest.parent / row["path"])
    bad.write_text("\n".join(json.dumps(r) for r in (gone, *whole)) + "\n")
    path = tmp_path / "s.yaml"
    path.write_text(yaml(bad, tmp_path / "run", 1))
    assert main(["stage", "speech_tokenizer", "--config", str(path)]) == 0
    assert "1 recordings left out" in capsys.readouterr().out
    assert main(["stage", "speech_tokenizer", "--config", str(path), "--set", "manifest=/no/such.jsonl"]) == 2
    assert main(["speech-codes", str(tmp_path), "--voices", "x.wav", "--out", str(tmp_path / "o")]) == 2
    assert "no trained speech tokenizer" in capsys.readouterr().err
    assert (
        main(["speech-codes", str(tmp_path / "run"), "--voices", "x.wav", "--out", str(tmp_path / "o")]) == 1
    )
    assert "x.wav" in capsys.readouterr().out


def test_scripts_are_said_and_coded_once(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.set_num_threads(1)
    (tmp_path / "s.yaml").write_text(yaml(manifest, tmp_path / "run", 1))
    assert main(["stage", "speech_tokenizer", "--config", str(tmp_path / "s.yaml")]) == 0
    made = script(0, "train")
    (tmp_path / "scripts.jsonl").write_text(json_of(made) + "\n")
    said: list[tuple[str, int]] = []

    class Buzz:
        def say(self, text: str, speaker: int, voice_name: str | None, out: Path) -> None:
            said.append((text, speaker))
            soundfile.write(out, voice(1.0, 100.0 + 80 * speaker), RATE)

    monkeypatch.setattr("understudy.backend.dialogue.voices.find_synthesiser", lambda language: Buzz())
    command = [
        "speech-codes",
        str(tmp_path / "run"),
        "--scripts",
        str(tmp_path / "scripts.jsonl"),
        "--out",
        str(tmp_path / "o"),
    ]
    assert main(command) == 0
    assert said == [(turn.text, turn.speaker) for turn in made.turns]
    heard = Voices(tmp_path / "o")
    assert heard.size == 16 and len(heard.codes(made, 1)) == 7
    assert main(command) == 0 and len(said) == len(made.turns), "what is there is kept"
    monkeypatch.setattr("understudy.backend.dialogue.voices.find_synthesiser", lambda language: None)
    assert main(command) == 2
    assert "Nothing on this machine can say" in capsys.readouterr().err
