"""RSS (0.9 to 2.0) and Atom, read without entities: a document that declares any is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any, NoReturn
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.parsers import expat

from ....backend.errors import BadInput

DEEPEST = 64
"""Elements within one another; feeds have five."""
_ENTRIES = ("item", "entry")
_DATES = ("pubDate", "published", "updated", "date")
_DETAILS = ("description", "summary", "content", "news_item_title")
LONGEST_DETAILS = 500
"""Characters kept of what stands below a title."""


@dataclass(frozen=True)
class Entry:
    """One piece of news."""

    title: str
    date: str = ""
    details: str = ""


def read_feed(data: bytes, name: str) -> Iterator[Entry]:
    """The entries of a feed, in its order.

    Args:
        data: the document.
        name: of it, for messages.

    Raises:
        BadInput: it is no well-formed XML, it declares entities, or it is no feed.
    """
    root = _tree(data, name)
    if _tag(root) not in ("rss", "RDF", "feed"):
        raise BadInput(f"{name} is neither RSS nor Atom: its root is {_tag(root)[:40]}.", field="from")
    for element in root.iter():
        if _tag(element) in _ENTRIES:
            yield Entry(
                title=_text(element, ("title",)),
                date=_text(element, _DATES),
                details=_text(element, _DETAILS)[:LONGEST_DETAILS],
            )


def _tree(data: bytes, name: str) -> Element:
    """The document's root, by a parser that fetches nothing and expands nothing."""
    builder, parser, depth = TreeBuilder(), expat.ParserCreate(namespace_separator=" "), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise BadInput(f"{name} has elements nested too deep for a feed.", field="from")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: Any) -> NoReturn:
        raise BadInput(
            f"{name} declares XML entities, which a feed has no use for; it is not read.", field="from"
        )

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = parser.UnparsedEntityDeclHandler = parser.ExternalEntityRefHandler = refuse
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
        return builder.close()
    except (expat.ExpatError, ParseError, ValueError, LookupError, AssertionError) as error:
        raise BadInput(f"{name} is no well-formed XML ({error}).", field="from") from None


def _tag(element: Element) -> str:
    """Without its namespace."""
    return element.tag.rpartition(" ")[2]


def _text(entry: Element, names: tuple[str, ...]) -> str:
    """What the first element with one of the names says, markup taken out; names in the order of preference."""
    for name in names:
        for element in entry.iter():
            if _tag(element) == name and (text := _plain("".join(element.itertext()))):
                return text
    return ""


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def _plain(text: str) -> str:
    """Descriptions hold HTML as text."""
    if "<" in text or "&" in text:
        parser = _Words()
        parser.feed(text)
        parser.close()
        text = " ".join(parser.words)
    return " ".join(text.split())
