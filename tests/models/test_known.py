"""What a pack knows, and the warning about a prompt that is far from it."""

from __future__ import annotations

import base64
import json
import shutil
import time
from pathlib import Path

import pytest
import yaml

from understudy.backend.errors import BadInput, UnderstudyError
from understudy.backend.motion.npz import clip_from_bytes
from understudy.backend.packs.finding import find_pack, read_pack
from understudy.backend.packs.known import EMBEDDINGS, LIST, Known, amounts, content_words, read_list
from understudy.backend.pipeline import Pipeline, load_pipeline
from understudy.backend.process.worker import Job, Worker
from understudy.backend.protocol.messages import GenerateParams, GenerateResult
from understudy.training.cli import main
from understudy.training.data.prepare import write_index
from understudy.training.packing.known import collect, write_known

from .conftest import KNOWN, TOKENIZERS, item

FAR = "a dragon breathes fire"


@pytest.fixture(scope="module")
def pipeline(knowing_pack: Path) -> Pipeline:
    return load_pipeline(str(knowing_pack), "cpu")


def warned(pipeline: Pipeline, prompt: str) -> list[str]:
    (clip,) = pipeline.generate(GenerateParams(prompt=prompt, seconds=1.0))
    return clip.meta.get("warnings", [])


def test_the_pack_lists_what_it_was_trained_on_and_nothing_else(knowing_pack: Path) -> None:
    known = read_list(find_pack(knowing_pack))
    assert known is not None
    assert "a person rides a bicycle" not in known.captions, "validation is not known"
    assert known.captions.count("a person walks forward") == 1, "one spelling of the same words"
    found = {amount.name: (amount.captions, amount.seconds) for amount in known.actions}
    # Two segments of one clip, 0 to 10 s and 5 to 15 s: 15 s of walking, not 20.
    assert found == {"walk": (2, 15.0), "jump": (1, 2.0), "climb": (1, 2.0), "other": (1, 2.0)}
    assert [amount.name for amount in known.actions] == ["walk", "climb", "jump", "other"]
    assert [(style.name, style.seconds) for style in known.styles] == [("happy", 10.0)]
    assert {LIST, EMBEDDINGS} <= set(find_pack(knowing_pack).files), "both have their checksum"


@pytest.mark.parametrize(
    "prompt",
    [
        "a person walks forward",
        "Someone is walking forwards!",
        "the person is jumping",
        "a person gracefully walks forward",  # a new word, but similar as a whole
        "up and down, forward",  # not similar to any caption, but no word is new
    ],
)
def test_a_near_prompt_is_not_warned_about(pipeline: Pipeline, prompt: str) -> None:
    assert warned(pipeline, prompt) == []


@pytest.mark.parametrize(
    "prompt", [FAR, "the stock market fell", "一个人走路", "?!", "play the violin " * 30]
)
def test_a_far_prompt_gets_one_sentence_with_what_is_nearest(pipeline: Pipeline, prompt: str) -> None:
    (sentence,) = warned(pipeline, prompt)
    assert sentence.startswith("The pack tiny knows little like “" + prompt[:10])
    nearest = sentence.split("nearest are ")[1].rstrip(".").split(", ")
    assert len(set(nearest)) == 3
    assert set(nearest) <= {"walk", "jump", "climb", "“helicopter”"}
    assert len(sentence) < 300
    assert "\n" not in sentence


def test_every_sample_says_it_in_its_file(pipeline: Pipeline) -> None:
    clips = pipeline.generate(GenerateParams(prompt=FAR, seconds=1.0, samples=2))
    assert clips[0].meta["warnings"] == clips[1].meta["warnings"] != []


def test_the_answer_carries_it_once_and_typed(pipeline: Pipeline) -> None:
    answers: list[GenerateResult | UnderstudyError] = []
    worker = Worker(lambda pack, device, engine: pipeline)
    worker.start()
    for number, prompt in enumerate((FAR, "a person walks forward")):
        params = GenerateParams(prompt=prompt, seconds=1.0, samples=2)
        worker.add(Job(number, params, answers.append, lambda progress: None))
    end = time.monotonic() + 30
    while len(answers) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    far, near = answers
    assert isinstance(far, GenerateResult)
    assert isinstance(near, GenerateResult)
    assert near.warnings == []
    assert len(far.warnings) == 1
    assert GenerateResult.model_validate_json(far.model_dump_json()) == far
    assert clip_from_bytes(base64.b64decode(far.clips[0].npz)).meta["warnings"] == far.warnings


def test_an_answer_without_warnings_is_still_read() -> None:
    assert GenerateResult.model_validate({"clips": [], "seconds_taken": 1.0}).warnings == []


def test_a_pack_made_without_never_warns(tiny_pack: Path) -> None:
    pipeline = load_pipeline(str(tiny_pack), "cpu")
    assert read_list(pipeline.pack) is None
    (clip,) = pipeline.generate(GenerateParams(prompt=FAR, seconds=1.0))
    assert "warnings" not in clip.meta


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (LIST, b"{"),
        (LIST, b'{"threshold": 0.5, "captions": ["a"], "labels": [], "actions": []}'),
        (LIST, b'{"threshold": 0.5, "captions": ["a"], "labels": [""], "actions": []}'),
        (EMBEDDINGS, b"no tensors"),
    ],
)
def test_wrong_files_are_one_sentence(knowing_pack: Path, tmp_path: Path, name: str, content: bytes) -> None:
    folder = shutil.copytree(knowing_pack, tmp_path / "pack")
    (folder / name).write_bytes(content)
    with pytest.raises(BadInput, match=r"The pack tiny has (no readable|a wrong) known\.") as caught:
        Known.of(read_pack(folder))
    assert caught.value.field == "pack"


def test_a_store_without_captions_is_refused(tmp_path: Path) -> None:
    assert collect([KNOWN[0].model_copy(update={"text": []})]) is None
    write_index(tmp_path, [KNOWN[-1]])
    with pytest.raises(BadInput, match="no captions to train on"):
        write_known(tmp_path, tmp_path)


def test_only_the_sets_asked_for(tmp_path: Path) -> None:
    write_index(tmp_path, [*KNOWN, item(["a person swims"], 90, dataset="pool")])
    known = write_known(tmp_path, tmp_path, ("pool",))
    assert known.captions == ["a person swims"]
    assert json.loads((tmp_path / LIST).read_text("utf-8"))["labels"] == ["swim"]


def test_the_pack_command_writes_it(
    knowing_pack: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stages = knowing_pack.parent / "stages"
    recipe = {
        **dict.fromkeys(("name", "version", "licence", "description", "card"), "x"),
        "tokenizers": {part: str(stages / f"tokenizer_{part}") for part in TOKENIZERS},
        "language": str(stages / "language"),
        "diffusion": str(stages / "diffusion"),
        "store": str(tmp_path / "nothing here"),
        "data": [],
    }
    (tmp_path / "pack.yaml").write_text(yaml.safe_dump(recipe))
    out = tmp_path / "out"
    command = ["pack", "--config", str(tmp_path / "pack.yaml"), "--out", str(out)]
    assert main(command) == 2
    assert "nothing here is no store" in capsys.readouterr().err
    assert not out.exists()
    assert main([*command, "--store", str(knowing_pack.parent)]) == 0
    known = read_list(find_pack(out))
    assert known is not None
    assert [amount.name for amount in known.actions] == ["walk", "climb", "jump", "other"]


def test_words_are_compared_by_their_stem() -> None:
    assert content_words("A person is jogging.") == content_words("he jogs") == {"jog"}
    assert content_words("a man runs, running; ran") == {"run", "ran"}
    assert content_words("the person is") == set()


def test_amounts_are_in_the_unit_that_fits(knowing_pack: Path) -> None:
    known = collect([item(["walk"], 30 * 90), item(["jump"], 45)])
    assert known is not None
    assert amounts(known.actions) == "walk 1.5 min, jump 2 s"
