"""Packs are found by name or folder, verified file by file, and refused with one sentence."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from understudy.backend.errors import BadInput
from understudy.backend.packs import finding as packs
from understudy.backend.packs.finding import find_pack, list_packs

WEIGHTS = b"weights" * 1000

MakePack = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakePack:
    """Writes a pack among the shipped ones, or among the user's; ``replace`` edits its pack.toml."""
    monkeypatch.setattr(packs, "SHIPPED", tmp_path / "shipped")
    monkeypatch.setattr(packs, "user_folder", lambda: tmp_path / "user")

    def write(name: str, where: str = "shipped", replace: tuple[str, str] = ("", "")) -> Path:
        folder = tmp_path / where / name
        folder.mkdir(parents=True)
        (folder / "a.safetensors").write_bytes(WEIGHTS)
        (folder / "config.json").write_text("{}")
        toml = f"""
            name = "{name}"
            version = "1.2"
            licence = "CC-BY-4.0"
            licence_note = "Say who made it."
            format = 1
            [[data]]
            name = "CMU"
            licence = "free"
            attribution = "mocap.cs.cmu.edu"
            [metrics]
            fid = 0.5
            [files]
            "a.safetensors" = "{hashlib.sha256(WEIGHTS).hexdigest()}"
            "config.json" = "{hashlib.sha256(b"{}").hexdigest()}"
            """
        assert replace[0] in toml
        (folder / "pack.toml").write_text(toml.replace(*replace) if replace[0] else toml)
        return folder

    return write


def refused(name: str | Path) -> BadInput:
    with pytest.raises(BadInput) as caught:
        find_pack(name)
    assert caught.value.field == "pack"
    assert "\n" not in caught.value.message
    return caught.value


def test_a_pack_by_name_and_by_folder(make: MakePack) -> None:
    folder = make("open")
    pack = find_pack("open")
    assert pack == find_pack(folder) == find_pack(str(folder))
    assert (pack.name, pack.version, pack.licence, pack.path) == ("open", "1.2", "CC-BY-4.0", folder)
    assert pack.data[0].attribution == "mocap.cs.cmu.edu"
    assert pack.metrics == {"fid": 0.5}
    assert pack.size == len(WEIGHTS) + 2
    assert pack.file("config.json").read_text() == "{}"


def test_an_unlisted_file_is_not_part_of_the_pack(make: MakePack) -> None:
    (make("open") / "extra.bin").write_bytes(b"x")
    with pytest.raises(BadInput, match=r"has no file extra\.bin"):
        find_pack("open").file("extra.bin")


def test_an_unknown_pack_names_the_known_ones(make: MakePack) -> None:
    make("open")
    make("mine", "user")
    error = refused("opne")
    assert error.message == "There is no pack 'opne'. Known packs: open, mine."
    assert [pack.name for pack in list_packs()] == ["open", "mine"]


def test_no_pack_at_all(make: MakePack) -> None:
    assert refused("open").message == "There is no pack 'open'. No pack is installed."
    assert refused("").message.startswith("There is no pack ''")


def test_a_folder_that_is_no_pack(make: MakePack, tmp_path: Path) -> None:
    assert "has no pack.toml" in refused(tmp_path).message


def test_a_users_pack_cannot_take_a_shipped_ones_place(make: MakePack) -> None:
    shipped = make("open")
    make("open", "user")
    assert find_pack("open").path == shipped
    assert len(list_packs()) == 1


def test_a_changed_file_is_noticed_although_it_was_verified_before(make: MakePack) -> None:
    folder = make("open")
    find_pack("open")
    changed = b"W" + WEIGHTS[1:]  # the same length
    (folder / "a.safetensors").write_bytes(changed)
    os.utime(folder / "a.safetensors", ns=(1, 1))
    assert "damaged: a.safetensors" in refused("open").message


def test_a_half_finished_install_is_noticed(make: MakePack) -> None:
    folder = make("open")
    (folder / "config.json").unlink()
    assert "incomplete: config.json is missing" in refused("open").message


def test_a_file_is_read_once(make: MakePack, monkeypatch: pytest.MonkeyPatch) -> None:
    make("open")
    first = find_pack("open")
    monkeypatch.setattr(packs.hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert find_pack("open") == first


@pytest.mark.parametrize(
    ("replace", "words"),
    [
        (("format = 1", "format = 3"), "format 3, this version of Understudy reads up to 2"),
        (("format = 1", ""), "does not say its format"),
        (("format = 1", 'format = "1"'), "does not say its format"),
        (("format = 1", "format = "), "is not valid TOML"),
        (('licence = "CC-BY-4.0"', ""), "lacks its licence"),
        (('version = "1.2"', "version = 1.2"), "lacks its version"),
        (('licence = "free"', ""), "lacks its licence"),
        (('"a.safetensors"', '"../a.safetensors"'), "a file outside its folder"),
        (('"a.safetensors"', '"/etc/passwd"'), "a file outside its folder"),
        (('"a.safetensors"', '"C:/a.safetensors"'), "a file outside its folder"),
        (('"a.safetensors"', "'..\\a'"), "a file outside its folder"),
        (('"config.json" = "', '"config.json" = "x'), "the sha256 of config.json is not one"),
        (("[files]", "[other]"), "lists no files"),
        (("[metrics]\n            fid = 0.5", ""), None),
    ],
)
def test_a_wrong_description(make: MakePack, replace: tuple[str, str], words: str | None) -> None:
    make("open", replace=replace)
    make("good")
    if words is None:
        assert find_pack("open").metrics == {}
        return
    assert words in refused("open").message
    assert [pack.name for pack in list_packs()] == ["good"]  # it does not hide the others


def test_a_link_out_of_the_folder_is_refused(make: MakePack, tmp_path: Path) -> None:
    folder = make("open")
    (tmp_path / "secret").write_bytes(WEIGHTS)
    (folder / "a.safetensors").unlink()
    (folder / "a.safetensors").symlink_to(tmp_path / "secret")
    assert "outside its folder" in refused("open").message


def test_a_checkout_ships_the_pack_that_is_the_default() -> None:
    assert (packs.SHIPPED / "open" / "pack.toml").is_file()


@pytest.mark.parametrize("pack", sorted(packs.SHIPPED.glob("*/pack.toml")), ids=lambda path: path.parent.name)
def test_shipped_packs_are_intact_and_small(pack: Path) -> None:
    found = find_pack(pack.parent.name)
    assert found.data
    assert found.licence
    assert found.size <= 40e6
