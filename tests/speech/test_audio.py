"""Sound files of every kind come in as the same sound, and everything else as a sentence."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.speech import audio
from understudy.backend.speech.audio import RATE, frame_count, read_all, read_blocks
from understudy.backend.speech.features import speech_features


def clicks(at: list[float], seconds: float, rate: int) -> np.ndarray:
    """Short bursts of 500 Hz, centred at the seconds given."""
    time = np.arange(int(seconds * rate)) / rate
    return sum(0.5 * np.exp(-(((time - t) / 0.004) ** 2)) * np.cos(2 * np.pi * 500 * (time - t)) for t in at)


def centre(samples: np.ndarray, near: float, reach: float = 0.05) -> float:
    """Seconds of the centre of energy around a time."""
    first = max(int((near - reach) * RATE), 0)
    piece = samples[first : int((near + reach) * RATE)].astype(float) ** 2
    return float((np.arange(len(piece)) * piece).sum() / piece.sum() + first) / RATE


@pytest.mark.parametrize("rate", [8000, 11025, 16000, 22050, 44100, 48000, 96000])
@pytest.mark.parametrize("channels", [1, 2, 7])
def test_any_rate_and_channels_keep_time(tmp_path: Path, rate: int, channels: int) -> None:
    sound = clicks([0.5, 2.9], 3.0, rate)
    soundfile.write(tmp_path / "a.wav", np.repeat(sound[:, None], channels, axis=1), rate)
    found, samples = read_all(tmp_path / "a.wav")
    assert (found.rate, found.channels, found.warnings) == (rate, channels, [])
    assert found.seconds == pytest.approx(3.0)
    assert abs(len(samples) - 3 * RATE) <= 1
    for at in (0.5, 2.9):
        assert centre(samples, at) == pytest.approx(at, abs=1.0 / RATE)


@pytest.mark.parametrize(
    ("ending", "options", "late"),
    [
        ("flac", {}, 0.0),
        ("ogg", {}, 0.001),
        ("mp3", {"format": "MP3"}, 0.003),
        ("opus", {"format": "OGG", "subtype": "OPUS"}, 0.001),
        ("aiff", {}, 0.0),
        ("wav", {"subtype": "DOUBLE"}, 0.0),
        ("wav", {"subtype": "PCM_U8"}, 0.0),
    ],
)
def test_formats(tmp_path: Path, ending: str, options: dict, late: float) -> None:
    path = tmp_path / f"a.{ending}"
    soundfile.write(path, clicks([0.5, 2.0], 3.0, 48000), 48000, **options)
    found, samples = read_all(path)
    assert found.seconds == pytest.approx(3.0, abs=1e-3)
    assert centre(samples, 2.0) == pytest.approx(2.0, abs=late + 1.0 / RATE)


@pytest.mark.slow
def test_an_hour_does_not_drift(tmp_path: Path) -> None:
    """11,025 Hz goes into 16 kHz without a whole number; the last click is where it was put."""
    rate, at = 11025, 3599.5
    with soundfile.SoundFile(tmp_path / "h.flac", "w", rate, 1) as file:
        silence = np.zeros(rate * 60)
        for _ in range(59):
            file.write(silence)
        file.write(clicks([at - 59 * 60], 60.0, rate))
    found, blocks = read_blocks(tmp_path / "h.flac")
    count, last = 0, np.zeros(0, np.float32)
    for block in blocks:
        count += len(block)
        last = np.concatenate([last, block])[-2 * RATE :]
    assert count == 3600 * RATE
    assert found.frames == 108000
    assert centre(last, at - 3598.0) + 3598.0 == pytest.approx(at, abs=1.0 / RATE)


@given(st.floats(0.001, 10.0), st.integers(0, 2**32 - 1))
def test_blocks_join_to_the_whole(block: float, seed: int) -> None:
    """However it is cut, the sound is the same (soxr's rounding left aside)."""
    rng = np.random.default_rng(seed)
    sound = rng.standard_normal(int(rng.integers(1, 4000))).astype(np.float32) * 0.1
    pieces = np.split(sound, np.sort(rng.integers(0, len(sound) + 1, int(1 / block) % 7)))
    whole = np.concatenate(list(audio._resampled(iter([sound]), 22050)))
    cut = np.concatenate(list(audio._resampled(iter(pieces), 22050)))
    assert len(whole) == len(cut)
    np.testing.assert_allclose(whole, cut, atol=1e-5)


@given(st.integers(1, 10_000_000), st.sampled_from([8000, 16000, 44100]))
def test_frames_are_as_long_as_the_sound(samples: int, rate: int) -> None:
    count = frame_count(samples / rate)
    assert count >= 1
    assert count == 1 or abs(count / 30 - samples / rate) <= 0.5 / 30 + 1e-9


# --------------------------------------------------------------------------------------- bad files


def damaged(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    rng = np.random.default_rng(0)
    sound = 0.1 * rng.standard_normal(RATE)
    match name:
        case "empty.wav":
            path.write_bytes(b"")
        case "nosound.wav":
            soundfile.write(path, np.zeros(0), RATE)
        case "jpeg.wav":
            path.write_bytes(b"\xff\xd8\xff\xe0" + rng.bytes(3000))
        case "noise.wav" | "noise.mp3" | "noise.ogg":
            path.write_bytes(rng.bytes(9000))
        case "text.mp3":
            path.write_text("hello " * 500)
        case "nan.wav" | "inf.wav" | "huge.wav":
            sound[300] = {"nan.wav": np.nan, "inf.wav": -np.inf, "huge.wav": 1e30}[name]
            soundfile.write(path, sound, RATE, subtype="FLOAT")
        case "head.flac":
            soundfile.write(path, sound, RATE)
            path.write_bytes(path.read_bytes()[:60])
        case "rate0.wav" | "rate1.wav" | "ratebig.wav":
            soundfile.write(path, sound, RATE)
            data = bytearray(path.read_bytes())
            data[24:28] = {"rate0.wav": 0, "rate1.wav": 1, "ratebig.wav": 2**31 - 1}[name].to_bytes(
                4, "little"
            )
            path.write_bytes(data)
        case "folder.wav":
            path.mkdir()
    return path


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("empty.wav", "empty"),
        ("nosound.wav", "no sound"),
        ("jpeg.wav", "JPEG picture"),
        ("noise.wav", "not a sound file"),
        ("noise.mp3", "not a sound file"),
        ("noise.ogg", "not a sound file"),
        ("text.mp3", "not a sound file"),
        ("nan.wav", "not finite"),
        ("inf.wav", "not finite"),
        ("huge.wav", "too large"),
        ("head.flac", "damaged"),
        ("rate0.wav", "damaged"),
        ("rate1.wav", "damaged"),
        ("ratebig.wav", "damaged"),
        ("folder.wav", "not a file"),
        ("missing.wav", "cannot be read"),
    ],
)
def test_what_is_no_sound_is_a_sentence(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        speech_features(damaged(tmp_path, name))
    assert name in caught.value.message
    assert caught.value.message.endswith(".")
    assert caught.value.field == "speech"


def test_longer_than_the_limit_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "long.wav", np.zeros(3 * RATE), RATE)
    monkeypatch.setattr(audio, "LONGEST", 2.0)
    with pytest.raises(BadInput, match="longer than"):
        read_blocks(tmp_path / "long.wav")


@given(st.integers(0, 2**32 - 1), st.sampled_from(["wav", "flac", "ogg", "mp3"]))
def test_damaged_bytes_never_end_in_a_traceback(seed: int, ending: str) -> None:
    import tempfile

    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a.{ending}"
        soundfile.write(path, 0.1 * rng.standard_normal(4000), RATE)
        data = bytearray(path.read_bytes())
        for _ in range(int(rng.integers(1, 20))):
            data[int(rng.integers(len(data)))] = int(rng.integers(256))
        path.write_bytes(data[: int(rng.integers(1, len(data) + 1))])
        try:
            features = speech_features(path)
        except BadInput:
            return
        assert all(
            np.isfinite(getattr(features, name)).all() for name in ("mel", "onset", "loudness", "pitch")
        )


def test_half_a_flac_is_half_the_recording(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    soundfile.write(tmp_path / "cut.flac", 0.1 * rng.standard_normal(10 * RATE), RATE)
    data = (tmp_path / "cut.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(data[: len(data) // 2])
    found, samples = read_all(tmp_path / "cut.flac")
    assert 3.0 <= found.seconds <= 5.0
    assert len(samples) == round(found.seconds * RATE)
    assert any("cut off" in warning for warning in found.warnings)


def test_odd_recordings_are_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    sound = 0.1 * rng.standard_normal(RATE)
    soundfile.write(tmp_path / "anti.wav", np.stack([sound, -sound], axis=1), RATE)
    soundfile.write(tmp_path / "clip.wav", np.clip(30 * sound, -1, 1), RATE)
    soundfile.write(tmp_path / "fine.wav", np.stack([sound, 0 * sound], axis=1), RATE)
    assert "cancel" in read_all(tmp_path / "anti.wav")[0].warnings[0]
    assert "clipped" in read_all(tmp_path / "clip.wav")[0].warnings[0]
    assert read_all(tmp_path / "fine.wav")[0].warnings == []


# ------------------------------------------------------------------------------------------ ffmpeg


def fake_ffmpeg(folder: Path, samples: np.ndarray, status: int) -> None:
    """A program called ffmpeg that notes its arguments and prints samples."""
    (folder / "out.raw").write_bytes(samples.astype("<f4").tobytes())
    program = folder / "ffmpeg"
    program.write_text(
        f"#!{sys.executable}\nimport sys\n"
        f"open({str(folder / 'arguments')!r}, 'w').write('\\n'.join(sys.argv[1:]))\n"
        f"sys.stdout.buffer.write(open({str(folder / 'out.raw')!r}, 'rb').read())\nsys.exit({status})\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script")
def test_m4a_goes_through_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "-a b.m4a").write_bytes(b"\0\0\0\x1cftypM4A " + b"\0" * 200)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="ffmpeg") as caught:
        read_all(tmp_path / "-a b.m4a")
    assert "Install" in caught.value.hint

    sound = clicks([0.5], 5.3, RATE).astype(np.float32)
    fake_ffmpeg(tmp_path, sound, 0)
    found, samples = read_all(tmp_path / "-a b.m4a")
    np.testing.assert_array_equal(samples, sound)
    assert found.seconds == pytest.approx(5.3)
    assert found.warnings == []
    arguments = (tmp_path / "arguments").read_text().split("\n")
    assert f"file:{(tmp_path / '-a b.m4a').resolve()}" in arguments
    assert arguments[arguments.index("-protocol_whitelist") + 1] == "file,pipe"

    fake_ffmpeg(tmp_path, sound, 1)
    assert "damaged" in read_all(tmp_path / "-a b.m4a")[0].warnings[0]
    fake_ffmpeg(tmp_path, sound[:0], 1)
    with pytest.raises(BadInput, match="damaged"):
        read_all(tmp_path / "-a b.m4a")
