"""What people may talk about: topics from files and feeds, without doubles, newest first."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ....backend.errors import BadInput
from .feeds import Entry, read_feed
from .script import Line

LARGEST = 32 << 20
"""Bytes of a file of topics."""
ALIKE = 0.8
"""Share of words, of all words in either, from which two topics of several words are the same."""
DELIMITERS = ",;\t|"
"""Of tables; the header has most of its own."""
_TITLES = ("topic", "topics", "trend", "trends", "title", "headline", "query", "text", "name")
_DATES = ("date", "published", "started", "pubdate", "day", "time", "updated")
_DETAILS = ("details", "description", "summary", "trend breakdown", "breakdown")
_TRENDS = "https://trends.google.com/trending/rss?geo={country}"


class Topic(BaseModel):
    """Something to talk about; a line of a file of topics."""

    model_config = ConfigDict(extra="ignore")

    text: Line = Field(min_length=1)
    date: str = ""
    """``2026-11-21``; empty where the source says none."""
    source: Line = ""
    details: Line = ""


class TopicSource(Protocol):
    """Anything that topics come from."""

    def topics(self) -> Iterator[Topic]:
        """Raises BadInput where it cannot be read, JobFailed where it does not answer."""
        ...


class FileSource:
    """A file: RSS or Atom, CSV with a header, topics of ours (JSONL), or plain text, a topic a line."""

    def __init__(self, path: Path) -> None:
        self._path = Path(path)

    def topics(self) -> Iterator[Topic]:
        name = self._path.name
        try:
            if self._path.stat().st_size > LARGEST:
                raise BadInput(f"{name} is too large for a file of topics.", field="from")
            data = self._path.read_bytes()
        except OSError as error:
            raise BadInput(
                f"{self._path} cannot be read ({error.strerror or error}).", field="from"
            ) from None
        suffix = self._path.suffix.lower()
        if suffix in (".xml", ".rss", ".atom", ".rdf") or data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(
            b"<"
        ):
            yield from of_entries(read_feed(data, name), name)
            return
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise BadInput(f"{name} is not a text file in UTF-8.", field="from") from None
        if suffix == ".jsonl":
            yield from _of_lines(text, name)
        elif suffix in (".csv", ".tsv"):
            yield from _of_table(text, name)
        else:
            for line in text.splitlines():
                if line.strip():
                    yield Topic(text=line, source=name)


class TrendsSource:
    """What a country searches for today: the trends feed, read over the network.

    Args:
        country: two letters.
        url: another feed than the usual one; ``{country}`` in it is replaced.
        timeout: seconds to wait.
    """

    def __init__(self, country: str = "US", url: str = _TRENDS, timeout: float = 20.0) -> None:
        if not re.fullmatch(r"[A-Za-z]{2}", country):
            raise BadInput(f"{country!r} is no country of two letters, such as US.", field="country")
        self._url = url.replace("{country}", country.upper())
        self._timeout = timeout

    def topics(self) -> Iterator[Topic]:
        from .fetching import fetch

        yield from of_entries(read_feed(fetch(self._url, LARGEST, self._timeout), self._url), self._url)


def of_entries(entries: Iterable[Entry], source: str) -> Iterator[Topic]:
    """Topics of a feed's entries."""
    for entry in entries:
        if entry.title.strip():
            yield Topic(text=entry.title, date=day_of(entry.date), source=source, details=entry.details)


def _of_table(text: str, name: str) -> Iterator[Topic]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(DELIMITERS, key=first.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows = [row for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise BadInput(f"{name} is no table ({error}).", field="from") from None
    if not rows:
        return
    header = [cell.strip().casefold() for cell in rows[0]]
    title, day, details = (_column(header, names) for names in (_TITLES, _DATES, _DETAILS))
    if title is None:
        raise BadInput(
            f"{name} has no column of topics.",
            hint=f"Name one of its columns {', '.join(_TITLES[:5])} or the like.",
            field="from",
        )
    for row in rows[1:]:
        cells = [*row, *[""] * (len(header) - len(row))]
        if cells[title].strip():
            yield Topic(
                text=cells[title],
                date=day_of(cells[day]) if day is not None else "",
                source=name,
                details=cells[details] if details is not None else "",
            )


def _column(header: Sequence[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _of_lines(text: str, name: str) -> Iterator[Topic]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                yield Topic.model_validate_json(line)
            except ValidationError:
                raise BadInput(f"Line {number} of {name} is no topic.", field="from") from None


def day_of(text: str) -> str:
    """``2026-11-21`` of what feeds and tables have for a date; empty where it is none."""
    text = text.strip()
    if not text:
        return ""
    try:
        return parsedate_to_datetime(text).astimezone(UTC).date().isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return (moment.astimezone(UTC) if moment.tzinfo else moment).date().isoformat()
    except (ValueError, OverflowError):
        pass
    for pattern in ("%B %d, %Y", "%b %d, %Y", "%d %B %Y", "%d.%m.%Y", "%Y/%m/%d"):
        words = " ".join(text.split()[:3]) if "%B" in pattern or "%b" in pattern else text.split()[0]
        try:
            return datetime.strptime(words.rstrip(","), pattern).date().isoformat()
        except ValueError:
            continue
    return ""


def collect(
    sources: Iterable[TopicSource], *, since: date | None = None, limit: int | None = None
) -> list[Topic]:
    """The topics of all sources, each once, the newest first, those without a date last.

    Args:
        sources: read one after the other.
        since: topics that are older are left out, and so are those without a date.
        limit: only so many.

    Raises:
        BadInput: a source cannot be read.
        JobFailed: a source on the network does not answer.
    """
    found = [topic for source in sources for topic in source.topics()]
    if since is not None:
        found = [topic for topic in found if topic.date and topic.date >= since.isoformat()]
    found.sort(key=lambda topic: topic.date, reverse=True)
    return without_doubles(found)[:limit]


def without_doubles(topics: Iterable[Topic]) -> list[Topic]:
    """The first of those that say the same: equal but for case and punctuation, or nearly the same words."""
    kept: list[Topic] = []
    seen: set[str] = set()
    by_word: dict[str, list[frozenset[str]]] = {}
    for topic in topics:
        words = re.findall(r"\w+", topic.text.casefold())
        key, bag = " ".join(words), frozenset(words)
        if not key or key in seen:
            continue
        near = {other for word in bag for other in by_word.get(word, ())}
        if len(bag) > 3 and any(len(bag & other) >= ALIKE * len(bag | other) for other in near):
            continue
        seen.add(key)
        kept.append(topic)
        for word in bag:
            by_word.setdefault(word, []).append(bag)
    return kept


def read_topics(path: Path) -> list[Topic]:
    """The topics of any file that :class:`FileSource` reads.

    Raises:
        BadInput: it cannot be read, or holds none.
    """
    topics = list(FileSource(path).topics())
    if not topics:
        raise BadInput(f"There are no topics in {path}.", field="topics")
    return topics


def lines_of(topics: Iterable[Topic]) -> str:
    """A file of topics."""
    return "".join(json.dumps(topic.model_dump(), ensure_ascii=False) + "\n" for topic in topics)
