"""The buttons of the preferences: answers of the backend, errors as sentences, a report without private things."""

from __future__ import annotations

import getpass
import json
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from understudy.addon.preferences import operators as setup_operators
from understudy.addon.preferences import report
from understudy.addon.preferences import settings as preferences
from understudy.addon.preferences.operators import Found
from understudy.addon.process import client, tasks
from understudy.addon.process.tasks import Errand, read
from understudy.addon.takes import files as take_files
from understudy.backend.errors import BadInput, JobFailed

Answers = Callable[[dict[str, object]], Path]


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Answers:
    """An interpreter that answers each command of ``understudy`` as told; it keeps what it was asked."""

    def use(table: dict[str, object]) -> Path:
        (tmp_path / "table.json").write_text(json.dumps(table))
        python = tmp_path / "python"
        python.write_text(
            f"#!{sys.executable}\nimport json, sys\n"
            f"table = json.load(open({str(tmp_path / 'table.json')!r}))\n"
            "words = sys.argv[sys.argv.index('understudy.backend.cli.main') + 1:]\n"
            f"open({str(tmp_path / 'asked.txt')!r}, 'a').write(' '.join(words) + '\\n')\n"
            "key = next(k for k in table if ' '.join(words).startswith(k))\n"
            "answer = table[key]\n"
            "if isinstance(answer, dict) and 'error' in answer:\n"
            "    sys.exit(json.dumps(answer))\n"
            "print(json.dumps(answer))\n"
        )
        python.chmod(python.stat().st_mode | stat.S_IEXEC)
        monkeypatch.setenv("UNDERSTUDY_PYTHON", str(python))
        return tmp_path / "asked.txt"

    return use


PACKS = [
    {"name": "open", "version": "1", "licence": "CC0-1.0", "description": ""},
    {"name": "mine", "version": "2", "licence": "MIT", "description": "ours"},
]


def test_the_installation_is_checked_and_told(answers: Answers) -> None:
    home = os.path.expanduser("~")
    checks = [
        {"name": "numpy", "state": "ok", "detail": "2.0", "hint": ""},
        {"name": "packs", "state": "missing", "detail": f"none in {home}/packs", "hint": "Install one."},
    ]
    answers({"doctor": {"ok": False, "checks": checks}})
    assert not bpy.ops.understudy.copy_report.poll()
    assert bpy.ops.understudy.check_installation() == {"FINISHED"}
    assert [check["name"] for check in Found.checks] == ["numpy", "packs"]
    assert "Blender " in Found.report and "none in ~/packs" in Found.report and home not in Found.report
    assert bpy.ops.understudy.copy_report() == {"FINISHED"}


def test_packs_are_installed_listed_and_removed(answers: Answers, tmp_path: Path) -> None:
    table = {"packs --install": PACKS[1], "packs --remove": {"removed": "mine"}}
    asked = answers({**table, "packs": PACKS, "cache": {"files": 2, "bytes": 3000}})
    (tmp_path / "mine.zip").write_bytes(b"zip")
    assert bpy.ops.understudy.install_pack(filepath=str(tmp_path / "mine.zip")) == {"FINISHED"}
    assert client.packs.licences["mine"] == "MIT" and not client.packs.facts["mine"]["ships"]
    assert client.packs.facts["open"]["ships"], "that of the extension"
    assert Found.cache == (2, 3000)
    answers({**table, "packs": PACKS[:1]})
    assert bpy.ops.understudy.remove_pack(name="mine") == {"FINISHED"}
    assert "mine" not in client.packs.licences
    assert "--remove=mine --json" in asked.read_text()


def test_an_error_of_an_errand_is_its_sentence(answers: Answers, tmp_path: Path) -> None:
    said = {
        "error": {
            "code": "bad_input",
            "message": "a.zip is no pack.",
            "hint": "Choose another.",
            "field": "pack",
        }
    }
    answers({"packs": said})
    (tmp_path / "a.zip").write_bytes(b"")
    with pytest.raises(RuntimeError, match=r"a\.zip is no pack\. Choose another\."):
        bpy.ops.understudy.install_pack(filepath=str(tmp_path / "a.zip"))
    assert Errand.error is not None and Errand.error.field == "pack" and not Errand.title
    with pytest.raises(RuntimeError, match="No file was chosen"):
        bpy.ops.understudy.install_pack(filepath=str(tmp_path / "none.zip"))


def test_the_cache_is_cleared(answers: Answers) -> None:
    asked = answers({"cache": {"files": 0, "bytes": 0}})
    assert bpy.ops.understudy.clear_cache() == {"FINISHED"}
    assert Found.cache == (0, 0) and asked.read_text() == "cache --clear --json\n"


@pytest.mark.parametrize(
    ("out", "err", "sentence"),
    [
        ("", "", "The backend failed: exit code 1"),
        ("", "Traceback\nModuleNotFoundError: No module named 'numpy'\n", "No module named 'numpy'"),
        ("half {", '{"error": 3}', "The backend failed"),
    ],
)
def test_answers_that_are_none(out: str, err: str, sentence: str) -> None:
    answer = read(1, out, err)
    assert isinstance(answer, JobFailed) and sentence in answer.message


def test_errors_keep_their_kind() -> None:
    said = {"code": "bad_input", "message": "No.", "hint": "", "field": "pack"}
    assert isinstance(read(2, "", json.dumps({"error": said})), BadInput)


def test_nothing_starts_while_an_errand_is_on_its_way(
    answers: Answers, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers({"doctor": {}})
    monkeypatch.setattr(Errand, "title", "Installing…")
    assert not bpy.ops.understudy.check_installation.poll()
    with pytest.raises(JobFailed, match="Something else"):
        Errand.start("Checking…", ["doctor"], print)


def test_the_log_opens_when_it_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert not bpy.ops.understudy.open_log.poll()
    monkeypatch.setattr(setup_operators, "log_file", lambda: str(tmp_path / "backend.log"))
    with pytest.raises(RuntimeError, match="There is no log yet"):
        bpy.ops.understudy.open_log()


def test_what_is_written_lies_outside_the_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files beside ``__file__`` are lost at an upgrade."""
    monkeypatch.undo()
    package = preferences.PACKAGE_DIR.resolve()
    assert not Path(take_files.folder()).resolve().is_relative_to(package)
    pytest.importorskip("platformdirs")  # not in a bare Blender
    from understudy.backend.packs import finding as packs
    from understudy.backend.process import caches, log

    for folder in (caches.cache_folder(), log.log_folder(), packs.user_folder()):
        assert not folder.resolve().is_relative_to(package)


def test_without_leave_the_backend_is_kept_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert not getattr(bpy.app, "online_access", False)
    assert client.environment()["HF_HUB_OFFLINE"] == "1"


# -- the report ---------------------------------------------------------------------------------------------


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(key, "jane.doe")
    monkeypatch.setenv("HOME", "/home/jane.doe")
    monkeypatch.setattr(getpass, "getuser", lambda: "jane.doe")
    monkeypatch.setattr(socket, "gethostname", lambda: "janes-tower.studio.example")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/jane.doe/.local/python", "~/.local/python"),
        ("/home/other/file", "/home/***/file"),
        (r"C:\Users\Jane.Doe\AppData\Local", r"C:\Users\***\AppData\Local"),
        ("/Users/jd/Library", "/Users/***/Library"),
        ("/media/Secret Disk/x", "/media/*** Disk/x"),
        ("made by jane.doe on janes-tower", "made by *** on ***"),
        ("Jane.Doe", "***"),
        ("ask jane@studio.example", "ask ***"),
        ("numpy 1.26.4, Python 3.11", "numpy 1.26.4, Python 3.11"),
    ],
)
def test_private_things_are_masked(person: None, text: str, expected: str) -> None:
    assert report.masked(text) == expected


@given(st.text(max_size=60), st.sampled_from(["/home/{}/x", "/Users/{}/x", "C:\\Users\\{}\\x", "{}", "~{}~"]))
def test_the_users_name_is_in_no_report(rest: str, form: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("USER", "quintus_q")
        said = report.masked(form.format("quintus_q") + " " + rest)
        again = report.masked(said)
    if "quintus_q" not in rest:
        assert "quintus_q" not in said
    assert again == said


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (25_900_000, "26 MB"), (3 * 10**9, "3.0 GB")],
)
def test_sizes_in_words(count: int, words: str) -> None:
    assert report.size_in_words(count) == words


def test_the_errand_ends_with_the_add_on(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks.unregister()
    assert not Errand.title and not bpy.app.timers.is_registered(tasks.tick)
