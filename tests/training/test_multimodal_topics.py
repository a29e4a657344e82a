"""Topics: feeds, tables and lists are read, nothing hostile is expanded, doubles go, rules and votes decide."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.backend.errors import BadInput, JobFailed
from understudy.training.cli import main
from understudy.training.data.multimodal import filtering
from understudy.training.data.multimodal.feeds import read_feed
from understudy.training.data.multimodal.fetching import fetch
from understudy.training.data.multimodal.filtering import (
    FilterSettings,
    broken_rule,
    judge,
    read_vote,
    verdict,
)
from understudy.training.data.multimodal.topics import (
    FileSource,
    Topic,
    TrendsSource,
    collect,
    day_of,
    read_topics,
    without_doubles,
)
from understudy.training.words.llm import Endpoint, read_config

from .test_llm import Server, server

__all__ = ["server"]  # a fixture

RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss xmlns:ht="https://trends.google.com/trending/rss" xmlns:atom="http://www.w3.org/2005/Atom" version="2.0">
<channel><title>Daily Search Trends</title><atom:link href="x" rel="self"/>
<item><title>chess final</title><ht:approx_traffic>200+</ht:approx_traffic>
<pubDate>Fri, 20 Nov 2026 23:30:00 -0800</pubDate>
<ht:news_item><ht:news_item_title>Who wins the final?</ht:news_item_title></ht:news_item></item>
<item><title>Caf&#233; &amp; cake</title><description>&lt;p&gt;Sweet &lt;b&gt;days&lt;/b&gt; &amp;amp; nights&lt;/p&gt;</description></item>
<item><title>  </title></item></channel></rss>"""
ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><title>News</title>
<entry><title type="html">The &lt;i&gt;ferry&lt;/i&gt; sails</title><updated>2026-11-19T08:00:00Z</updated><summary>At last.</summary></entry>
<entry><title>A comet</title><published>2026-11-21</published></entry></feed>"""
RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Old</title></channel>
<item><title>An old feed</title><dc:date>2026-11-18</dc:date></item></rdf:RDF>"""
BOMB = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><rss version="2.0"><channel><item><title>&c;</title></item></channel></rss>"""
OUTSIDE = """<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/hostname">]>
<rss version="2.0"><channel><item><title>&x;</title></item></channel></rss>"""


def of(path: Path, content: str | bytes) -> list[Topic]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(FileSource(path).topics())


# ------------------------------------------------------------------------------------------ reading


def test_feeds_of_three_kinds(tmp_path: Path) -> None:
    chess, cake = of(tmp_path / "trends.xml", RSS)
    assert (chess.text, chess.date, chess.source) == ("chess final", "2026-11-21", "trends.xml")
    assert chess.details == "Who wins the final?"
    assert (cake.text, cake.date, cake.details) == ("Café & cake", "", "Sweet days & nights")
    assert [(t.text, t.date, t.details) for t in of(tmp_path / "a.atom", ATOM)] == [
        ("The ferry sails", "2026-11-19", "At last."), ("A comet", "2026-11-21", ""),
    ]  # fmt: skip
    assert [(t.text, t.date) for t in of(tmp_path / "r.rdf", RDF)] == [("An old feed", "2026-11-18")]
    latin = RSS.replace("UTF-8", "ISO-8859-1").replace("chess", "Schäch").encode("latin-1")
    assert of(tmp_path / "latin.txt", latin)[0].text == "Schäch final", "a feed is known by its beginning"


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (BOMB, "declares XML entities"), (OUTSIDE, "declares XML entities"), ("<rss><channel>", "no well-formed XML"),
        ("<html><body/></html>", "neither RSS nor Atom"), ("", "no well-formed XML"), ("<rss>" + "<a>" * 200, "too deep"),
        ('<?xml version="1.0" encoding="no-such"?><rss/>', "no well-formed XML"),
    ],
)  # fmt: skip
def test_what_is_no_feed_is_one_sentence(content: str, word: str) -> None:
    with pytest.raises(BadInput, match=word):
        list(read_feed(content.encode(), "feed.xml"))


@given(st.binary(max_size=200) | st.text(alphabet='<>/rsitemle&;"! [ENTITY', max_size=120).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        list(read_feed(data, "x"))
    except BadInput as error:
        assert "\n" not in error.message


def test_tables_lists_and_our_own(tmp_path: Path) -> None:
    rows = of(
        tmp_path / "t.csv",
        "\ufeffTrends;Started;Trend breakdown\n the ferry ;2026-11-18;boats, sea\n;;\nwolves\n",
    )
    assert [(t.text, t.date, t.details) for t in rows] == [
        ("the ferry", "2026-11-18", "boats, sea"),
        ("wolves", "", ""),
    ]
    assert [t.text for t in of(tmp_path / "one.csv", "topic\nthe comet\n")] == ["the comet"]
    assert [t.text for t in of(tmp_path / "t.txt", "one\n\n two \n")] == ["one", "two"]
    assert of(tmp_path / "t.jsonl", '{"text": "x", "date": "2026-01-01"}\n') == [
        Topic(text="x", date="2026-01-01")
    ]
    for name, content, word in (
        ("n.csv", "a,b\n1,2\n", "no column of topics"), ("n.jsonl", '{"title": 1}\n', "Line 1"),
        ("n.txt", b"\xff\xfe\x00", "UTF-8"),
    ):  # fmt: skip
        with pytest.raises(BadInput, match=word):
            of(tmp_path / name, content)
    with pytest.raises(BadInput, match="cannot be read"):
        list(FileSource(tmp_path / "none.csv").topics())
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(BadInput, match="no topics"):
        read_topics(tmp_path / "empty.txt")


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("Fri, 20 Nov 2026 08:00:00 GMT", "2026-11-20"), ("2026-11-19T23:30:00-02:00", "2026-11-20"), ("2026-11-19", "2026-11-19"),
        ("November 17, 2026 at 4:30:00 PM UTC-8", "2026-11-17"), ("17.11.2026", "2026-11-17"), ("soon", ""), ("", ""), ("99999", ""),
    ],
)  # fmt: skip
def test_dates(text: str, day: str) -> None:
    assert day_of(text) == day


@given(st.text(max_size=40))
def test_any_date_is_a_day_or_nothing(text: str) -> None:
    day = day_of(text)
    assert not day or date.fromisoformat(day).isoformat() == day


def test_doubles_go_and_the_newest_come_first(tmp_path: Path) -> None:
    class Given:
        def __init__(self, *topics: Topic) -> None:
            self._topics = topics

        def topics(self) -> Iterator[Topic]:
            yield from self._topics

    sources = [
        Given(Topic(text="the ferry", date="2026-11-01"), Topic(text="no date")),
        Given(Topic(text="The Ferry!", date="2026-11-03"), Topic(text="wolves", date="2026-11-02")),
    ]
    found = collect(sources)
    assert [(t.text, t.date) for t in found] == [
        ("The Ferry!", "2026-11-03"),
        ("wolves", "2026-11-02"),
        ("no date", ""),
    ]
    assert [t.text for t in collect(sources, since=date(2026, 11, 2))] == ["The Ferry!", "wolves"]
    assert [t.text for t in collect(sources, limit=1)] == ["The Ferry!"]
    near = [
        "the new ferry sails at last",
        "The new ferry sails, at last today",
        "the new ferry sinks at once",
    ]
    assert [t.text for t in without_doubles(Topic(text=text) for text in near)] == [near[0], near[2]]


@given(st.lists(st.sampled_from("abcdef").map(lambda c: f"topic {c}"), max_size=12))
def test_each_topic_stays_once(texts: list[str]) -> None:
    assert [t.text for t in without_doubles(Topic(text=text) for text in texts)] == list(dict.fromkeys(texts))


# ------------------------------------------------------------------------------------------ network


class Feed:
    """A small web server; ``reply`` is status, headers, body."""

    def __init__(self) -> None:
        self.reply: tuple[int, dict[str, str], bytes] = (200, {}, RSS.encode())
        self.paths: list[str] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                owner.paths.append(self.path)
                status, headers, body = owner.reply
                self.send_response(status)
                for key, value in {"content-length": str(len(body)), **headers}.items():
                    self.send_header(key, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}/trends?geo={{country}}"


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    running = Feed()
    yield running
    running.server.shutdown()
    running.server.server_close()


def test_trends_are_read_only_where_it_is_allowed(
    feed: Feed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["multimodal", "topics", "--trends", "de", "--url", feed.url, "--out", str(tmp_path / "t.jsonl")]
    assert main(words) == 2 and "--online" in capsys.readouterr().err and feed.paths == []
    assert main([*words, "--online"]) == 0
    assert feed.paths == ["/trends?geo=DE"]
    assert [topic.text for topic in read_topics(tmp_path / "t.jsonl")] == ["chess final", "Café & cake"]
    assert "2 topics, 2026-11-21 to 2026-11-21" in capsys.readouterr().out


def test_an_address_that_does_not_answer_is_named(feed: Feed) -> None:
    feed.reply = 503, {}, b""
    with pytest.raises(JobFailed, match="status 503"):
        list(TrendsSource("US", feed.url).topics())
    feed.reply = 200, {}, b"x" * 2000
    with pytest.raises(JobFailed, match="more than"):
        fetch(feed.url, 1000, 5)
    for elsewhere in ("file:///etc/hostname", "ftp://127.0.0.1/x"):
        feed.reply = 302, {"location": elsewhere}, b""
        with pytest.raises(JobFailed, match=r"not allowed|no web address"):
            fetch(feed.url, 1000, 5)
    with pytest.raises(JobFailed, match="cannot be reached"):
        fetch("http://127.0.0.1:9/", 1000, 5)
    for url in ("file:///etc/hostname", "ftp://x/y", "nonsense"):
        with pytest.raises(BadInput, match="no address"):
            fetch(url, 1000, 5)
    with pytest.raises(BadInput, match="two letters"):
        TrendsSource("Germany")


# ----------------------------------------------------------------------------------------- filtering


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("the new ferry", ""), ("ok", "too short"), ("a" * 121, "too long"), ("word " * 21, "too long"), ("1234 !!", "no words"),
        ("see www.example.org", "an address"), ("mail me@example.org", "an address"), ("buy Brand X", "blocked word"),
        ("the brandy festival", ""), ("airport shooting", "sensitive: crime"), ("Troops cross the river", "sensitive: war"),
        ("the Pope's garden", "sensitive: religion"), ("General Election", "sensitive: politics"), ("a warm day", ""),
        ("Wartburg castle", ""), ("OVERDOSE numbers", "sensitive: drugs"), ("a dyed dress", ""),
    ],
)  # fmt: skip
def test_the_rules(text: str, rule: str) -> None:
    assert broken_rule(Topic(text=text), FilterSettings(blocked=["brand"])) == rule


def test_what_stands_below_a_headline_counts() -> None:
    topic = Topic(text="Jane Doe", details="The actor has died, aged 90.")
    assert broken_rule(topic, FilterSettings()) == "sensitive: death"
    assert broken_rule(topic, FilterSettings(sensitive=["war"])) == ""
    for name in filtering.categories():
        assert broken_rule(topic, FilterSettings(sensitive=[name])) in ("", f"sensitive: {name}")


@pytest.mark.parametrize(
    ("answer", "vote"),
    [("Y", "Y"), ("**N**", "N"), ("Yes.", "Y"), ("no, it is about war", "N"), ("Answer: Y", "Y"), ("Y or N", ""),
     ("", ""), ("maybe", ""), ("<think>Y? hm</think>N", "N"), ("Never", "")],
)  # fmt: skip
def test_a_vote_is_one_letter(answer: str, vote: str) -> None:
    assert read_vote(answer) == vote


@pytest.mark.parametrize(
    ("votes", "kept", "why"),
    [
        ("YYY", True, "voted in"), ("YYN", True, "voted in"), ("YNN", False, "voted out"), ("NNN", False, "voted out"),
        ("YY", True, "voted in"), ("YN", False, "voted out"), ("Y", False, "unreadable votes"), ("", False, "unreadable votes"),
    ],
)  # fmt: skip
def test_the_vote_of_three(votes: str, kept: bool, why: str) -> None:
    assert verdict(Counter(votes), 3) == (kept, why)


@given(st.text(alphabet="YN", max_size=9), st.integers(1, 9))
def test_only_a_majority_of_all_keeps(votes: str, repeat: int) -> None:
    kept, _ = verdict(Counter(votes[:repeat]), repeat)
    assert kept == (votes[:repeat].count("Y") > repeat / 2)


def test_rules_come_before_votes_and_votes_are_paid_once(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answers = lambda request, number: "N" if "tax" in request["messages"][1]["content"] else "Y"
    path, out = tmp_path / "topics.txt", tmp_path / "fit.jsonl"
    path.write_text("the ferry\nprison break\nthe tax form\nthe comet\n")
    config = tmp_path / "c.yaml"
    config.write_text(f"llm: {{base_url: '{server.url}', model: m, price_in: 10}}\nvotes: 3\n")
    words = ["multimodal", "filter", str(path), "--config", str(config), "--out", str(out)]
    assert main(words) == 0
    assert [topic.text for topic in read_topics(out)] == ["the ferry", "the comet"]
    printed = capsys.readouterr().out
    assert "2 of 4 topics" in printed and "sensitive: crime: 1" in printed and "voted out: 1" in printed
    assert len(server.requests) == 9
    assert not any("prison" in request["messages"][1]["content"] for request in server.requests)
    assert main(words) == 0 and len(server.requests) == 9
    rows = [json.loads(line) for line in (tmp_path / "fit.verdicts.jsonl").read_text().splitlines()]
    assert [(row["kept"], row["why"]) for row in rows] == [
        (True, "voted in"), (False, "sensitive: crime"), (False, "voted out"), (True, "voted in"),
    ]  # fmt: skip
    assert rows[2]["votes"] == {"Y": 0, "N": 3}


def test_without_a_model_the_rules_decide(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.txt").write_text("the ferry\nthe war\n")
    assert main(["multimodal", "filter", str(tmp_path / "t.txt"), "--out", str(tmp_path / "fit.jsonl")]) == 0
    assert [topic.text for topic in read_topics(tmp_path / "fit.jsonl")] == ["the ferry"]
    assert judge(Topic(text="the ferry"), FilterSettings(votes=0), None).why == "rules"
    assert not (tmp_path / "fit.journal.jsonl").exists()


def test_a_wrong_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("sensitive: [cheese]")
    with pytest.raises(BadInput, match="no such category: cheese"):
        read_config(FilterSettings, tmp_path / "c.yaml")
    example = Path(__file__).parents[2] / "training/configs/multimodal/filter.yaml"
    settings = read_config(FilterSettings, example)
    assert settings == FilterSettings(llm=settings.llm) and isinstance(settings.llm, Endpoint)


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "t.txt").write_text("the ferry\n")
    out = ["--out", str(tmp_path / "o.jsonl")]
    source = ["--from", str(tmp_path / "t.txt")]
    for words, word in (
        (["topics", *out], "--from"),
        (["topics", *source, *out, "--since", "yesterday"], "no day"),
        (["topics", *source, *out, "--limit", "0"], "--limit"),
        (["topics", "--from", str(tmp_path / "no.xml"), *out], "cannot be read"),
        (["filter", str(tmp_path / "no.txt"), *out], "cannot be read"),
    ):
        assert main(["multimodal", *words]) == 2
        assert word in capsys.readouterr().err
    assert not (tmp_path / "o.jsonl").exists()
