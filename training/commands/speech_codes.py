"""``understudy-train speech-codes RUN``: recordings as the codes of a trained speech tokenizer."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tokenizer", type=Path, metavar="DIR", help="what 'stage speech_tokenizer' trained")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--manifest", type=Path, metavar="FILE", help="all recordings of a manifest")
    source.add_argument("--voices", type=Path, nargs="+", metavar="FILE", help="sound files")
    source.add_argument(
        "--scripts", type=Path, metavar="DIR",
        help="the turns of scripts, said by piper or espeak-ng, for 'stage chat'",
    )  # fmt: skip
    parser.add_argument("--language", default="en", help="of the scripts (default: en)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for NAME.npz")


def run(arguments: argparse.Namespace) -> int:
    from ...backend.dialogue.voices import find_synthesiser
    from ...backend.errors import BadInput
    from ..data.multimodal.script import read_scripts
    from ..speech.codes import said, write_codes
    from ..speech.manifests import read_manifest
    from ..stages.speech_tokenizer import load_speech_tokenizer

    model = load_speech_tokenizer(arguments.tokenizer)
    recordings: Iterable[tuple[str, Path]]
    if arguments.scripts is not None:
        synthesiser = find_synthesiser(arguments.language)
        if synthesiser is None:
            raise BadInput(
                "Nothing on this machine can say the scripts.",
                hint="Install espeak-ng, or piper with UNDERSTUDY_PIPER naming a folder of its voices.",
                field="scripts",
            )
        recordings = said(
            read_scripts(arguments.scripts),
            synthesiser,
            lambda name: (arguments.out / f"{name}.npz").is_file(),
        )
    elif arguments.manifest is not None:
        rows = read_manifest(arguments.manifest)
        # Names of different speakers may be the same.
        recordings = [(f"{_plain(row.speaker)}/{Path(row.path).stem}", Path(row.path)) for row in rows]
    else:
        recordings = [(path.stem, path) for path in arguments.voices]
    written = write_codes(model, recordings, arguments.out)
    print(f"{len(written.files)} recordings as codes in {arguments.out}.")
    if written.broken:
        print(f"{len(written.broken)} could not be used:")
        for path, why in written.broken[:20]:
            print(f"  {path}: {why}")
    return 0 if written.files or not written.broken else 1


def _plain(speaker: str) -> str:
    """A speaker as the name of a folder."""
    return "".join(c if c.isalnum() or c in "-_" else "_" for c in speaker) or "_"
