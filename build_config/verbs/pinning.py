"""Owns the verbs that renew what is pinned: lock (tools) and pins (C sources)."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import requirements
from ..fetch.pins import describe
from .context import Context

TEACHES_PINS = """\
Reads an archive that you have downloaded and checked, and writes what crt/pins.toml would say of it to stdout.
Compare before you replace: git diff shows which library's sources moved.
"""


def nothing(parser: argparse.ArgumentParser) -> None:
    """No arguments."""
    del parser


def choose_archive(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("archive", type=Path, metavar="ARCHIVE", help="the sdist, as downloaded")


def lock(context: Context) -> int:
    for path in requirements.lock(context.root, environment=context.environment, progress=context.report.line):
        context.report.line(f"wrote {path.relative_to(context.root)}")
    return 0


def pins(context: Context) -> int:
    context.report.line(describe(context.arguments.archive))
    return 0
