"""Owns the verbs that renew what is pinned: lock (tools) and pins (C sources)."""

from __future__ import annotations

import argparse
from pathlib import Path

from .. import requirements
from ..fetch.pins import describe, describe_commit
from .context import Context

TEACHES_PINS = """\
Reads an archive that you have downloaded and checked, and writes what crt/pins.toml would say of it to stdout.
Compare before you replace: git diff shows which library's sources moved.
With --git, writes the table that pins one library's commit, for those who take sources from repositories.
"""


def nothing(parser: argparse.ArgumentParser) -> None:
    """No arguments."""
    del parser


def choose_archive(parser: argparse.ArgumentParser) -> None:
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("archive", nargs="?", type=Path, metavar="ARCHIVE", help="the sdist, as downloaded")
    what.add_argument("--git", nargs=3, metavar=("LIBRARY", "URL", "COMMIT"), help="pin a commit instead")


def lock(context: Context) -> int:
    for path in requirements.lock(context.root, environment=context.environment, progress=context.report.line):
        context.report.line(f"wrote {path.relative_to(context.root)}")
    return 0


def pins(context: Context) -> int:
    arguments = context.arguments
    if arguments.git:
        library, url, commit = arguments.git
        text = describe_commit(library, url, commit, environment=context.environment)
    else:
        text = describe(arguments.archive)
    context.report.line(text.rstrip("\n"))
    return 0
