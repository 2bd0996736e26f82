"""Compares the files of a release, platform by platform: how many wheels there are, and how much they weigh."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from build_config.errors import ToolchainError, UsageError
from build_config.report import Report
from build_config.schema import Table
from build_config.schema import read as read_table
from tests.support.project import ROOT

HEADINGS = ("platform", "upstream: files", "MB", "ours: files", "MB")
PLATFORMS = (
    (re.compile(r"manylinux.*?_(x86_64|aarch64|i686)"), "Linux, glibc, {}"),
    (re.compile(r"musllinux.*?_(x86_64|aarch64)"), "Linux, musl, {}"),
    (re.compile(r"macosx_\d+_\d+_(x86_64|arm64|universal2)"), "macOS, {}"),
    (re.compile(r"win_(amd64|arm64)|win(32)"), "Windows, {}"),
)
_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Side:
    """The wheels of one project for one platform; `size` is in bytes."""

    files: int = 0
    size: int = 0

    def __add__(self, other: Side) -> Side:
        return Side(self.files + other.files, self.size + other.size)

    def __bool__(self) -> bool:
        return self.files > 0


@dataclass(frozen=True)
class Row:
    """A platform on both sides."""

    name: str
    upstream: Side
    ours: Side


def platform(filename: str) -> str:
    """The platform that a wheel is for, whatever its floor.

    Raises:
        UsageError: it is for none that is known here.
    """
    try:
        tags = parse_wheel_filename(filename)[3]
    except InvalidWheelFilename as cause:
        raise UsageError(str(cause), subject=filename) from cause
    known = {
        name.format(*filter(None, found.groups()))
        for tag in tags
        for pattern, name in PLATFORMS
        if (found := pattern.fullmatch(tag.platform))
    }
    if len(known) != 1:
        raise UsageError(f"is for {len(known)} of the known platforms, not for one", subject=filename)
    return known.pop()


def compare(upstream: Mapping[str, int], ours: Mapping[str, int]) -> list[Row]:
    """A row for each platform of either side, by name; the wheels are file names with sizes in bytes."""
    sides: list[dict[str, Side]] = []
    for wheels in (upstream, ours):
        found: dict[str, Side] = {}
        for filename, size in wheels.items():
            name = platform(filename)
            found[name] = found.get(name, Side()) + Side(1, size)
        sides.append(found)
    names = sorted({*sides[0], *sides[1]})
    return [Row(name, sides[0].get(name, Side()), sides[1].get(name, Side())) for name in names]


def together(rows: Sequence[Row], name: str) -> Row:
    return Row(name, sum((row.upstream for row in rows), Side()), sum((row.ours for row in rows), Side()))


def table(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    """The rows as text, with their sums: of all, and of the platforms that both sides serve."""
    both = [row for row in rows if row.upstream and row.ours]
    for row in (*rows, together(rows, "all"), together(both, "all that both serve")):
        yield row.name, *_told(row.upstream), *_told(row.ours)


def _told(side: Side) -> tuple[str, str]:
    return (str(side.files), f"{side.size / _MEGABYTE:.2f}") if side else ("–", "–")


def markdown(rows: Sequence[Row]) -> str:
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *table(rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def load(path: Path) -> tuple[str, dict[str, int]]:
    """The version and the wheels of upstream's release, by file name with sizes in bytes.

    Raises:
        UsageError: naming everything that is wrong with the file.
    """
    problems: list[str] = []
    whole = Table(read_table(path), path.name, problems)
    version, wheels = whole.text("version"), {}
    for row in whole.tables("wheel"):
        wheels[row.text("name")] = row.number("size")
        row.finish()
    whole.finish()
    problems += [f"{name!r} is no wheel of {version}" for name in wheels if name.split("-")[1:2] != [version]]
    if problems:
        raise UsageError.many(problems, subject=path)
    return version, wheels


def built(folder: Path) -> dict[str, int]:
    """Our wheels by name, with their sizes.

    Raises:
        UsageError: there is none.
    """
    found = {path.name: path.stat().st_size for path in sorted(folder.glob("*.whl"))}
    if not found:
        raise UsageError(f"there is no wheel in {folder.name}/", hint="run the verb wheels")
    return found


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s bench -- files", description=__doc__)
    parser.add_argument("--markdown", action="store_true", help="answer with a table in Markdown")
    parser.add_argument("--json", action="store_true", help="answer on stdout with one JSON document")
    return parser.parse_args(words)


def main() -> int:
    arguments = parse(sys.argv[1:])
    report = Report(as_json=arguments.json)
    try:
        version, upstream = load(Path(__file__).with_suffix(".toml"))
        rows = compare(upstream, built(ROOT / "dist"))
    except ToolchainError as fault:
        report.error(fault)
        return fault.exit_code
    if arguments.json:
        sides = [{"platform": row.name, "upstream": vars(row.upstream), "ours": vars(row.ours)} for row in rows]
        report.document({"upstream": version, "platforms": sides})
    elif arguments.markdown:
        report.line(markdown(rows))
    else:
        report.table(f"upstream {version}", HEADINGS, table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
