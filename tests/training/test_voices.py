"""What is heard beside a motion: the stretch that is asked for, in time with it, and nothing where nobody speaks."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput
from understudy.backend.models.diffusion import Denoiser, DiffusionConfig
from understudy.backend.motion.npz import write_clip
from understudy.backend.speech.features import features_of
from understudy.backend.speech.hearing import HEARD, SOUND, latent_sound, silence, sound, spoken
from understudy.backend.speech.voice import TALKING
from understudy.backend.speech.words import Word
from understudy.training.commands.stage import STAGES
from understudy.training.corpus.dataset import load_corpus
from understudy.training.corpus.voices import Voices, sound_of, words_of
from understudy.training.data.item import Item
from understudy.training.data.prepare import write_index
from understudy.training.packing.pack import read_recipe
from understudy.training.stages import diffusion, tokenizer
from understudy.training.stages.common import load_config
from understudy.training.stages.windows import Windows, not_as_heard

from ..speech.voices import RATE, speak
from .test_stages import gait, tokenizer_yaml

SPEECH = Path(diffusion.__file__).parents[1] / "configs/speech"
SAID = [("hello", 0.4, 0.8), ("there", 0.9, 1.4)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two recorded talkers, one for training and one for validation, and two silent people, one of them described."""
    folder = tmp_path_factory.mktemp("store")
    clips = folder / "clips/beat2"
    clips.mkdir(parents=True)
    items = []
    for i, name in enumerate(("talk", "held", "silent", "walk")):
        clip = gait(150, speed=0.0, phase=i)
        write_clip(clip, clips / f"{name}.npz")
        heard = name in ("talk", "held")
        if heard:
            soundfile.write(clips / f"{name}.wav", speak(i, 5.0).samples, RATE)
            rows = [dict(zip(("text", "start", "end"), word, strict=True)) for word in SAID]
            (clips / f"{name}.words.json").write_text(json.dumps({"words": rows}))
        items.append(
            Item(
                dataset="cmu" if name == "walk" else "beat2", motion_name=name,
                split="val" if name == "held" else "train", text=["a person walks"] if name == "walk" else [],
                path=f"clips/beat2/{name}.npz", end_frame=150, known=["lower_trans", "upper"],
                speech=f"clips/beat2/{name}.wav" if heard else "",
                words=f"clips/beat2/{name}.words.json" if heard else "",
            )
        )  # fmt: skip
    write_index(folder, items)
    return folder


def test_who_is_recorded_talks_and_who_is_neither_told_nor_heard_teaches_nothing(store: Path) -> None:
    corpus = load_corpus(store, datasets=("beat2",), speeds=(0.5,))
    assert {s.motion.name for s in corpus.segments} == {"talk", "held", "talk--x0.5"}
    assert {s.captions for s in corpus.segments} == {(TALKING,)}
    assert all((m.speech is None) == ("x0.5" in m.name or "silent" in m.name) for m in corpus.motions)


def test_a_stretch_is_heard_from_its_own_frame_on(store: Path) -> None:
    corpus = load_corpus(store, mirrored=False)
    motion = next(m for m in corpus.motions if m.name == "talk")
    voices = Voices(corpus.motions, store / "features", words=True)
    whole = sound(features_of(soundfile.read(store / "clips/beat2/talk.wav", dtype="float32")[0]))
    heard = voices.sound(motion, 10, 6)
    assert heard is not None and heard.shape == (6, HEARD)
    np.testing.assert_allclose(heard, whole[10:34].reshape(6, HEARD), atol=5e-3)
    late = voices.sound(motion, 144, 6)
    assert late is not None
    np.testing.assert_allclose(late[2:], silence(16).reshape(4, HEARD))  # the recording is over
    assert Voices([], store / "features", words=True).sound(corpus.motions[-1], 0, 4) is None


def test_words_are_there_while_they_are_spoken(store: Path) -> None:
    def embed(texts: list[str]) -> np.ndarray:
        return np.eye(2)[[["hello", "there"].index(text) for text in texts]] / np.sqrt(2)

    words = [Word(*word) for word in SAID]
    said = spoken(words, embed, 12, width=2)
    # "hello" is spoken from frame 12 to 24, "there" from 27 to 42: latent frames 3 to 6 and 6.75 to 10.5.
    expected = np.zeros((12, 2))
    expected[3:6, 0] = 1.0
    expected[6, 1], expected[7:10, 1], expected[10, 1] = 0.25, 1.0, 0.5
    np.testing.assert_allclose(said, expected, atol=1e-6)
    np.testing.assert_allclose(spoken(words, embed, 4, first=24, width=2), said[6:10], atol=1e-6)
    assert spoken([], embed, 3).shape == (3, 384) and not spoken([], embed, 3).any()


@given(
    spans=st.lists(st.tuples(st.floats(0, 9), st.floats(0.01, 3)), max_size=6),
    first=st.integers(0, 200),
    length=st.integers(1, 40),
)
def test_every_word_counts_for_as_long_as_it_is_spoken(
    spans: list[tuple[float, float]], first: int, length: int
) -> None:
    words = [Word("a", start, start + seconds) for start, seconds in spans]
    said = spoken(words, lambda texts: np.ones((len(texts), 1)), length, first, width=1)
    begin, end = first / 30, first / 30 + length * 4 / 30
    inside = sum(max(min(w.end, end) - max(w.start, begin), 0.0) for w in words)
    assert said.sum() * 4 / 30 == pytest.approx(inside, abs=1e-3)


def test_sound_of_silence_and_past_the_end_is_the_same_as_recorded_silence() -> None:
    assert silence(8).shape == (8, SOUND)
    quiet = sound(features_of(np.zeros(RATE, np.float32)))
    np.testing.assert_allclose(quiet[:, SOUND - 5 :], silence(30)[:, SOUND - 5 :])
    np.testing.assert_allclose(latent_sound(np.zeros((0, SOUND)), 2).reshape(8, SOUND), silence(8))


def test_what_is_heard_is_kept_and_a_new_recording_is_heard_anew(store: Path, tmp_path: Path) -> None:
    path = tmp_path / "voice.wav"
    soundfile.write(path, speak(0, 4.0).samples, RATE)
    first = sound_of(path, tmp_path / "cache")
    np.testing.assert_array_equal(sound_of(path, tmp_path / "cache"), first)
    soundfile.write(path, speak(1, 5.0).samples, RATE)
    assert len(sound_of(path, tmp_path / "cache")) == 150


@pytest.mark.parametrize("text", ["", "[1]", '{"words": [{"text": "a"}]}', '{"words": 3}'])
def test_broken_words_are_one_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.words.json").write_text(text)
    with pytest.raises(BadInput, match=r"a\.words\.json is no list of words"):
        words_of(tmp_path / "a.words.json")


def config_of(folder: Path, text: str) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def diffusion_yaml(store: Path, out: Path, parts: dict[str, Path], more: str = "") -> str:
    folders = "".join(f"  {part}: {path}\n" for part, path in parts.items())
    return (
        f"store: {store}\nout: {out}\ntokenizers:\n{folders}planned: []\nspeech: 0.9\nwords: 0.7\nsteps: 4\n"
        "batch_size: 4\nwarmup: 1\nsave_every: 2\nevaluate_every: 4\nlog_every: 2\n"
        f"model: {{width: 16, layers: 1, heads: 2, feed_forward: 32, window: 8}}\n{more}"
    )


def test_a_model_that_hears_is_trained_resumed_and_measured(store: Path, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    parts = {}
    for part in ("lower_trans", "upper"):
        parts[part] = tmp_path / part
        text = tokenizer_yaml(store, parts[part], part, steps=2)
        tokenizer.run(load_config(tokenizer.TokenizerStage, config_of(tmp_path, text), []))
    path = config_of(tmp_path, diffusion_yaml(store, tmp_path / "run", parts))
    config = load_config(diffusion.DiffusionStage, path, [])
    diffusion.run(config.model_copy(update={"steps": 2}))
    numbers = diffusion.run(config)
    assert {"train", "val", "val_deaf", "val_other_voice"} <= set(numbers)
    kept = DiffusionConfig.model_validate_json((tmp_path / "run/config.json").read_text())
    assert (kept.sound, kept.words, kept.plan) == (HEARD, 384, False)
    assert "sound.2.weight" in Denoiser(kept).state_dict()
    deaf = load_config(diffusion.DiffusionStage, path, ["datasets=[cmu]"])
    with pytest.raises(BadInput, match="has a recording to hear"):
        diffusion.run(deaf)


def test_the_comparison_hears_nothing_or_another_window() -> None:
    rng = np.random.default_rng(0)
    fields = {name: rng.normal(size=(3, 4, 2)) for name in Windows._fields}
    batch = Windows(**fields)
    found = not_as_heard(batch)
    assert not found["deaf"].sound.any() and not found["deaf"].with_words.any()
    np.testing.assert_array_equal(found["other_voice"].sound[1], batch.sound[0])
    np.testing.assert_array_equal(found["other_voice"].clean, batch.clean)


@pytest.mark.parametrize(
    "path", sorted(SPEECH.glob("*/*.yaml")), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
def test_the_recipes_of_speech_are_valid(path: Path) -> None:
    if path.stem == "pack":
        recipe = read_recipe(path)
        assert recipe.sampling.overlap * 4 == 16 and "NC" in recipe.licence and "face" in recipe.tokenizers
        return
    stage = path.stem.split("_")[0]
    module = import_module(f"understudy.training.stages.{stage}")
    config = load_config(getattr(module, STAGES[stage]), path, [])
    if stage == "diffusion":
        assert DiffusionConfig(parts={"a": 1}, **config.model).window * 4 == 128
        assert config.known_frames == (4, 4) and config.planned == [] and "face" in config.tokenizers
    assert "beat2" in config.datasets, "not for commercial use: said by the set's licence"
