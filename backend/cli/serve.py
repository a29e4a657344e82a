"""``understudy serve``: the backend process, JSON-RPC on stdin and stdout."""

from __future__ import annotations

import argparse


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser("serve", help="serve requests on stdin and stdout, as Blender does it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    from ..process.server import serve

    serve()
