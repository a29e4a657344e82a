"""Asking a language model through any OpenAI-compatible endpoint: retries, accounting, and a journal to resume from.

Nothing is asked before the user has named the endpoint, and nothing is asked twice: every answer is written to
a journal before it is used, and a question that the journal knows is answered from it. The key to the endpoint
comes from an environment variable and is written nowhere.

``answers: FILE.jsonl`` replays recorded answers instead (a journal is such a file), without any network.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ...backend.errors import BadInput, JobFailed

Task = TypeVar("Task")
Result = TypeVar("Result")
Settings = TypeVar("Settings", bound=BaseModel)

LONGEST_WAIT = 120.0
"""Seconds: an endpoint that asks for a longer pause is not waited for."""
MOST_BRACES = 50
"""Of an answer, tried as the beginning of its JSON object."""
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
"""What a reasoning model says to itself, in servers that do not take it out."""
_DECODER = json.JSONDecoder(strict=False)


class Endpoint(BaseModel):
    """Where to ask, and how; the block ``llm`` of a configuration.

    ``temperature`` and the penalties are sent only when they are set: some servers refuse what they do not know.
    """

    model_config = ConfigDict(extra="forbid")

    base_url: str = ""
    """For example ``http://127.0.0.1:8080/v1``; nothing is sent anywhere else."""
    model: str = ""
    api_key_env: str = "OPENAI_API_KEY"
    """The environment variable with the key; empty for a server that wants none."""
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    max_tokens: int | None = Field(None, ge=1)
    seed: int | None = 0
    """Sent with every question, a repeated question's with its number added; null sends none."""
    json_answers: bool = False
    """Ask for a JSON object by ``response_format``, where a question wants one; not every server knows it."""
    timeout: float = Field(60.0, gt=0)
    """Seconds to wait for an answer."""
    retries: int = Field(5, ge=0)
    backoff: float = Field(1.0, ge=0)
    """Seconds before the first retry; doubled for each further one."""
    concurrency: int = Field(4, ge=1)
    price_in: float = Field(0.0, ge=0)
    """Of a million tokens sent, in any currency."""
    price_out: float = Field(0.0, ge=0)
    """Of a million tokens received."""
    budget: float | None = Field(None, gt=0)
    """Stop when the journal's answers have cost so much."""
    answers: Path | None = None
    """Recorded answers to replay, a JSON object a line: ``{"name": ..., "answer": ...}``."""

    @field_validator("base_url")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        if value and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
            raise ValueError("it must begin with http:// or https://")
        return value.rstrip("/")


def read_config(kind: type[Settings], path: Path) -> Settings:
    """Settings from a YAML file; a path in ``answers`` counts from the file's folder.

    Raises:
        BadInput: the file or a key is wrong; the sentence names it.
    """
    import yaml

    try:
        values: Any = yaml.safe_load(Path(path).read_text("utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadInput(f"The configuration {path} cannot be read: {error}.", field="config") from None
    if isinstance(values, dict) and isinstance(values.get("llm"), dict) and values["llm"].get("answers"):
        values["llm"]["answers"] = Path(path).parent / str(values["llm"]["answers"])
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadInput(
            f"The configuration {path} is wrong at {where}: {first['msg']}.", field=where
        ) from None


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        name: unique in its journal; recorded answers are found by it.
        messages: (role, content) pairs.
        number: of a question that is asked again for another answer; makes another seed.
        wants_json: the answer is to be a JSON object.
    """

    name: str
    messages: tuple[tuple[str, str], ...]
    number: int = 0
    wants_json: bool = False


@dataclass
class Usage:
    """What answers took; ``cost`` in the currency of the prices."""

    asked: int = 0
    known: int = 0
    """Answered from the journal, without asking."""
    retries: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost: float = 0.0

    def line(self) -> str:
        """One line for the terminal."""
        return (
            f"{self.asked} questions asked, {self.known} known before, {self.retries} retries, "
            f"{self.tokens_in} tokens in, {self.tokens_out} out, cost {self.cost:.4f}"
        )


class Chat:
    """An endpoint with its journal; safe to ask from several threads.

    Args:
        endpoint: where and how.
        journal: a JSONL file, made when missing; one process at a time may hold it.

    Raises:
        BadInput: no endpoint is named, its key is missing, or a file cannot be read or written.
    """

    def __init__(self, endpoint: Endpoint, journal: Path) -> None:
        self.endpoint = endpoint
        self.usage = Usage()
        """Of this run."""
        self.total = Usage()
        """Of the journal: this run and those before."""
        self._recorded = _recorded(endpoint.answers) if endpoint.answers else None
        self._stop = threading.Event()
        self._ask: Callable[[Question], dict[str, Any]] = (
            self._replayed if endpoint.answers else _Client(endpoint, self._pause).ask
        )
        self._journal = _Journal(journal)
        self._lock = threading.Lock()
        self._waiting: dict[str, threading.Lock] = {}
        for row in self._journal.rows.values():
            self._add(self.total, row)

    def ask(self, question: Question) -> str:
        """The answer, from the journal if it is there.

        Raises:
            JobFailed: the endpoint does not answer, refuses, or the budget is spent.
        """
        key = self._key(question)
        with self._lock:
            mine = self._waiting.setdefault(key, threading.Lock())
        with mine:  # the same question from two threads is asked once
            row = self._journal.rows.get(key)
            if row is None:
                self._check_budget()
                row = {"key": key, "name": question.name, **self._ask(question)}
                with self._lock:
                    self._journal.add(row)
                    self._add(self.usage, row)
                    self._add(self.total, row)
            else:
                with self._lock:
                    self.usage.known += 1
        with self._lock:
            self._waiting.pop(key, None)
        return str(row["answer"])

    def _key(self, question: Question) -> str:
        """Of everything that the answer depends on."""
        sampling = self.endpoint.model_dump(
            include={
                "model",
                "temperature",
                "top_p",
                "presence_penalty",
                "frequency_penalty",
                "max_tokens",
                "seed",
            }
        )
        replayed = self._recorded is not None
        text = json.dumps([sampling, replayed, asdict(question)], sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def _add(self, usage: Usage, row: dict[str, Any]) -> None:
        usage.asked += 1
        usage.tokens_in += _count(row.get("tokens_in"))
        usage.tokens_out += _count(row.get("tokens_out"))
        usage.cost = (
            usage.tokens_in * self.endpoint.price_in + usage.tokens_out * self.endpoint.price_out
        ) / 1e6

    def _pause(self, seconds: float) -> None:
        """Before a retry."""
        with self._lock:
            self.usage.retries += 1
        if self._stop.wait(seconds):
            raise JobFailed("It was stopped.")

    def _check_budget(self) -> None:
        if self.endpoint.budget is not None and self.total.cost >= self.endpoint.budget:
            raise JobFailed(
                f"The budget of {self.endpoint.budget:g} is spent.",
                hint="Raise llm.budget and run it again: what is answered stays answered.",
                field="budget",
            )

    def _replayed(self, question: Question) -> dict[str, Any]:
        assert self._recorded is not None
        if question.name not in self._recorded:
            raise JobFailed(f"There is no recorded answer to {question.name}.", field="answers")
        return {"answer": self._recorded[question.name]}

    def map(self, do: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """``do(task)`` for every task, ``concurrency`` at a time; results in the order of the tasks.

        ``do`` asks as much as it likes. Only a few tasks are taken ahead, so that memory stays flat. The first
        failure ends it: what is being asked is waited for (and goes into the journal), nothing more is asked.
        """
        threads = self.endpoint.concurrency
        running: deque[Future[Result]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            try:
                for task in tasks:
                    running.append(pool.submit(do, task))
                    if len(running) >= 2 * threads:
                        yield running.popleft().result()
                while running:
                    yield running.popleft().result()
            finally:
                if running:
                    self._stop.set()
                for future in running:
                    future.cancel()

    def close(self) -> None:
        self._journal.close()

    def __enter__(self) -> Chat:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# ---------------------------------------------------------------------------------- the endpoint


class _Client:
    """The network side."""

    def __init__(self, endpoint: Endpoint, pause: Callable[[float], None]) -> None:
        for key in ("base_url", "model"):
            if not getattr(endpoint, key):
                raise BadInput(
                    f"The configuration names no {key} under llm.",
                    hint="Nothing is sent anywhere before you name the endpoint.",
                    field=key,
                )
        self._endpoint, self._pause = endpoint, pause
        self._key = self._read_key()
        self._made: Any = None
        self._lock = threading.Lock()

    def _read_key(self) -> str:
        name = self._endpoint.api_key_env
        key = os.environ.get(name, "") if name else ""
        at_home = urlsplit(self._endpoint.base_url).hostname in ("localhost", "127.0.0.1", "::1")
        if not key and name and not at_home:
            raise BadInput(
                f"The environment variable {name} with the key of the endpoint is not set.",
                hint='For a server without a key set api_key_env: "".',
                field="api_key_env",
            )
        return key or "none"

    def _client(self) -> Any:
        with self._lock:
            if self._made is None:
                from openai import OpenAI  # a second of importing

                self._made = OpenAI(
                    base_url=self._endpoint.base_url,
                    api_key=self._key,
                    timeout=self._endpoint.timeout,
                    max_retries=0,
                )
            return self._made

    def ask(self, question: Question) -> dict[str, Any]:
        """The answer and what it took.

        Raises:
            JobFailed: refused, or no answer after all retries.
        """
        import openai

        pause = self._endpoint.backoff
        for attempt in range(self._endpoint.retries + 1):
            wait = pause * (0.75 + 0.5 * random.random())
            try:
                started = time.monotonic()
                reply = self._client().chat.completions.create(**self._request(question))
                return {**_read(reply), "seconds": round(time.monotonic() - started, 3)}
            except (openai.APITimeoutError, TimeoutError):
                why = f"did not answer within {self._endpoint.timeout:g} s"
            except openai.APIConnectionError as error:
                why = f"cannot be reached ({_first_line(error.__cause__ or error)})"
            except openai.APIStatusError as error:
                why = f"answered with the status {error.status_code}: {_message(error)}"
                if not _worth_retrying(error):
                    raise JobFailed(
                        f"The endpoint {self._endpoint.base_url} {why}.", hint=_hint(error), field="llm"
                    ) from None
                wait = max(wait, _retry_after(error))
            except (openai.OpenAIError, ValueError, TypeError, KeyError, IndexError, AttributeError):
                why = "answered with something that is no chat completion"
            if attempt < self._endpoint.retries:
                if wait > LONGEST_WAIT:
                    why += f", and asks to wait {wait:.0f} s"
                    break
                self._pause(wait)
                pause *= 2
        raise JobFailed(
            f"The endpoint {self._endpoint.base_url} {why}.",
            hint="Run it again later: what is answered stays answered.",
            field="llm",
        )

    def _request(self, question: Question) -> dict[str, Any]:
        endpoint = self._endpoint
        request: dict[str, Any] = {
            "model": endpoint.model,
            "messages": [{"role": role, "content": content} for role, content in question.messages],
        }
        for key in ("temperature", "top_p", "presence_penalty", "frequency_penalty", "max_tokens"):
            if (value := getattr(endpoint, key)) is not None:
                request[key] = value
        if endpoint.seed is not None:
            request["seed"] = endpoint.seed + question.number
        if question.wants_json and endpoint.json_answers:
            request["response_format"] = {"type": "json_object"}
        return request


def _read(reply: Any) -> dict[str, Any]:
    """Raises one of the errors above for anything that is no chat completion."""
    choice = reply.choices[0]
    # A refusal or a filtered answer has no content: an answer that says nothing.
    content = choice.message.content or ""
    if not isinstance(content, str):
        raise TypeError
    usage = getattr(reply, "usage", None)
    return {
        "answer": content,
        "finish": str(choice.finish_reason or ""),
        "model": str(getattr(reply, "model", "") or ""),
        "tokens_in": _count(getattr(usage, "prompt_tokens", 0)),
        "tokens_out": _count(getattr(usage, "completion_tokens", 0)),
    }


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def _worth_retrying(error: Any) -> bool:
    if error.status_code == 429:
        return str(getattr(error, "code", "")) != "insufficient_quota"
    return error.status_code in (408, 409, 425) or error.status_code >= 500


def _retry_after(error: Any) -> float:
    """Seconds that the endpoint asks to wait."""
    try:
        return max(float(error.response.headers.get("retry-after", 0)), 0.0)
    except (TypeError, ValueError):
        return 0.0


def _hint(error: Any) -> str:
    if error.status_code in (401, 403):
        return "Check the key in the environment variable that api_key_env names."
    if error.status_code == 404:
        return "Check base_url and model."
    return ""


def _message(error: Any) -> str:
    body = getattr(error, "body", None)
    text = body.get("message") if isinstance(body, dict) else None
    return _first_line(text or error)


def _first_line(value: Any) -> str:
    lines = str(value).strip().splitlines()
    return (lines[0] if lines else "no reason given")[:200].rstrip(".")


# ----------------------------------------------------------------------------------- the journal


class _Journal:
    """Answers by key, a line each, on disk before they are used.

    A line cut off by a kill is dropped when the file is opened again.
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock, Timeout

        path = Path(path)
        self._file: Any = None
        try:
            self._held = FileLock(path.with_name(f".{path.name}.lock"))
            path.parent.mkdir(parents=True, exist_ok=True)
            self._held.acquire(timeout=0)
            self.rows, good = _rows_of(path)
            self._file = path.open("ab")
            self._file.truncate(good)
        except Timeout:
            raise BadInput(
                f"Another run writes to {path}.", hint="Wait for it, or give another --part.", field="out"
            ) from None
        except OSError as error:
            self._held.release()
            raise BadInput(f"The journal {path} cannot be written ({error.strerror}).", field="out") from None

    def add(self, row: dict[str, Any]) -> None:
        try:
            self._file.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise JobFailed(f"The journal cannot be written ({error.strerror}).", field="out") from None
        self.rows[row["key"]] = row

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
            self._held.release()


def _rows_of(path: Path) -> tuple[dict[str, dict[str, Any]], int]:
    """The journal's rows by key, and how many bytes of it are whole lines."""
    rows: dict[str, dict[str, Any]] = {}
    good = 0
    if not path.is_file():
        return rows, good
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            good += len(line)
            try:
                row = json.loads(line)
                rows[str(row["key"])] = {**row, "answer": str(row["answer"])}
            except (ValueError, KeyError, TypeError, RecursionError):
                continue  # not written by us; the question is asked again
    return rows, good


def _recorded(path: Path) -> dict[str, str]:
    """Answers by the question's name."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The recorded answers {path} cannot be read ({error}).", field="answers") from None
    answers = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            answers[str(row["name"])] = str(row["answer"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise BadInput(
                f"Line {number} of {path} is no recorded answer with name and answer.", field="answers"
            ) from None
    return answers


def messages(system: str, *turns: str) -> tuple[tuple[str, str], ...]:
    """A system message, then what user and assistant say in turn."""
    roles: Sequence[str] = ("user", "assistant")
    return (("system", system), *((roles[i % 2], text) for i, text in enumerate(turns)))


def without_thoughts(answer: str) -> str:
    """What a model says aloud."""
    return _THOUGHTS.sub("", answer)


def object_in(answer: str) -> dict[str, Any] | None:
    """The first JSON object in what a model says, whatever stands around it; none: there is no whole one."""
    answer = without_thoughts(answer)
    for brace in islice(re.finditer(r"\{", answer), MOST_BRACES):
        try:
            value, _ = _DECODER.raw_decode(answer, brace.start())
        except (ValueError, RecursionError):
            continue
        return dict(value)
    return None
