"""Stage 3: what a conversation looks like to the language model, training end to end, and what is measured of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from understudy.backend.dialogue.emotions import EMOTIONS
from understudy.backend.errors import BadInput
from understudy.backend.models.chat_words import DELAYS, MARKS, ChatConfig, delay_of
from understudy.backend.models.language import TASKS, LanguageConfig, MotionLanguageModel
from understudy.backend.models.language_config import Vocabulary
from understudy.backend.motion.npz import write_clip
from understudy.backend.performance.pieces import learn_pieces
from understudy.training.cli import main
from understudy.training.corpus.chat_turns import Exchange, Performances, Voices, emotion_index, exchanges
from understudy.training.corpus.dataset import load_corpus
from understudy.training.data.item import Item
from understudy.training.data.multimodal.script import Character, Performed, Script, Turn, json_of
from understudy.training.data.prepare import write_index
from understudy.training.evaluation import chat_metrics
from understudy.training.stages import tokenizer
from understudy.training.stages.chats import PIECE, TEXT, WORD, ChatBatch, ChatMix, Told
from understudy.training.stages.common import load_config
from understudy.training.stages.latents import CaptionEmbeddings, Latents, load_tokenizers

from .test_stages import gait, tokenizer_yaml

LINES = ("Come here, please!", "I would rather not.", "Then I come to you.", "What a lovely day it is.")
MOTIONS = ("a person walks forward", "a person shakes the head", "someone runs", "a man waves")
SPLITS = ("train", "train", "val", "val")


class _Encoder:
    """Every word as a vector of its letters."""

    def encode_many(self, texts: list[str]) -> list[np.ndarray]:
        return [np.stack([self._word(w) for w in text.split() or ["-"]]) for text in texts]

    def encode(self, texts: list[str]) -> object:
        from understudy.backend.text import TextEmbedding

        rows = self.encode_many(texts)
        tokens = np.zeros((len(rows), max(map(len, rows)), 384), np.float32)
        mask = np.zeros(tokens.shape[:2], bool)
        for i, row in enumerate(rows):
            tokens[i, -len(row) :], mask[i, -len(row) :] = row, True
        return TextEmbedding(tokens, mask)

    @staticmethod
    def _word(word: str) -> np.ndarray:
        rng = np.random.default_rng([ord(c) for c in word])
        return rng.normal(size=384).astype(np.float32)


@pytest.fixture(autouse=True)
def _no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("stages.latents", "stages.language"):
        monkeypatch.setattr(f"understudy.training.{module}.TextEncoder", _Encoder)
    for module in ("evaluation.library", "evaluation.chat_metrics"):
        monkeypatch.setattr(f"understudy.training.{module}.sentence_encoder", _Encoder)
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    items = []
    for i, (caption, split) in enumerate(zip(MOTIONS, SPLITS, strict=True)):
        clip = gait(90 + 10 * i, speed=0.5 + 0.4 * i, phase=i)
        path = f"clips/cmu/m{i}.npz"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        write_clip(clip, folder / path)
        items.append(
            Item(
                dataset="cmu", motion_name=f"m{i}", split=split, path=path, text=[caption], end_frame=len(clip),
                known=["lower_trans", "upper"],
            )
        )  # fmt: skip
    write_index(folder, items)
    return folder


def script(number: int, split: str, turns: int = 3) -> Script:
    """A conversation whose listener reacts half a second after the first word, or not at all."""
    clips = [i for i, of in enumerate(SPLITS) if of == split]

    def performed(at: int, begins: float) -> Performed:
        chosen = clips[at % len(clips)]
        return Performed(text=MOTIONS[chosen], clip=f"cmu/m{chosen}", start=0.2, begins=begins)

    return Script(
        id=f"{split}-{number}",
        split=split,
        topic="the weather",
        seed=number,
        author="rules",
        characters=[Character(name="Anna", role="baker"), Character(name="Ben", personality="shy")],
        turns=[
            Turn(
                speaker=i % 2,
                text=LINES[(number + i) % len(LINES)],
                emotion=("happy", "neutral", "sad")[i % 3],
                seconds=2.0,
                motion=performed(number + i, 0.0),
                reaction=performed(number + i + 1, 0.5) if i % 3 else None,
            )
            for i in range(turns)
        ],
    )


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    made = [script(i, split, 12) for split in ("train", "val") for i in range(4)]
    (folder / "scripts.jsonl").write_text("".join(json_of(one) + "\n" for one in made))
    return folder


@pytest.fixture(scope="module")
def tokenizers(store: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("tokenizers")
    for part in ("lower_trans", "upper"):
        path = folder / f"{part}.yaml"
        path.write_text(tokenizer_yaml(store, folder / part, part, steps=2))
        tokenizer.run(load_config(tokenizer.TokenizerStage, path, []))
    return {part: folder / part for part in ("lower_trans", "upper")}


@pytest.fixture
def batch(store: Path, scripts: Path, tokenizers: dict[str, Path], tmp_path: Path) -> ChatBatch:
    corpus = load_corpus(store)
    pieces = learn_pieces(LINES, 130)
    config = LanguageConfig(
        parts={"lower_trans": 8, "upper": 8}, max_length=40, tasks=TASKS, pieces=pieces.get_vocab_size(),
        style=True, rhythm=True, chat=ChatConfig(emotions=EMOTIONS),
    )  # fmt: skip
    performances = Performances(corpus, Latents(corpus, load_tokenizers(tokenizers)))
    texts = {text for turn in exchanges(scripts) for text in turn.texts}
    return ChatBatch(config, ChatMix(), performances, CaptionEmbeddings(texts, tmp_path), pieces)


def words_of(batch: ChatBatch, chats: object, row: int = 0) -> list[str]:
    """The marks of a conversation, in order."""
    kind, words = chats.kind[row], chats.words[row]  # type: ignore[attr-defined]
    first = batch.vocabulary.chat
    found = [int(w) - first for k, w in zip(kind, words, strict=True) if k == 2]
    return [MARKS[w] for w in found if 0 <= w < len(MARKS)]


# -- the vocabulary ------------------------------------------------------------------------------


def test_words_of_conversations_stand_behind_everything_else() -> None:
    plain = LanguageConfig(parts={"lower_trans": 5, "upper": 7}, pieces=11, tasks=TASKS)
    chat = plain.model_copy(update={"chat": ChatConfig(emotions=EMOTIONS, speech=6)})
    before, after = Vocabulary.build(plain), Vocabulary.build(chat)
    assert after[:4] == before[:4] and after.chat == before.size
    assert after.size == before.size + len(MARKS) + len(EMOTIONS) + 32 + DELAYS + 6
    words = ChatConfig(emotions=EMOTIONS, speech=6).words
    kinds = [*words.marks.values(), words.emotions, words.seconds, words.delays, words.speech]
    assert kinds == sorted(set(kinds)) and words.speech + 6 == ChatConfig(emotions=EMOTIONS, speech=6).size


@pytest.mark.parametrize("delay", [-2.0, -0.3, 0.0, 0.5, 3.1, 13.75])
def test_a_delay_has_a_word_that_is_near(delay: float) -> None:
    words = ChatConfig(emotions=EMOTIONS).words
    assert abs(delay_of(words.of_delay(delay) - words.delays) - delay) <= 0.125 + 1e-9
    assert words.delays <= words.of_delay(1000.0) < words.delays + DELAYS
    assert words.of_seconds(1000.0) < words.delays and words.of_seconds(0.0) == words.seconds


def test_an_old_model_goes_on_with_what_it_knows_and_spells_as_before() -> None:
    torch.manual_seed(0)
    sizes = {"width": 16, "layers": 1, "heads": 2, "feed_forward": 32, "tasks": TASKS, "pieces": 11}
    plain = LanguageConfig(parts={"lower_trans": 5, "upper": 7}, **sizes)
    old = MotionLanguageModel(LanguageConfig.model_validate_json(plain.model_dump_json(exclude={"chat"})))
    new = MotionLanguageModel(plain.model_copy(update={"chat": ChatConfig(emotions=EMOTIONS)}))
    assert new.start_from(old.state_dict(), old.config) == []
    hidden = torch.randn(2, 3, 16)
    assert torch.equal(old.piece_logits(hidden), new.piece_logits(hidden))
    assert new.chat_logits(hidden).shape == (2, 3, new.config.chat.size)  # type: ignore[union-attr]


def test_emotions_in_other_words_are_the_nearest_that_are_known() -> None:
    assert [EMOTIONS[emotion_index(word)] for word in ("happy", "cheerful", "furious", "terrified")] == [
        "happy", "happy", "angry", "afraid",
    ]  # fmt: skip
    assert EMOTIONS[emotion_index("purple")] == "neutral"


# -- a conversation ------------------------------------------------------------------------------


def test_a_turn_is_told_with_what_was_before_and_asks_for_the_answer(batch: ChatBatch, scripts: Path) -> None:
    turn = next(t for t in exchanges(scripts, "train") if t.index == 2)
    assert turn.turn.speaker == 0 and turn.turn.reaction is not None
    chats = batch([turn])
    marks = words_of(batch, chats)
    assert marks[0] == "chat" and marks[1:5] == ["persona", "self", "persona", "other"]
    assert marks[5:] == ["self", "moves", "other", "moves", "reacts", "self", "moves", "reacts"]
    words = batch.words
    assert chats.word_out[chats.word_out >= 0].tolist() == [
        words.emotions + EMOTIONS.index("sad"), words.of_delay(0.5),
    ]  # fmt: skip
    spoken = batch.performances.codes(turn.turn.motion, 48)
    asked = chats.motion_out[chats.whom == 1]
    assert np.array_equal(asked[:-1, 0], spoken["lower_trans"]) and asked[-1, 0] == 8, (
        "all of it, and its end"
    )
    assert np.array_equal(asked[1:, 1], spoken["upper"]), "the second part one step behind"
    reaction = batch.performances.codes(turn.turn.reaction, 24)
    assert np.array_equal(chats.motion_out[chats.whom == 2][:-1, 0], reaction["lower_trans"])


def test_nothing_that_must_come_out_can_be_read_before(batch: ChatBatch, scripts: Path) -> None:
    """The answer of one conversation changes; what stands before the first position that gives it stays."""
    turn = next(t for t in exchanges(scripts, "train") if t.index == 2)
    turns = list(turn.script.turns)
    turns[2] = turns[2].model_copy(update={"text": LINES[3], "emotion": "angry", "motion": turns[1].motion})
    other = Exchange(turn.script.model_copy(update={"turns": turns}), 2)
    for told in (Told(False, False), Told(True, False)):
        one, two = batch([turn], None, told), batch([other], None, told)
        first = int(np.flatnonzero(one.word_out[0] >= 0)[0])
        for a, b in (
            (one.kind, two.kind),
            (one.words, two.words),
            (one.frames, two.frames),
            (one.text, two.text),
        ):
            assert np.array_equal(a[0, : first + 1], b[0, : first + 1])


def test_words_come_out_as_pieces_or_are_given(batch: ChatBatch, scripts: Path) -> None:
    turn = exchanges(scripts, "train")[0]
    spelled, given = batch([turn], None, Told(True, False)), batch([turn], None, Told(False, False))
    assert (spelled.kind == PIECE).sum() == (spelled.piece_out >= 0).sum() + 1
    assert batch.pieces.decode(spelled.piece_out[spelled.piece_out > 0].tolist()) == "come here, please"
    assert not (given.piece_out >= 0).any() and (given.kind == TEXT).sum() > (spelled.kind == TEXT).sum()
    directed = batch([turn], None, Told(False, True))
    assert "directed" in words_of(batch, directed) and "directed" not in words_of(batch, given)


def test_who_does_nothing_is_still(batch: ChatBatch, scripts: Path) -> None:
    turn = exchanges(scripts, "train")[0]
    assert turn.turn.reaction is None
    chats = batch([turn])
    assert batch.words.marks["still"] in chats.word_out and not (chats.whom == 2).any()


def test_training_forgets_mirrors_and_slips_and_evaluation_does_not(batch: ChatBatch, scripts: Path) -> None:
    turns = exchanges(scripts, "train")[2:6]
    drawn = [batch(turns, np.random.default_rng(i)) for i in range(20)]
    assert len({chats.kind.shape[1] for chats in drawn}) > 3
    slipped = [
        (chats.frames[0, 1:] != chats.motion_out[0, :-1])[chats.whom[0, :-1] > 0].any() for chats in drawn
    ]
    assert any(slipped)
    assert all(np.array_equal(a, b) for a, b in zip(batch(turns), batch(turns), strict=True))


def test_scripts_of_another_store_are_refused(
    store: Path, scripts: Path, tokenizers: dict[str, Path]
) -> None:
    corpus = load_corpus(store)
    performances = Performances(corpus, Latents(corpus, load_tokenizers(tokenizers)))
    assert not performances.missing(turn.script for turn in exchanges(scripts))
    turn = script(0, "train").turns[0]
    gone = turn.model_copy(update={"motion": turn.motion.model_copy(update={"clip": "cmu/gone"})})
    strange = script(0, "train").model_copy(update={"turns": [gone]})
    assert performances.missing([strange]) == {"cmu/gone"}
    assert performances.codes(gone.motion, 10) == {}


# -- voices --------------------------------------------------------------------------------------


def voices(folder: Path, turns: list[Exchange], codes: int = 9) -> Path:
    """Every turn but each script's first is heard."""
    for turn in turns:
        if turn.index:
            path = folder / turn.script.id / f"{turn.index}.npz"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = np.random.default_rng(turn.index).integers(codes, size=(12, 2)).astype(np.int16)
            np.savez(path, codes=rows, voice=np.zeros(3), about=np.array(json.dumps({"codes": codes})))
    return folder


def test_a_voice_is_heard_and_comes_out_with_the_words(
    batch: ChatBatch, scripts: Path, tmp_path: Path
) -> None:
    turns = exchanges(scripts, "train")
    heard = Voices(voices(tmp_path / "voices", turns))
    config = batch.config.model_copy(update={"chat": ChatConfig(emotions=EMOTIONS, speech=heard.size)})
    able = ChatBatch(config, batch.mix, batch.performances, batch.captions, batch.pieces, heard)
    turn, first = turns[2], able.words.speech
    own = heard.codes(turn.script, 2)
    spelled, given = able([turn], None, Told(True, False)), able([turn], None, Told(False, False))
    assert np.array_equal(spelled.word_out[spelled.word_out >= first] - first, own)
    assert not (given.word_out >= first).any()
    rows = given.words[0][given.kind[0] == WORD] - able.vocabulary.chat - first
    said = rows[(rows >= 0) & (rows < heard.size)]
    assert np.array_equal(said[-len(own) :], own) and np.array_equal(
        said[: -len(own)], heard.codes(turn.script, 1)[::4]
    )
    assert not (able([turn], None, Told(False, False, False)).words[0] == given.words[0][0]).all()
    assert len(heard.codes(turn.script, 0)) == 0, "not heard"


def test_codes_of_another_tokenizer_and_no_codes_are_refused(scripts: Path, tmp_path: Path) -> None:
    turns = exchanges(scripts, "train")
    heard = Voices(voices(tmp_path / "v", turns))
    path = tmp_path / "v" / turns[1].script.id / "1.npz"
    np.savez(path, codes=np.full((3, 1), 40), about=np.array("{}"))
    with pytest.raises(BadInput, match="another speech tokenizer"):
        heard.codes(turns[1].script, 1)
    path.write_bytes(b"broken")
    with pytest.raises(BadInput, match="no codes of speech"):
        heard.codes(turns[1].script, 1)
    with pytest.raises(BadInput, match="no codes of speech"):
        Voices(tmp_path / "nothing")


# -- the whole stage -----------------------------------------------------------------------------


def chat_yaml(store: Path, scripts: Path, tokenizers: dict[str, Path], before: Path, out: Path) -> str:
    parts = "".join(f"  {part}: {folder}\n" for part, folder in tokenizers.items())
    return (
        f"store: {store}\nscripts: {scripts}\nout: {out}\ninit_from: {before}\ntokenizers:\n{parts}"
        "steps: 3\nbatch_size: 3\nwarmup: 1\nevaluate_every: 3\nlog_every: 1\nsave_every: 1\nmeasured: 4\ntold: 0\n"
        "conversations: 0.7\nmodel: {width: 16, layers: 1, heads: 2, feed_forward: 32, max_length: 40}\n"
    )


@pytest.fixture(scope="module")
def before(store: Path, tokenizers: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stage 2, hardly trained."""
    folder = tmp_path_factory.mktemp("before")
    parts = "".join(f"  {part}: {path}\n" for part, path in tokenizers.items())
    path = folder / "language.yaml"
    path.write_text(
        f"store: {store}\nout: {folder / 'language'}\ntokenizers:\n{parts}steps: 2\nbatch_size: 3\nwarmup: 1\n"
        "told: 0\npieces: 130\nmodel: {width: 16, layers: 1, heads: 2, feed_forward: 32, max_length: 40}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        for module in ("stages.latents", "stages.language"):
            patch.setattr(f"understudy.training.{module}.TextEncoder", _Encoder)
        assert main(["stage", "language", "--config", str(path)]) == 0
    return folder / "language"


def test_it_trains_goes_on_and_is_measured(
    store: Path,
    scripts: Path,
    tokenizers: dict[str, Path],
    before: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole, parts = tmp_path / "whole.yaml", tmp_path / "parts.yaml"
    heard = voices(tmp_path / "voices", exchanges(scripts))
    for path in (whole, parts):
        text = chat_yaml(store, scripts, tokenizers, before, tmp_path / path.stem)
        path.write_text(f"{text}speech: {heard}\n")
    assert main(["stage", "chat", "--config", str(whole)]) == 0
    said = capsys.readouterr().out
    assert "val_chat_motion" in said and "val_loss" in said
    # Stopped after each step, and gone on with.
    for _ in range(3):
        assert main(["stage", "chat", "--config", str(parts), "--set", "minutes=0"]) == 0
    a, b = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts"))
    assert all(torch.equal(a[key], b[key]) for key in a)
    started = load_file(before / "model.safetensors")["embedding.weight"]
    assert not torch.equal(a["embedding.weight"][: len(started)], started), "it learns"

    out = tmp_path / "numbers.json"
    capsys.readouterr()
    options = ["--turns", "40", "--replications", "2", "--out", str(out)]
    assert main(["chat-metrics", "--config", str(whole), *options]) == 0
    page, numbers = capsys.readouterr().out, json.loads(out.read_text())
    assert "R-precision@3" in page and "onset of the reaction" in page
    perplexity = numbers["perplexity"]
    assert perplexity["stage 3, motion, line"]["tokens"] == perplexity["stage 2, motion, line"]["tokens"]
    assert 1 < perplexity["stage 3, voice"]["mean"] < 200
    assert perplexity["stage 3, text"]["tokens"] == perplexity["unigrams of training, text"]["tokens"]
    assert 1 < perplexity["stage 3, motion, line"]["mean"] < 20, "of nine and nine tokens, hardly trained"
    assert set(numbers["perplexity_to_stage_2"]) == {
        "motion, line",
        "motion, directed",
        "reaction, line",
        "text",
    }
    # In these scripts every reaction comes after half a second.
    assert numbers["timing"]["mean of training"]["mean"] == pytest.approx(0.0, abs=1e-9)
    judged = numbers["precision"]["captions of the nearest motion"]
    assert set(judged) >= {"stage 3, line", "stage 2, line", "nearest caption, line", "script's own, coded"}


def test_perplexity_and_its_spread_by_hand() -> None:
    totals = np.array([[np.log(2) * 3, 3], [np.log(2) * 5, 5], [np.log(2), 1]])
    found = chat_metrics.spread(totals, ["a", "a", "b"], 5, 0)
    assert found["mean"] == pytest.approx(2.0) and found["half"] == pytest.approx(0.0, abs=1e-9)
    assert found["tokens"] == 9
    ratio = chat_metrics.spread(totals, ["a", "a", "b"], 5, 0, totals * [2, 1])
    assert ratio["mean"] == pytest.approx(0.5) and ratio["half"] == pytest.approx(0.0, abs=1e-9)
    unequal = chat_metrics.spread(np.array([[8.0, 2], [1.0, 2]]), ["a", "b"], 20, 0)
    assert unequal["mean"] == pytest.approx(np.exp(9 / 4)) and unequal["half"] > 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("init_from=", "init_from"),
        ("scripts=/no/such/file", "cannot be read"),
        ("store=/no/such/store", "no store"),
        ("chat.history=-1", "chat.history"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(
    wrong: str,
    sentence: str,
    store: Path,
    scripts: Path,
    tokenizers: dict[str, Path],
    before: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "chat.yaml"
    path.write_text(chat_yaml(store, scripts, tokenizers, before, tmp_path / "out"))
    assert main(["stage", "chat", "--config", str(path), "--set", wrong]) == 2
    assert sentence in capsys.readouterr().err
