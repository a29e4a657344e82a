"""``understudy packs``: the installed packs, their licences, what they know and what they were trained on."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from .common import megabytes, print_json


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "packs", help="list the installed packs, their licences and what they know; install or remove one"
    )
    change = parser.add_mutually_exclusive_group()
    change.add_argument("--install", type=Path, metavar="FILE", help="install a .zip, or a pack's folder")
    change.add_argument("--remove", metavar="NAME", help="remove a pack that was installed")
    parser.add_argument("--json", action="store_true", help="print the list as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from ..errors import BadInput
    from ..packs.finding import list_packs, user_folder
    from ..packs.known import amounts, read_list

    if args.install is not None:
        from ..packs.files import install_pack

        installed = install_pack(args.install)
        print_json(_facts(installed)) if args.json else print(
            f"{installed.name} {installed.version} is installed."
        )
        return 0
    if args.remove is not None:
        from ..packs.files import remove_pack

        remove_pack(args.remove)
        print_json({"removed": args.remove}) if args.json else print(f"{args.remove} is removed.")
        return 0
    packs = list_packs()
    if args.json:
        print_json([_facts(pack) for pack in packs])
        return 0
    if not packs:
        print(f"No pack is installed. A pack's folder goes into {user_folder()}")
    for pack in packs:
        print(f"{pack.name} {pack.version}, {pack.licence}, {megabytes(pack.size)}, {pack.path}")
        for text in (pack.description, pack.licence_note):
            if text:
                print(f"  {text}")
        try:
            known = read_list(pack)
        except BadInput as error:  # one bad pack must not hide the others
            known = None
            print(f"  {error.message}")
        if known is not None:
            print(f"  knows {amounts(known.actions)}")
            if known.styles:
                print(f"  in the styles {amounts(known.styles)}")
        for data in pack.data:
            credit = f": {data.attribution}" if data.attribution else ""
            print(f"  trained on {data.name} ({data.licence}){credit}")
    return 0


def _facts(pack: Any) -> dict[str, Any]:
    from ..errors import BadInput
    from ..packs.known import read_list

    facts = dataclasses.asdict(pack)
    facts.pop("files")
    try:
        known = read_list(pack)
    except BadInput:
        known = None
    actions = None if known is None else [dataclasses.asdict(amount) for amount in known.actions]
    styles = None if known is None else [dataclasses.asdict(amount) for amount in known.styles]
    return {**facts, "path": str(pack.path), "bytes": pack.size, "actions": actions, "styles": styles}
