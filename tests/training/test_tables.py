"""The tables that come with the package stand in for those a download lacks."""

from __future__ import annotations

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
