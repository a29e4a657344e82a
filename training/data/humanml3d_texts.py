"""HumanML3D's text files, unpacked or in the archive they come in, and its split lists."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

from ...backend.errors import BadInput
from .item import Split

SPLITS: tuple[Split, ...] = ("train", "val", "test")


class Texts:
    """Text files by name without ``.txt``; from an archive all of them are held (about 30 MB).

    Args:
        folder: holds ``texts/``, ``texts.tar.xz`` or ``texts.zip``; none of them means no texts.

    Raises:
        BadInput: the archive is damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "texts"
        self._read: dict[str, str] = {}
        if self._folder.is_dir():
            return
        packed = next(
            (folder / name for name in ("texts.tar.xz", "texts.zip") if (folder / name).is_file()), None
        )
        if packed is None:
            return
        try:
            self._read = _from_zip(packed) if packed.suffix == ".zip" else _from_tar(packed)
        except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, RuntimeError) as error:
            raise BadInput(f"{packed.name} cannot be read ({error}).", field="root") from None

    def get(self, name: str) -> str:
        """The content of a file; empty when there is none."""
        if name in self._read:
            return self._read[name]
        path = self._folder / f"{name}.txt"
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def _from_tar(path: Path) -> dict[str, str]:
    found = {}
    with tarfile.open(path) as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.isfile() and member.name.endswith(".txt") else None
            if stream:
                found[Path(member.name).stem] = stream.read().decode("utf-8", "replace")
    return found


def _from_zip(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as archive:
        return {
            Path(name).stem: archive.read(name).decode("utf-8", "replace")
            for name in archive.namelist()
            if name.endswith(".txt") and not Path(name).name.startswith("._")
        }


def read_splits(folder: Path) -> dict[str, Split]:
    """The split of every id in ``train.txt``, ``val.txt`` and ``test.txt``; empty when there is no list."""
    found: dict[str, Split] = {}
    for split in SPLITS:
        try:
            names = (folder / f"{split}.txt").read_text(encoding="utf-8", errors="replace").split()
        except OSError:
            continue
        found |= dict.fromkeys(names, split)
    return found
