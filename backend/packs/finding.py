"""Packs: folders of trained weights with their licence, their training data and the hash of each file.

A pack's ``pack.toml`` (format 1)::

    name = "open"
    version = "1.0"
    licence = "CC-BY-4.0"          # SPDX identifier or text
    licence_note = "..."           # optional, one sentence for people
    description = "..."            # optional
    format = 1
    [[data]]                       # every set it was trained on
    name = "CMU"; licence = "..."; attribution = "..."; url = "..."
    [metrics]                      # optional, free
    [files]                        # every file that is loaded, relative to the folder, and its sha256
    "tokenizer.safetensors" = "..."
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from ..errors import BadInput

FORMAT = 2
"""The newest pack format that this version reads; 2 may hold weights in eight bits."""

SHIPPED = Path(__file__).resolve().parents[2] / "packs"

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class PackData:
    """A data set that a pack was trained on."""

    name: str
    licence: str
    attribution: str = ""
    url: str = ""


@dataclass(frozen=True)
class Pack:
    """A folder of weights. ``files`` maps each file's relative POSIX path to its sha256."""

    path: Path
    name: str
    version: str
    licence: str
    licence_note: str = ""
    description: str = ""
    data: tuple[PackData, ...] = ()
    metrics: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def size(self) -> int:
        """Bytes of all files that exist."""
        return sum(self._stat(name).st_size for name in self.files if (self.path / name).is_file())

    def file(self, name: str) -> Path:
        """The path of one listed file; only what is listed was ever compared with its hash."""
        if name not in self.files:
            raise BadInput(f"Pack {self.name} has no file {name}.", hint=_REINSTALL, field="pack")
        return self.path / name

    def verify(self) -> None:
        """Compare every file with its sha256; :class:`BadInput` names the first that differs.

        A file is read once per process as long as its size and time of change stay the same.
        """
        for name, expected in self.files.items():
            try:
                stat = self._stat(name)
                actual = _sha256(str(self.path / name), stat.st_mtime_ns, stat.st_size)
            except OSError as error:
                reason = "is missing" if isinstance(error, FileNotFoundError) else "cannot be read"
                raise BadInput(
                    f"Pack {self.name} is incomplete: {name} {reason}.", hint=_REINSTALL, field="pack"
                ) from error
            if actual != expected:
                raise BadInput(
                    f"Pack {self.name} is damaged: {name} is not the file it was published with.",
                    hint=_REINSTALL,
                    field="pack",
                )

    def _stat(self, name: str) -> Any:
        return (self.path / name).stat()


_REINSTALL = "Install the pack again."


def user_folder() -> Path:
    """Where a user's own packs lie, one folder each."""
    import platformdirs

    return platformdirs.user_data_path("understudy", appauthor=False) / "packs"


def pack_folders() -> Iterator[Path]:
    """Every folder with a ``pack.toml``: the shipped ones, then the user's, each sorted by name.

    A user's pack cannot take the place of a shipped one by carrying its name.
    """
    seen = set()
    for root in (SHIPPED, user_folder()):
        if not root.is_dir():
            continue
        for folder in sorted(root.iterdir()):
            if folder.name not in seen and (folder / "pack.toml").is_file():
                seen.add(folder.name)
                yield folder


def list_packs() -> list[Pack]:
    """All packs whose description can be read. Their files are not checked: :func:`find_pack` does."""
    packs = []
    for folder in pack_folders():
        try:
            packs.append(read_pack(folder))
        except BadInput:
            continue  # `understudy doctor` names it; it must not hide the others
    return packs


def find_pack(name_or_dir: str | Path) -> Pack:
    """The pack of this name, or in this folder, with every file verified.

    Raises:
        BadInput: unknown, unreadable, incomplete, damaged, or made for a newer version.
    """
    wanted = str(name_or_dir)
    folders = {folder.name: folder for folder in pack_folders()}
    folder = folders.get(wanted)
    if folder is None and wanted and (Path(wanted) / "pack.toml").is_file():
        folder = Path(wanted).resolve()
    if folder is None:
        if wanted and Path(wanted).is_dir():
            raise BadInput(f"The folder {wanted} is not a pack: it has no pack.toml.", field="pack")
        known = f"Known packs: {', '.join(folders)}." if folders else "No pack is installed."
        raise BadInput(
            f"There is no pack {wanted!r}. {known}", hint="Give a pack's name or folder.", field="pack"
        )
    pack = read_pack(folder)
    pack.verify()
    return pack


def read_pack(folder: Path) -> Pack:
    """A pack's description, its files not yet verified; :class:`BadInput` where it makes no sense."""
    where = folder / "pack.toml"
    try:
        table = tomllib.loads(where.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{where} cannot be read: {error.strerror}.", field="pack") from error
    except ValueError as error:
        raise BadInput(f"{where} is not valid TOML: {error}.", field="pack") from error

    version = table.get("format")
    if type(version) is not int or version < 1:
        raise BadInput(f"{where} does not say its format.", field="pack")
    if version > FORMAT:
        raise BadInput(
            f"Pack {folder.name} has format {version}, this version of Understudy reads up to {FORMAT}.",
            hint="Update Understudy.",
            field="pack",
        )
    texts = {
        key: _text(where, table, key, required=key in ("name", "version", "licence"))
        for key in ("name", "version", "licence", "licence_note", "description")
    }
    return Pack(
        path=folder,
        data=tuple(_data(where, entry) for entry in _expect(where, table, "data", list)),
        metrics=_expect(where, table, "metrics", dict),
        files=_files(where, _expect(where, table, "files", dict)),
        format=version,
        **texts,
    )


def _expect(where: Path, table: dict[str, Any], key: str, kind: type) -> Any:
    value = table.get(key, kind())
    if not isinstance(value, kind):
        raise BadInput(f"{where}: {key} has the wrong type.", field="pack")
    return value


def _text(where: Path, table: dict[str, Any], key: str, *, required: bool) -> str:
    value = table.get(key, "")
    if not isinstance(value, str) or (required and not value.strip()):
        raise BadInput(f"{where} lacks its {key}.", field="pack")
    return value


def _data(where: Path, entry: Any) -> PackData:
    if not isinstance(entry, dict):
        raise BadInput(f"{where}: data has the wrong type.", field="pack")
    return PackData(
        name=_text(where, entry, "name", required=True),
        licence=_text(where, entry, "licence", required=True),
        attribution=_text(where, entry, "attribution", required=False),
        url=_text(where, entry, "url", required=False),
    )


def _files(where: Path, table: dict[str, Any]) -> dict[str, str]:
    if not table:
        raise BadInput(f"{where} lists no files.", field="pack")
    for name, digest in table.items():
        path = PurePosixPath(name)
        if not name or path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name:
            raise BadInput(f"{where} names a file outside its folder: {name}.", field="pack")
        if not isinstance(digest, str) or not _HASH.fullmatch(digest):
            raise BadInput(f"{where}: the sha256 of {name} is not one.", field="pack")
        if not (where.parent / name).resolve().is_relative_to(where.parent.resolve()):
            raise BadInput(f"{where} names a file outside its folder: {name}.", field="pack")
    return table


@lru_cache(maxsize=256)
def _sha256(path: str, mtime_ns: int, size: int) -> str:
    """The hash of a file; its time and size are part of the key, so a changed file is read again."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
