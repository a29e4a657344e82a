"""``understudy search``: folders of clips are searched by meaning."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import BadInput
from .common import Bar, print_json

LIMIT = (1, 1000)


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("search", help="find clips in folders by what they show")
    parser.add_argument("query", metavar="TEXT", help='what the clips show, for example "a person sneaks"')
    parser.add_argument(
        "--library",
        type=Path,
        action="append",
        required=True,
        metavar="DIR",
        help="a folder of .npz, .bvh or .amc files, with everything below; may be given several times",
    )
    parser.add_argument("--limit", type=int, default=10, metavar="N", help="at most so many (default: 10)")
    parser.add_argument("--pack", default="open", metavar="NAME|DIR", help="the weights (default: open)")
    parser.add_argument("--json", action="store_true", help="print what is found, or the error, as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if not args.query.strip():
        raise BadInput("The query is empty.", hint="Say what the clips show.", field="query")
    if not LIMIT[0] <= args.limit <= LIMIT[1]:
        raise BadInput(f"Limit must be between {LIMIT[0]} and {LIMIT[1]}, not {args.limit}.", field="limit")
    for folder in args.library:
        if not folder.is_dir():
            raise BadInput(f"The folder {folder} does not exist.", field="library")
    from ..packs.finding import find_pack
    from ..search.searching import Library, text_encoder

    library = Library(find_pack(args.pack), text_encoder())
    with Bar(not args.json) as bar:
        findings = library.search(args.query, args.library, args.limit, progress=bar)
    if args.json:
        results = [
            {
                "path": str(one.path),
                "score": round(one.score, 4),
                "text": one.entry.text,
                "seconds": one.entry.seconds,
                "frames": one.entry.frames,
                "fps": one.entry.fps,
                "layout": one.entry.layout,
                "start": round(one.start, 3),
                "stop": round(one.stop, 3),
            }
            for one in findings.found
        ]
        skipped = [{"path": str(path), "why": why} for path, why in findings.skipped]
        print_json({"query": args.query, "read": findings.read, "results": results, "skipped": skipped})
        return 0
    for one in findings.found:
        where = f", best at {one.start:.1f} s" if one.start > 0 else ""
        text = f"  “{one.entry.text}”" if one.entry.text else ""
        print(f"{one.score:5.2f}  {one.path}  {one.entry.seconds:.1f} s{where}{text}")
    if not findings.read:
        print("There are no clips in it.")
    for path, why in findings.skipped:
        print(f"left out: {why if str(path) in why else f'{path}: {why}'}")
    return 0
