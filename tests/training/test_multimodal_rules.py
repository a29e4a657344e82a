"""Scripts without a language model: hundreds of them, none twice by much, val on val's clips, the same for the same seed."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.dialogue.fountain import parse
from understudy.backend.errors import BadInput
from understudy.training.cli import main
from understudy.training.data.multimodal import timing
from understudy.training.data.multimodal.grammar import expand
from understudy.training.data.multimodal.motions import MotionLibrary, sides_of
from understudy.training.data.multimodal.run import run
from understudy.training.data.multimodal.scenarios import Beat, check, load
from understudy.training.data.multimodal.script import Script, fountain_of, read_scripts
from understudy.training.data.multimodal.settings import Profile, ScriptSettings, read_profiles
from understudy.training.words.llm import read_config

from .makers.multimodal import BagOfWords, write_store

COUNT = 300


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_store(tmp_path_factory.mktemp("multimodal") / "store")


@pytest.fixture(scope="module")
def made(store: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    out = tmp_path_factory.mktemp("multimodal") / "out"
    report = run([Profile()], ScriptSettings(), out, store=store, count=COUNT, encoder=BagOfWords)
    return out, report


def texts(script: Script) -> tuple[str, ...]:
    return tuple(turn.text for turn in script.turns)


def test_hundreds_of_scripts_that_differ(made: tuple[Path, dict[str, object]]) -> None:
    out, report = made
    scripts = list(read_scripts(out))
    assert [script.id for script in scripts] == [f"rules-0-{k:05d}" for k in range(COUNT)]
    assert len({texts(script) for script in scripts}) > 0.95 * COUNT
    assert len({line for script in scripts for line in texts(script)}) > 2 * COUNT
    assert len({turn.emotion for script in scripts for turn in script.turns}) == 12
    assert {script.topic for script in scripts} >= {scenario.name for scenario in load()[1]} - {"small talk"}
    assert report == json.loads((out / "report.json").read_text())
    assert report["complete"] and report["scripts"] == COUNT and report["failed"] == {}


def test_plots_and_clips_of_val_and_test_are_never_in_training(
    made: tuple[Path, dict[str, object]],
) -> None:
    splits: dict[str, set[str]] = {"train": set(), "val": set(), "test": set()}
    lines: dict[str, Counter[str]] = {name: Counter() for name in splits}
    for script in read_scripts(made[0]):
        splits[script.split] |= set(script.clips())
        lines[script.split].update(texts(script))
    assert all("_train_" in clip for clip in splits["train"]) and len(splits["train"]) > 60
    # The store has no clips marked test: the test scripts perform val's.
    assert all("_val_" in clip for clip in splits["val"] | splits["test"]) and splits["val"]
    long = {name: {line for line in lines[name] if len(line.split()) > 6} for name in lines}
    assert len(long["val"]) > 20
    assert not long["train"] & (long["val"] | long["test"]) and not long["val"] & long["test"]


def test_reactions_come_after_a_delay_and_pieces_lie_in_their_clips(
    made: tuple[Path, dict[str, object]],
) -> None:
    for script in read_scripts(made[0]):
        for turn in script.turns:
            assert turn.reaction is not None and turn.reaction.begins >= 0.25
            assert turn.reaction.begins <= turn.seconds + 0.7
            assert -0.2 <= turn.motion.begins <= max(0.5 * turn.seconds, 0.3)
            for each in (turn.motion, turn.reaction):
                assert each.text and (each.clip is None or (each.start, each.end) == (1.0, 4.0))


def test_every_script_is_a_screenplay(made: tuple[Path, dict[str, object]]) -> None:
    for script in read_scripts(made[0]):
        play = parse(fountain_of(script))
        assert [speech.text for speech in play.speeches] == list(texts(script))
        assert play.speakers == [c.name.upper() for c in sorted_by_turn(script)]


def sorted_by_turn(script: Script) -> list:  # type: ignore[type-arg]
    first = script.turns[0].speaker
    return [script.characters[first], script.characters[1 - first]]


def test_the_same_seed_the_same_scripts_whole_or_in_parts(store: Path, tmp_path: Path) -> None:
    def make(name: str, **changes: object) -> Path:
        run(
            [Profile()],
            ScriptSettings(),
            tmp_path / name,
            store=store,
            count=12,
            encoder=BagOfWords,
            **changes,
        )  # type: ignore[arg-type]
        return tmp_path / name

    whole = make("whole")
    assert (make("again") / "scripts.jsonl").read_bytes() == (whole / "scripts.jsonl").read_bytes()
    for part in (2, 0, 1):
        assert not (tmp_path / "parts/scripts.jsonl").exists()
        make("parts", period=3, part=part)
    assert (tmp_path / "parts/scripts.jsonl").read_bytes() == (whole / "scripts.jsonl").read_bytes()
    joined, report = (
        json.loads((tmp_path / name / "report.json").read_text()) for name in ("parts", "whole")
    )
    assert {key: joined[key] for key in ("scripts", "turns", "splits", "clips", "complete")} == {
        key: report[key] for key in ("scripts", "turns", "splits", "clips", "complete")
    }
    other = make("other", seed=1)
    assert {texts(s) for s in read_scripts(other)} != {texts(s) for s in read_scripts(whole)}


def test_profiles_say_who_and_about_what(store: Path, tmp_path: Path) -> None:
    profiles = [
        Profile(
            topics=["the ferry", "Wolves have come back to the valley"],
            characters=[{"name": "Mara"}, {"name": "Joao", "role": "baker"}],  # type: ignore[list-item]
            place="a quay",
            relation="rivals",
        ),
        Profile(),
    ]
    settings = ScriptSettings(content=["everyday"])
    run(profiles, settings, tmp_path, store=store, count=60, encoder=BagOfWords)
    scripts = list(read_scripts(tmp_path))
    ours = scripts[::2]
    assert all({c.name for c in script.characters} == {"Mara", "Joao"} for script in ours)
    assert all((script.place, script.relation) == ("a quay", "rivals") for script in ours)
    about = [script for script in ours if script.topic == "Wolves have come back to the valley"]
    assert about and all(any("“Wolves have" in line for line in texts(script)) for script in about)
    assert not any("Mara" in line or "ferry" in line for script in scripts[1::2] for line in texts(script))
    names = {scenario.name for scenario in load()[1] if scenario.content != "everyday"}
    assert not names & {script.topic for script in scripts}


def test_only_what_is_allowed_is_performed(store: Path, tmp_path: Path) -> None:
    settings = ScriptSettings(interaction=["gestures", "everyday"])
    run([Profile()], settings, tmp_path, store=store, count=40, encoder=BagOfWords)
    clips = {clip.split("/")[1].split("_")[0] for script in read_scripts(tmp_path) for clip in script.clips()}
    assert clips and not clips & {"salsa", "cartwheel", "run", "jab", "walk", "charleston"}
    with pytest.raises(BadInput, match="no captioned clips"):
        run([Profile()], ScriptSettings(datasets=["none"]), tmp_path / "x", store=store, encoder=BagOfWords)


# ----------------------------------------------------------------------------------------- searching


def test_the_nearest_of_the_split_is_found(store: Path, tmp_path: Path) -> None:
    library = MotionLibrary(store, tmp_path, encoder=BagOfWords)
    found = library.find("a person waves.", "train", top=3)
    assert {each.clip for each in found[:2]} == {"made/wave_train_0", "made/wave_train_1"}
    assert found[0].score == pytest.approx(1, abs=1e-4) and (found[0].start, found[0].end) == (1.0, 4.0)
    assert found[0].score >= found[1].score >= found[2].score
    assert [each.clip for each in library.find("a person waves", "val", top=1)] == ["made/wave_val_0"]
    assert library.find("a person waves", "test", top=1) == library.find("a person waves", "val", top=1)
    assert library.find("quantum chromodynamics", "train", least=0.5) == []
    assert library.find("  ", "train") == []
    piece = found[0].performed("a person waves", 0.5, longest=2.0)
    assert (piece.start, piece.end, piece.begins) == (1.0, 3.0, 0.5)


def test_the_other_hand_is_no_match(tmp_path: Path) -> None:
    assert sides_of("raises the left hand")[1] == 1 and sides_of("raises the right hand")[1] == -1
    assert sides_of("from left to right")[1] == 0
    assert sides_of("raises both hands")[0] == 1 and sides_of("raises a hand")[0] == -1


def test_embeddings_of_another_store_are_refused(store: Path, tmp_path: Path) -> None:
    from understudy.training.data.item import Item
    from understudy.training.data.parquet import TableWriter
    from understudy.training.words.embeddings import build

    path = build(store, tmp_path / "e", encoder=BagOfWords)
    assert MotionLibrary(store, tmp_path, embeddings=path, encoder=BagOfWords).splits == {"train", "val"}
    (tmp_path / "other").mkdir()
    with TableWriter(tmp_path / "other/index.parquet", Item) as table:
        table.add(
            [Item(dataset="x", motion_name="y", text=["a person yodels"], end_frame=90, path="clips/x/y.npz")]
        )
    with pytest.raises(BadInput, match="yodels"):
        MotionLibrary(tmp_path / "other", tmp_path, embeddings=path, encoder=BagOfWords)


# ---------------------------------------------------------------------------------- plots and words


def test_the_plots_are_well_formed() -> None:
    words, scenarios = load()
    assert sum(len(scenario.variants) for scenario in scenarios) > 60
    for scenario in scenarios:
        parts = [set(scenario.variants_of(split)) for split in ("train", "val", "test")]
        assert set.union(*parts) == set(range(len(scenario.variants))) and sum(map(len, parts)) == len(
            scenario.variants
        )
        for variant in scenario.variants:
            assert {beat.speaker for beat in variant} == {0, 1} and len(variant) >= 5
    with pytest.raises(ValueError, match="no such motion: yodel"):
        check(Beat.model_validate({"a": "Hi.", "is": "happy", "does": ["yodel"], "meets": "nod"}), words)
    with pytest.raises(ValueError, match="no such slot: star"):
        check(Beat.model_validate({"a": "A <star>.", "is": "happy", "does": ["nod"], "meets": "nod"}), words)
    with pytest.raises(ValueError, match="a or b"):
        Beat.model_validate({"a": "Hi.", "b": "Hi.", "is": "happy", "does": ["nod"], "meets": "nod"})


@given(st.integers())
def test_choices_and_slots(seed: int) -> None:
    said = expand("[hello|hi[ there|]], <other>!  [how are you?|] good.", Random(seed), {"other": "Ben"})
    assert said in {
        f"{one}, Ben!{two} Good." for one in ("Hello", "Hi there", "Hi") for two in (" How are you?", "")
    }


def test_a_broken_pattern_is_named() -> None:
    with pytest.raises(ValueError, match="left open"):
        expand("[hello", Random(0), {})
    with pytest.raises(KeyError, match="nobody"):
        expand("<nobody>", Random(0), {})


@given(st.sampled_from(["start", "middle", "end"]), st.floats(0.6, 20), st.integers())
def test_when_bodies_answer(when: str, seconds: float, seed: int) -> None:
    delay = timing.reaction(when, seconds, Random(seed))  # type: ignore[arg-type]
    assert 0.25 <= delay <= max(seconds + 0.2, 0.7)
    if when == "start":
        assert delay <= 0.7
    if when == "end":
        assert delay >= seconds - 0.5


# ------------------------------------------------------------------------------- files and commands


def test_the_examples_are_read() -> None:
    folder = Path(__file__).parents[2] / "training/configs/multimodal"
    assert read_config(ScriptSettings, folder / "rules.yaml") == ScriptSettings()
    assert read_config(ScriptSettings, folder / "rounds.yaml").method == "rounds"
    assert [len(profile.characters) for profile in read_profiles(folder / "profile.yaml")] == [2, 1, 0]


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("p.yaml", "- {nom: x}", "Profile 1 of .* is wrong at nom"),
        ("p.yaml", "[", "cannot be read"),
        ("p.yaml", "[]", "no profiles"),
        ("p.jsonl", '{"name": "a"}\n{"characters": [{"name": ""}]}', "Profile 2"),
        ("p.jsonl", "{", "cannot be read"),
    ],
)
def test_wrong_profiles_are_named(tmp_path: Path, name: str, content: str, word: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=word):
        read_profiles(tmp_path / name)


def test_the_command_says_what_is_wrong(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.yaml"
    for text, more, word in (
        ("method: poems", [], "method"),
        ("least_turns: 9", [], "most_turns"),
        ("method: rules", [], "--store"),
        ("method: rules", ["--store", str(tmp_path)], "index.parquet"),
        ("method: rules", ["--store", str(store), "--count", "0"], "--count"),
        ("method: rules", ["--store", str(store), "--period", "2", "--part", "2"], "--part"),
        ("method: rules", ["--store", str(store), "--profile", str(tmp_path / "no.yaml")], "no.yaml"),
        ("method: rounds", ["--store", str(store)], "base_url"),
    ):
        config.write_text(text)
        assert (
            main(["multimodal", "scripts", "--config", str(config), "--out", str(tmp_path / "o"), *more]) == 2
        )
        assert word in capsys.readouterr().err


def test_the_command_shows_scripts(
    made: tuple[Path, dict[str, object]], capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(made[0])
    assert main(["multimodal", "show", out, "--split", "val", "--limit", "2"]) == 0
    printed = capsys.readouterr().out
    assert printed.count("rules-0-") == 2 and "(val)" in printed and "_val_0]" in printed
    assert main(["multimodal", "show", out, "--id", "rules-0-00004", "--fountain"]) == 0
    assert parse(capsys.readouterr().out).speeches
    assert main(["multimodal", "show", out, "--id", "nobody"]) == 2
    assert main(["multimodal", "show", out + "/none"]) == 2
