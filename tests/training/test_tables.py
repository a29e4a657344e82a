"""The tables that come with the package stand in for those a download lacks."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from understudy.backend.errors import BadInput
from understudy.training.data.raw import TABLES, Raw


def tables() -> list[str]:
    return sorted(p.relative_to(TABLES).as_posix() for p in TABLES.rglob("*.csv"))


@pytest.mark.parametrize("name", tables())
def test_a_shipped_table_is_used_where_the_root_has_none(name: str, tmp_path: Path) -> None:
    assert Raw(tmp_path, tmp_path / "raw").table(name)


def test_the_users_own_table_wins(tmp_path: Path) -> None:
    name = tables()[0]
    (tmp_path / name).parent.mkdir(parents=True)
    (tmp_path / name).write_text("a,b\n1,2\n", encoding="utf-8")
    assert Raw(tmp_path, tmp_path / "raw").table(name) == [{"a": "1", "b": "2"}]


def test_a_table_that_nobody_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="nothing"):
        Raw(tmp_path, tmp_path / "raw").table("cmu/nothing.csv")


@pytest.mark.parametrize("name", ["../outside.txt", "/tmp/outside.txt", "amc/../../outside.txt"])
def test_an_archive_that_reaches_outside_is_refused(name: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "cmu").mkdir(parents=True)
    with tarfile.open(root / "cmu" / "amc.tar.xz", "w:xz") as tar:
        member = tarfile.TarInfo(name)
        member.size = 3
        tar.addfile(member, io.BytesIO(b"bad"))
    raw = Raw(root, tmp_path / "store" / "raw")
    with pytest.raises(BadInput, match="cannot be unpacked"):
        raw.folder("cmu/amc", "cmu/amc.tar.xz")
    assert not list(tmp_path.rglob("outside.txt"))
