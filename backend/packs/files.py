"""Installing packs from a file or a folder into the user's folder, and removing them again."""

from __future__ import annotations

import os
import secrets
import shutil
import zipfile
from pathlib import Path, PurePosixPath

from ..errors import BadInput, JobFailed
from .finding import SHIPPED, Pack, read_pack, user_folder

LARGEST = 4 << 30
"""Bytes that a pack may unpack to: a zip that grows without end is none."""


def install_pack(source: Path) -> Pack:
    """Copy a pack (a ``.zip``, a folder, or its ``pack.toml``) to the user's packs, checked, or not at all.

    A pack of the same name that the user installed earlier is replaced.

    Raises:
        BadInput: it is not a pack, is damaged, or has the name of a shipped one.
        JobFailed: it could not be written.
    """
    folder = user_folder()
    staging = folder.parent / f".pack-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
        if source.name == "pack.toml":
            source = source.parent
        if source.is_dir():
            found = _copied(source, staging)
        elif source.suffix.lower() == ".zip":
            found = _unpacked(source, staging)
        else:
            raise BadInput(
                f"{source.name} is not a pack.",
                hint="Choose a .zip, or the pack.toml of a folder.",
                field="pack",
            )
        pack = read_pack(found)
        pack.verify()
        name = _folder_name(pack)
        if (SHIPPED / name).exists():
            raise BadInput(f"The pack {pack.name} comes with Understudy and is not replaced.", field="pack")
        target = folder / name
        old = staging / "old"
        if target.exists():
            os.replace(target, old)
        try:
            os.replace(found, target)
        except OSError:
            if old.exists():
                os.replace(old, target)
            raise
        return read_pack(target)
    except OSError as error:
        reason = error.strerror or error
        raise JobFailed(f"The pack cannot be installed: {reason}.", field="pack") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def remove_pack(name: str) -> None:
    """Delete a pack that the user installed.

    Raises:
        BadInput: there is none of this name, or it ships with Understudy.
    """
    folder = user_folder() / name
    if PurePosixPath(name).name != name or name in ("", ".", "..") or "\\" in name:
        raise BadInput(f"{name!r} is not the name of a pack.", field="pack")
    if not (folder / "pack.toml").is_file():
        if (SHIPPED / name).is_dir():
            raise BadInput(f"The pack {name} comes with Understudy and cannot be removed.", field="pack")
        raise BadInput(f"No pack {name} was installed.", field="pack")
    try:
        gone = folder.with_name(f".{name}-{secrets.token_hex(4)}")
        os.replace(folder, gone)  # at once: half a pack must not be found
        shutil.rmtree(gone)
    except OSError as error:
        raise JobFailed(f"The pack {name} cannot be removed: {error.strerror}.", field="pack") from error


def _folder_name(pack: Pack) -> str:
    if not pack.name.replace("-", "").replace("_", "").isalnum() or len(pack.name) > 64:
        raise BadInput(f"{pack.name!r} cannot be the name of a pack.", field="pack")
    return pack.name


def _copied(source: Path, staging: Path) -> Path:
    """The files that a pack lists, and its papers, copied."""
    pack = read_pack(source)
    papers = [
        p.name for p in source.iterdir() if p.is_file() and p.suffix.lower() in (".md", ".toml", ".txt")
    ]
    target = staging / "pack"
    for name in dict.fromkeys([*papers, *pack.files]):
        file = source / name
        if not file.is_file():
            raise BadInput(f"Pack {pack.name} is incomplete: {name} is missing.", field="pack")
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target / name)
    return target


def _unpacked(source: Path, staging: Path) -> Path:
    """A zip whose pack.toml lies at the top or in its only folder, unpacked."""
    try:
        with zipfile.ZipFile(source) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir()]
            tops = [
                PurePosixPath(e.filename) for e in entries if PurePosixPath(e.filename).name == "pack.toml"
            ]
            tops.sort(key=lambda path: len(path.parts))
            if not tops or len(tops[0].parts) > 2:
                raise BadInput(f"{source.name} is not a pack: it has no pack.toml.", field="pack")
            if sum(entry.file_size for entry in entries) > LARGEST:
                raise BadInput(f"{source.name} is too large for a pack.", field="pack")
            for entry in entries:
                path = PurePosixPath(entry.filename)
                if (
                    path.is_absolute()
                    or ".." in path.parts
                    or "\\" in entry.filename
                    or ":" in entry.filename
                ):
                    raise BadInput(f"{source.name} has a file outside its folder.", field="pack")
                if path.parts[: len(tops[0].parts) - 1] != tops[0].parts[:-1]:
                    continue
                target = staging / "zip" / Path(*path.parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(entry) as stream, target.open("xb") as out:
                    shutil.copyfileobj(stream, out)
            return staging / "zip" / Path(*tops[0].parts[:-1])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, FileExistsError) as error:
        raise BadInput(f"{source.name} is damaged, or no zip file.", field="pack") from error
