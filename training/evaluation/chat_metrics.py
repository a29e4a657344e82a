"""Stage 3 on conversations that training has not seen, beside its stage 2 and motion that is only looked up.

Both models are asked about the same motion. Stage 2 reads of a conversation what it can: what is said in the turn, or the
script's words for the motion, as its prompt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

from ...backend.engines.torch_planner import TorchPlanner
from ...backend.errors import BadInput
from ...backend.models.chat_words import DELAYS, delay_of
from ...backend.models.language import MotionLanguageModel
from ...backend.models.language_config import TASKS, delayed_grid
from ...backend.performance.pieces import FILE, read_pieces
from ...backend.text import TextEmbedding, normalize_prompt
from ..corpus.chat_turns import Codes, Exchange, Performances, Voices, exchanges
from ..corpus.dataset import Corpus, Segment, load_corpus
from ..stages.chat import ChatStage, chat_scores, script_words, turn_losses
from ..stages.chats import LONGEST_TEXT, ChatBatch, Conversation, Told
from ..stages.language import older_config
from ..stages.latents import Latents, load_tokenizers
from ..stages.plans import caption_words
from .chat_performing import ChatPlanner, decoded, something, write_motion
from .library import Library, sentence_encoder
from .metrics import descriptor
from .progress import Progress
from .retrieval import GROUP, Features, cut, embed_motions, embed_texts, load_alignment, r_precision
from .text_metrics import by_chance

GIVEN, DIRECTED, SPELLED = Told(False, False), Told(False, True), Told(True, False)


@dataclass(frozen=True)
class Options:
    """What is measured.

    Attributes:
        split: whose scripts.
        turns: at most so many turns of them are performed; perplexity and timing are of all.
        alignment: folder of an alignment model; without it, captions of the nearest captured motion judge alone.
    """

    split: str = "val"
    turns: int = 160
    alignment: Path | None = None
    replications: int = 20
    seed: int = 1


def load_language(folder: Path) -> MotionLanguageModel:
    """A trained language model.

    Raises:
        BadInput: the folder holds none.
    """
    config = older_config(folder)
    model = MotionLanguageModel(config)
    try:
        model.load_state_dict(load_file(folder / "model.safetensors"))
    except (OSError, RuntimeError) as error:
        raise BadInput(f"{folder} holds no trained language model.", field="out") from error
    return model.eval()


def spread(
    totals: np.ndarray,
    scripts: Sequence[str],
    replications: int,
    seed: int,
    against: np.ndarray | None = None,
) -> dict[str, float]:
    """Perplexity from nats and counts (N, 2) of turns, and half of its 95 % interval: whole scripts drawn anew.

    Args:
        against: of the same turns; the ratio of both perplexities is taken, of the same scripts every time.
    """
    names = {name: i for i, name in enumerate(dict.fromkeys(scripts))}
    columns = totals if against is None else np.concatenate([totals, against], axis=1)
    sums = np.zeros((len(names), columns.shape[1]))
    np.add.at(sums, [names[name] for name in scripts], columns)
    rng = np.random.default_rng(seed)

    def value(rows: np.ndarray) -> float:
        means = rows[0::2] / np.maximum(rows[1::2], 1)
        return float(np.exp(means[0] - (means[1] if against is not None else 0.0)))

    drawn = [sums[rng.integers(len(sums), size=len(sums))].sum(0) for _ in range(max(replications, 2) * 10)]
    whole = sums.sum(0)
    return {
        "mean": value(whole),
        "half": 1.96 * float(np.std([value(rows) for rows in drawn])),
        "tokens": float(whole[1]),
    }


class Measuring:
    """A trained stage 3 and the stage 2 it began with, on the turns of a split.

    Raises:
        BadInput: a folder is not what it should be.
    """

    def __init__(self, config: ChatStage, options: Options, progress: Progress | None = None) -> None:
        if config.init_from is None:
            raise BadInput("The configuration names no stage 2 in init_from.", field="init_from")
        self.config, self.options = config, options
        self.progress = progress or (lambda what, done, total: None)
        self.model, self.before = load_language(config.out), load_language(config.init_from)
        if self.model.config.chat is None:
            raise BadInput(f"{config.out} holds no model that takes part in conversations.", field="out")
        self.turns = exchanges(config.scripts, options.split)
        self.training = exchanges(config.scripts, "train")
        self.corpus = load_corpus(
            config.store, datasets=tuple(config.datasets), mirrored=False, extended=False
        )
        self.tokenizers = load_tokenizers(config.tokenizers)
        clips = {clip for turn in self.turns for clip in turn.script.clips()}
        segments = [s for s in self.corpus.segments if f"{s.motion.dataset}/{s.motion.name}" in clips]
        needed = Corpus([s.motion for s in segments], segments)
        self.performances = Performances(needed, Latents(needed, self.tokenizers, phases=1))
        self.pieces = read_pieces(config.out / FILE)
        own = bool(self.model.config.backbone)
        self.captions = script_words(self.turns, self.pieces, config, own=own)
        voices = (
            Voices(config.speech) if config.speech is not None and self.model.config.chat.speech else None
        )
        self.batch = ChatBatch(
            self.model.config, config.chat, self.performances, self.captions, self.pieces, voices
        )
        self.scripts = [turn.script.id for turn in self.turns]
        self.encoder = sentence_encoder()
        self.library = Library(self.corpus.segments)

    # -- how well what happened is foretold --------------------------------------------------------

    def perplexities(self) -> tuple[dict[str, dict[str, float]], dict[str, dict[str, float]]]:
        """Of motion (both parts' tokens) and of what is said (word pieces), by model and by what it is told; and the
        ratio of stage 3's to stage 2's."""
        totals: dict[str, np.ndarray] = {}
        for name, told in (("line", GIVEN), ("directed", DIRECTED), ("spelled", SPELLED)):
            self.progress("stage 3 foretells", len(totals), 5)
            losses = turn_losses(self.model, self.batch, self.turns, told)
            if told.spelled:
                totals |= {f"stage 3, {kind}": losses[kind] for kind in ("text", "voice") if kind in losses}
            else:
                kinds = ("motion", "reaction") if name == "line" else ("motion",)
                totals |= {f"stage 3, {kind}, {name}": losses[kind] for kind in kinds}
        prompts: dict[str, tuple[str, Callable[[Exchange], str]]] = {
            "stage 2, motion, line": ("motion", lambda turn: turn.turn.text),
            "stage 2, motion, directed": ("motion", lambda turn: turn.turn.motion.text),
            "stage 2, reaction, line": ("reaction", lambda turn: turn.turn.text),
        }
        for i, (name, (kind, prompt)) in enumerate(prompts.items()):
            self.progress("stage 2 foretells", i, len(prompts))
            totals[name] = np.array([self._planned(turn, kind, prompt(turn)) for turn in self.turns])
        totals["stage 2, text"] = np.array([self._told(turn) for turn in self.turns])
        totals["unigrams of training, text"] = self._unigrams()
        keys = (self.scripts, self.options.replications, self.options.seed)
        ratios = {
            name.removeprefix("stage 3, "): spread(of, *keys, totals[name.replace("3", "2", 1)])
            for name, of in totals.items()
            if name.startswith("stage 3") and name.replace("3", "2", 1) in totals
        }
        return {name: spread(of, *keys) for name, of in totals.items()}, ratios

    def _codes(self, turn: Exchange, kind: str) -> Codes:
        """The motion that is asked about."""
        if kind == "reaction":
            return self.performances.codes(turn.turn.reaction, self.config.chat.reaction)
        return self.performances.codes(turn.turn.motion, self.config.chat.motion)

    @torch.inference_mode()
    def _planned(self, turn: Exchange, kind: str, prompt: str) -> tuple[float, float]:
        """Nats and tokens of a turn's motion for stage 2, which reads a prompt and the length."""
        codes = self._codes(turn, kind)
        if not codes:
            return 0.0, 0.0
        config = self.before.config
        grid = torch.from_numpy(delayed_grid(config, codes))
        absent = torch.from_numpy(config.absent)
        text = self._prompt(prompt)
        prefix = self.before.prefix(
            torch.from_numpy(text.tokens),
            torch.tensor([len(next(iter(codes.values())))]),
            torch.tensor([TASKS.index("text_to_motion")]),
        )
        body = self.before.embed(torch.cat([absent[None], grid[:-1]])[None])
        scores, _ = self.before(torch.cat([prefix, body], dim=1))
        nats, count = 0.0, 0
        for i, rows in enumerate(scores.values()):
            there = grid[:, i] != absent[i]
            wanted = grid[there, i]
            nats += F.cross_entropy(rows[0, -len(grid) :][there], wanted, reduction="sum").item()
            count += len(wanted)
        return nats, count

    @torch.inference_mode()
    def _told(self, turn: Exchange) -> tuple[float, float]:
        """Nats and pieces of a line for stage 2, which is shown the speaker's motion and asked to tell it."""
        codes, config = self._codes(turn, "motion"), self.before.config
        if not codes or "motion_to_text" not in config.tasks:
            return 0.0, 0.0
        grid = torch.cat(
            [torch.from_numpy(config.absent)[None], torch.from_numpy(delayed_grid(config, codes))]
        )
        spelled = self.pieces.encode(caption_words(turn.turn.text), add_special_tokens=False).ids[
            :LONGEST_TEXT
        ]
        pieces = torch.tensor([[config.piece_end, *spelled, config.piece_end]])
        task = torch.tensor([TASKS.index("motion_to_text")])
        prefix = self.before.prefix(torch.zeros(1, 0, config.text_width), torch.tensor([0]), task)
        body = [prefix, self.before.embed(grid[None]), self.before.embed_pieces(pieces[:, :-1])]
        hidden = self.before.read(torch.cat(body, dim=1))[0][0, -pieces.shape[1] + 1 :]
        scores = self.before.piece_logits(hidden[None])[0]
        return F.cross_entropy(scores, pieces[0, 1:], reduction="sum").item(), pieces.shape[1] - 1

    def _unigrams(self) -> np.ndarray:
        """Nats and pieces (N, 2) of lines for whoever knows how often each piece is said in training."""
        end = self.model.config.piece_end
        counts = Counter(
            piece for turn in self.training for piece in [*self.batch.spell(turn.turn.text), end]
        )
        total = sum(counts.values()) + self.model.config.pieces  # each piece once more: none is impossible
        rows = []
        for turn in self.turns:
            spelled = [*self.batch.spell(turn.turn.text), end]
            rows.append((-sum(np.log((counts[p] + 1) / total) for p in spelled), len(spelled)))
        return np.array(rows)

    def _prompt(self, text: str) -> TextEmbedding:
        if self.before.config.backbone:
            return TextEmbedding(*self.captions.batch([text]))
        return self.encoder.encode([normalize_prompt(text)])

    # -- when who listens reacts -------------------------------------------------------------------

    @torch.inference_mode()
    def timing(self) -> dict[str, dict[str, float]]:
        """Mean error of the reaction's onset in seconds: the model's median, and constants of training."""
        reacting = [turn for turn in self.turns if turn.turn.reaction is not None]
        known = [turn.turn.reaction.begins for turn in self.training if turn.turn.reaction is not None]
        if not reacting or not known:
            return {}
        assert self.model.config.chat is not None
        first = self.model.config.chat.words.delays
        medians = []
        for at in range(0, len(reacting), 16):
            turns = reacting[at : at + 16]
            scored = chat_scores(self.model, self.batch(turns, None, GIVEN))["words"]
            of_delay = (scored.wanted >= first) & (scored.wanted < first + DELAYS)
            shares = scored.scores[of_delay][:, first : first + DELAYS].softmax(-1).cumsum(-1)
            medians += [delay_of(int(i)) for i in (shares < 0.5).sum(-1)]
        truth = np.array([turn.turn.reaction.begins for turn in reacting if turn.turn.reaction is not None])
        guesses = {
            "stage 3": np.array(medians),
            "mean of training": np.full(len(truth), np.mean(known)),
            "median of training": np.full(len(truth), np.median(known)),
        }
        ids = [turn.script.id for turn in reacting]
        return {name: _error(guess - truth, ids, self.options) for name, guess in guesses.items()}

    # -- whether the motion is what the conversation asks for --------------------------------------

    def performed(self) -> tuple[list[Exchange], dict[str, list[Features]]]:
        """Turns drawn at random, and the speaker's motion by who made it."""
        with_motion = [turn for turn in self.turns if self._codes(turn, "motion")]
        rng = np.random.default_rng(self.options.seed)
        turns = [with_motion[i] for i in rng.permutation(len(with_motion))[: self.options.turns]]
        planner, plain = ChatPlanner(self.model, self.batch), TorchPlanner(self.before, torch.device("cpu"))
        said = _Said(self.training, self.corpus.split("train").segments, self.encoder)
        made: dict[str, list[Features]] = {}
        for i, turn in enumerate(turns):
            self.progress("performing", i, len(turns))
            codes = self._codes(turn, "motion")
            length, seed = len(next(iter(codes.values()))), self.options.seed + i
            row: dict[str, Features] = {}
            for name, told in (("line", GIVEN), ("directed", DIRECTED)):
                planner.conversation = self._asked(turn, told)
                planner.without = self._asked(turn, GIVEN) if told.directed else self._unsaid(turn)
                anything = something(self.model.config.text_width)
                written = write_motion(planner, self.model.config, anything, length, seed)
                row[f"stage 3, {name}"] = decoded(self.tokenizers, written)
            for name, text in (("line", turn.turn.text), ("directed", turn.turn.motion.text)):
                written = write_motion(plain, self.before.config, self._prompt(text), length, seed)
                row[f"stage 2, {name}"] = decoded(self.tokenizers, written)
            row["nearest caption, line"] = self._captured(turn.turn.text)
            row["nearest caption, directed"] = self._captured(turn.turn.motion.text)
            row["nearest line's motion"] = said.motion(turn.turn.text)
            row["script's own, coded"] = decoded(self.tokenizers, codes)
            for name, features in row.items():
                made.setdefault(name, []).append(features)
        return turns, made

    def _asked(self, turn: Exchange, told: Told) -> Conversation:
        """A conversation up to the motion of a turn."""
        made = self.batch.beginning(turn)
        self.batch.line(made, turn, told)
        made.word("moves")
        return made

    def _unsaid(self, turn: Exchange) -> Conversation:
        """The same without the line: led away from it, motion goes with what is said, not only with who is there and
        what was before, as it goes with a direction where it is led away from the rest."""
        made = self.batch.beginning(turn)
        made.word(self.batch.words.emotions)  # neutral
        made.word("moves")
        return made

    def _captured(self, text: str) -> Features:
        """The training motion whose caption is nearest to a text."""
        found = self.library.told_like(text)
        segments = self.library.segments
        return cut(next(segments[i] for i in found if segments[i].motion.split == "train"))

    def precision(self) -> dict[str, Any]:
        """R-precision of 32: whether the motion made for a turn is nearest to the script's words for it, in the
        alignment space and by the captions of the nearest captured motion."""
        turns, made = self.performed()
        if len(turns) < GROUP:
            raise BadInput(f"R-precision needs at least {GROUP} turns with motion.", field="turns")
        asked = [turn.turn.motion.text for turn in turns]
        clips = np.array([turn.turn.motion.clip for turn in turns])
        texts = np.array([normalize_prompt(text) for text in asked])
        right = (texts[:, None] == texts) | (clips[:, None] == clips)
        options = self.options
        known = [{"lower_trans": True, "upper": True}] * len(turns)
        judges: dict[str, tuple[np.ndarray, Callable[[list[Features]], np.ndarray]]] = {}
        if options.alignment is not None:
            space = load_alignment(options.alignment)
            judges["alignment space"] = (
                embed_texts(space, asked, self.encoder)[0],
                lambda motions: embed_motions(space, motions, known),
            )
        judges["captions of the nearest motion"] = (
            self.encoder.encode([normalize_prompt(text) for text in asked]).pooled(),
            lambda motions: np.stack([self.library.meaning(descriptor(motion)) for motion in motions]),
        )
        keys = {"replications": options.replications, "seed": options.seed}
        return {
            "turns": len(turns),
            "chance": by_chance(len(turns), right, **keys),
            **{
                name: {who: _precision(text, embed(motions), right, **keys) for who, motions in made.items()}
                for name, (text, embed) in judges.items()
            },
        }


def _precision(
    text: np.ndarray, motion: np.ndarray, right: np.ndarray, *, replications: int, seed: int
) -> dict[str, dict[str, float]]:
    """``R1`` to ``R3``: mean, half of the binomial 95 % interval over turns, and over groupings alone."""
    found = r_precision(text, motion, right, replications=replications, seed=seed)
    return {
        name: {
            "mean": one.mean,
            "half": 1.96 * float(np.sqrt(one.mean * (1 - one.mean) / len(text))),
            "half_groupings": one.half,
        }
        for name, one in found.items()
    }


class _Said:
    """Lines of training with the motion of their speakers, found by the meaning of a line: retrieval, where a
    conversation takes the place of a caption."""

    def __init__(self, turns: Sequence[Exchange], segments: Sequence[Segment], encoder: Any) -> None:
        clips = {f"{s.motion.dataset}/{s.motion.name}": s.motion for s in segments}
        by_line = {turn.turn.text: turn.turn.motion for turn in turns if turn.turn.motion.clip in clips}
        self._performed, self._encoder = list(by_line.values()), encoder
        self._clips = clips
        self._rows = np.stack([tokens.mean(0) for tokens in encoder.encode_many(list(by_line))])
        self._rows /= np.linalg.norm(self._rows, axis=1, keepdims=True)

    def motion(self, line: str) -> Features:
        asked = self._encoder.encode([normalize_prompt(line)]).pooled()[0]
        found = self._performed[int((self._rows @ asked).argmax())]
        motion = self._clips[str(found.clip)]
        start, stop = (None if x is None else round(30 * x) for x in (found.start, found.end))
        return {part: values[start:stop] for part, values in motion.features.items()}


def _error(apart: np.ndarray, scripts: Sequence[str], options: Options) -> dict[str, float]:
    """Mean size of errors (N,), and half of its 95 % interval over scripts."""
    names = np.array(scripts)
    groups = [np.abs(apart[names == name]) for name in dict.fromkeys(scripts)]
    rng = np.random.default_rng(options.seed)
    means = [
        np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))]).mean()
        for _ in range(max(options.replications, 2) * 10)
    ]
    return {
        "mean": float(np.abs(apart).mean()),
        "half": 1.96 * float(np.std(means)),
        "turns": float(len(apart)),
    }


def measure_chat(
    config: ChatStage, options: Options = Options(), progress: Progress | None = None
) -> dict[str, Any]:
    """All numbers of a trained stage 3, ready for JSON.

    Raises:
        BadInput: a folder is not what it should be, or there are too few turns.
    """
    measuring = Measuring(config, options, progress)
    perplexity, ratios = measuring.perplexities()
    return {
        "settings": {
            "split": options.split,
            "turns": len(measuring.turns),
            "scripts": len(set(measuring.scripts)),
            "replications": options.replications,
            "seed": options.seed,
        },
        "perplexity": perplexity,
        "perplexity_to_stage_2": ratios,
        "timing": measuring.timing(),
        "precision": measuring.precision(),
    }


def page(numbers: dict[str, Any]) -> str:
    """The numbers as tables in Markdown, 95 % intervals behind them."""

    def shown(one: dict[str, float], digits: int = 2) -> str:
        return f"{one['mean']:.{digits}f} ± {one['half']:.{digits}f}"

    settings, precision = numbers["settings"], numbers["precision"]
    lines = [f"{settings['turns']} turns of {settings['scripts']} scripts ({settings['split']})."]
    lines += ["", "| what is foretold | perplexity of a token |", "|---|---|"]
    lines += [f"| {name} | {shown(one, 1)} |" for name, one in numbers["perplexity"].items() if one["tokens"]]
    lines += ["", "| the same against stage 2 | ratio |", "|---|---|"]
    lines += [f"| {name} | {shown(one)} |" for name, one in numbers["perplexity_to_stage_2"].items()]
    lines += ["", "| onset of the reaction | mean error, s |", "|---|---|"]
    lines += [f"| {name} | {shown(one)} |" for name, one in numbers["timing"].items()]
    judges = [name for name in precision if name not in ("turns", "chance")]
    lines += [
        "",
        f"R-precision@3 of 32, {precision['turns']} turns (chance {precision['chance']['R3']:.2f}):",
        "",
    ]
    lines += [f"| motion | {' | '.join(judges)} |", "|---" * (len(judges) + 1) + "|"]
    for who in precision[judges[0]]:
        lines.append(f"| {who} | {' | '.join(shown(precision[judge][who]['R3']) for judge in judges)} |")
    return "\n".join(lines)
