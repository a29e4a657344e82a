"""Finding raw files: a folder as downloaded, or the archive it came in, unpacked once into the store."""

from __future__ import annotations

import csv
import os
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ...backend.errors import BadInput

TABLES = Path(__file__).parent / "tables"
"""Tables that the public downloads lack (which trials, true frame rates, captions), used where the root
has none of its own; see ``tables/README.md``."""


@dataclass(frozen=True)
class Raw:
    """The raw data under ``root``; archives are unpacked under ``cache``."""

    root: Path
    cache: Path
    alone: bool = True
    """One set was asked for: ``root`` may be its own folder. Otherwise it holds the folders of several."""

    def places(self, *names: str) -> list[Path]:
        """Folders a set may lie in: those of ``names`` that are there, and the root when it is ``alone``."""
        folders = [self.root / name for name in names] + [self.root] * self.alone
        return [folder for folder in folders if folder.is_dir()]

    def home(self, name: str, *marks: str) -> Path:
        """The folder of a set: ``root/name``, or ``root`` itself when that is what was given.

        Args:
            name: the set's own folder.
            marks: patterns (``*/*_poses.npz``); one of them must match inside the folder.

        Raises:
            BadInput: no such folder.
        """
        for folder in self.places(name):
            if not marks or any(next(folder.glob(mark), None) for mark in marks):
                return folder
        wanted = f" with {' or '.join(marks)}" if marks else ""
        raise BadInput(f"There is no folder {name}{wanted} under {self.root}.", field="root")

    def path(self, relative: str) -> Path:
        """A file that must be there, or the table of that name that comes with us.

        Raises:
            BadInput: it is not.
        """
        path = self.root / relative
        if not path.is_file() and (TABLES / relative).is_file():
            return TABLES / relative
        if not path.is_file():
            raise BadInput(f"{relative} is missing under {self.root}.", field="root")
        return path

    def table(self, relative: str) -> list[dict[str, str]]:
        """Rows of a CSV file with a header."""
        with self.path(relative).open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def folder(self, relative: str, archive: str) -> Path:
        """A folder of raw files, out of ``archive`` (``.tar.xz`` beside it) where it is not unpacked.

        ``relative`` is the folder, ``archive`` the file; both below the root. The archive holds the
        folder's last name as its top level.

        Raises:
            BadInput: neither is there, or the archive is damaged.
        """
        parent = (self.root / archive).parent
        for plain in (self.root / relative, parent / Path(relative).name / Path(relative).name):
            if plain.is_dir():
                return plain
        cached = self.cache / relative
        if cached.is_dir():
            return cached
        packed = self.root / archive
        if not packed.is_file():
            raise BadInput(f"Neither {relative} nor {archive} is there under {self.root}.", field="root")
        cached.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cached.parent) as scratch:
            try:
                with tarfile.open(packed) as tar:
                    _extract(tar, Path(scratch))
            except (tarfile.TarError, OSError, EOFError) as error:
                raise BadInput(f"{archive} cannot be unpacked ({error}).", field="root") from None
            top = Path(scratch) / cached.name
            if not top.is_dir():
                raise BadInput(f"{archive} does not hold a folder named {cached.name}.", field="root")
            os.replace(top, cached)
        return cached

    def texts(self, folder: str, archive: str, names: set[str]) -> dict[str, str]:
        """Some of the many small text files, by name without ``.txt``, without unpacking the others."""
        plain = self.root / folder
        if plain.is_dir():
            files = {name: plain / f"{name}.txt" for name in names}
            return {name: file.read_text(encoding="utf-8") for name, file in files.items() if file.is_file()}
        found: dict[str, str] = {}
        try:
            with tarfile.open(self.path(archive)) as tar:
                for member in tar:
                    name = Path(member.name).stem
                    if name in names and member.isfile():
                        stream = tar.extractfile(member)
                        found[name] = stream.read().decode("utf-8") if stream else ""
        except (tarfile.TarError, EOFError) as error:
            raise BadInput(f"{archive} cannot be read ({error}).", field="root") from None
        return found


def _extract(tar: tarfile.TarFile, folder: Path) -> None:
    """Unpack plain files and folders that stay inside ``folder``; anything else ends it.

    Python's own filter for this came with 3.11.4; Debian 12 has 3.11.2.
    """
    inside = folder.resolve()
    for member in tar:
        target = (inside / member.name).resolve()
        if not (member.isfile() or member.isdir()) or not target.is_relative_to(inside):
            raise tarfile.ReadError(f"{member.name} does not belong in such an archive")
        member.mode = 0o755 if member.isdir() else 0o644
        tar.extract(member, inside, set_attrs=False)
