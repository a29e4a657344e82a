"""Packs from files: what comes in whole, what is refused, and that nothing half stays."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from understudy.backend.cli.main import main
from understudy.backend.errors import BadInput, JobFailed
from understudy.backend.packs import files as pack_files
from understudy.backend.packs import finding as packs
from understudy.backend.process import caches


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    user = tmp_path / "user" / "packs"
    for module in (packs, pack_files):
        monkeypatch.setattr(module, "user_folder", lambda: user)
        monkeypatch.setattr(module, "SHIPPED", tmp_path / "shipped")
    (tmp_path / "shipped" / "open").mkdir(parents=True)
    return user


def make(folder: Path, name: str = "mine", content: bytes = b"weights", digest: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(content)
    (folder / "README.md").write_text("A card.")
    (folder / "run.sh").write_text("not part of it")
    digest = digest or hashlib.sha256(content).hexdigest()
    (folder / "pack.toml").write_text(
        f'name = "{name}"\nversion = "1"\nlicence = "CC0-1.0"\nformat = 1\n[files]\n"model.safetensors" = "{digest}"\n'
    )
    return folder


def zipped(folder: Path, out: Path, under: str = "") -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, under + file.name)
    return out


@pytest.mark.parametrize("how", ["folder", "toml", "zip", "zip with a folder"])
def test_a_pack_is_installed(tmp_path: Path, folders: Path, how: str) -> None:
    source = make(tmp_path / "source")
    given = {
        "folder": lambda: source,
        "toml": lambda: source / "pack.toml",
        "zip": lambda: zipped(source, tmp_path / "p.zip"),
        "zip with a folder": lambda: zipped(source, tmp_path / "p.zip", "anything/"),
    }[how]()
    pack = pack_files.install_pack(given)
    assert pack.path == folders / "mine" and packs.find_pack("mine").licence == "CC0-1.0"
    assert [p.name for p in folders.parent.iterdir()] == ["packs"]
    pack_files.install_pack(given)  # again: it is replaced
    pack_files.remove_pack("mine")
    assert not list(folders.iterdir())


def test_a_newer_one_replaces_an_older_one_and_a_damaged_one_does_not(tmp_path: Path, folders: Path) -> None:
    pack_files.install_pack(make(tmp_path / "a", content=b"old"))
    with pytest.raises(BadInput, match="is damaged"):
        pack_files.install_pack(make(tmp_path / "b", content=b"new", digest="0" * 64))
    assert (folders / "mine" / "model.safetensors").read_bytes() == b"old"
    pack_files.install_pack(make(tmp_path / "c", content=b"new"))
    assert (folders / "mine" / "model.safetensors").read_bytes() == b"new"


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("p.zip", b"no zip", "p.zip is damaged, or no zip file."),
        ("p.txt", b"", "p.txt is not a pack."),
        ("none.zip", None, "The pack cannot be installed: No such file or directory."),
    ],
)
def test_what_is_no_pack(
    tmp_path: Path, folders: Path, name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises((BadInput, JobFailed)) as caught:
        pack_files.install_pack(tmp_path / name)
    assert caught.value.message == sentence
    assert not list(folders.parent.glob(".pack-*"))


@pytest.mark.parametrize("evil", ["../evil", "/evil", "a/../../evil"])
def test_a_zip_writes_nothing_outside(tmp_path: Path, evil: str) -> None:
    source = zipped(make(tmp_path / "source"), tmp_path / "p.zip")
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr(evil, b"x")
    with pytest.raises(BadInput, match="outside its folder"):
        pack_files.install_pack(source)
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("name", ["open", "../up", "a b/c", ""])
def test_names_that_are_not_for_packs(tmp_path: Path, folders: Path, name: str) -> None:
    with pytest.raises(BadInput):
        pack_files.install_pack(make(tmp_path / "source", name=name))
    with pytest.raises(BadInput):
        pack_files.remove_pack(name)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = make(tmp_path / "source")
    assert main(["packs", "--install", str(source)]) == 0
    assert capsys.readouterr().out == "mine 1 is installed.\n"
    assert main(["packs", "--remove", "mine"]) == 0
    assert main(["packs", "--remove", "mine"]) == 2
    assert capsys.readouterr().err == "No pack mine was installed.\n"


def test_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(caches, "cache_folder", lambda: tmp_path / "cache" / "understudy")
    assert caches.cache_size() == (0, 0)
    caches.clear_cache()
    (tmp_path / "cache" / "understudy" / "deep").mkdir(parents=True)
    (tmp_path / "cache" / "understudy" / "deep" / "x").write_bytes(b"12345")
    (tmp_path / "cache" / "other").write_bytes(b"not ours")
    assert caches.cache_size() == (1, 5)
    assert main(["cache", "--clear", "--json"]) == 0
    assert '"bytes": 0' in capsys.readouterr().out
    assert [p.name for p in (tmp_path / "cache").iterdir()] == ["other"]
