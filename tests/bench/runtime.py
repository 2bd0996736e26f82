"""Times the package against a baseline, upstream's wheel from the package index or another one: interleaved, in one run."""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import statistics
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import trustme

from build_config import process, trial
from build_config.errors import MachineError, ToolchainError, UsageError
from build_config.report import Report
from build_config.schema import Table
from build_config.schema import read as read_table
from build_config.trial import Interpreter
from build_config.trial.environment import fresh, template
from build_config.trial.place import clean
from build_config.wheel import read
from tests.support.debian import UnavailableError
from tests.support.nginx import Nginx
from tests.support.project import ROOT

Call = tuple[str, ...]
"""A program of tests/bench/programs and its words."""

SIDES = ("baseline", "ours")
PROGRAMS = Path(__file__).parent / "programs"
SECONDS = 300.0
CONFIDENCE = 0.95
_LIMIT = re.compile(r"(>=|<=) (\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Measure:
    """A figure of a program's call, and the limit on ours divided by the baseline's."""

    name: str
    call: Call
    figure: str
    unit: str
    limit: str

    def holds(self, ratio: float) -> bool:
        sign, _, bound = self.limit.partition(" ")
        return ratio >= float(bound) if sign == ">=" else ratio <= float(bound)


@dataclass(frozen=True)
class Row:
    """What a measure came to: the medians of the sides and of the rounds' ratios, and what that ratio lies between."""

    measure: Measure
    baseline: float
    ours: float
    ratio: float
    low: float
    high: float

    @property
    def verdict(self) -> str:
        """`yes`, or `even` where the rounds scatter over the limit and so decide nothing, or `NO`."""
        if self.measure.holds(self.ratio):
            return "yes"
        return "even" if any(map(self.measure.holds, (self.low, self.high))) else "NO"


def judge(measure: Measure, baseline: Sequence[float], ours: Sequence[float]) -> Row:
    """Both sides' figures, in the order of the rounds; each round's ratio is that of neighbours in time.

    The bounds are order statistics of the rounds' ratios: they hold the true median with the probability CONFIDENCE,
    whatever the distribution.
    """
    ratios = sorted(mine / theirs for mine, theirs in zip(ours, baseline))
    count = len(ratios)
    outside, tail = 0, 0.5**count
    while 2 * tail <= 1 - CONFIDENCE and 2 * (outside + 1) < count:
        outside += 1
        tail += math.comb(count, outside) * 0.5**count
    index = max(0, outside - 1)
    theirs, mine, ratio = (statistics.median(each) for each in (baseline, ours, ratios))
    return Row(measure, theirs, mine, ratio, ratios[index], ratios[-1 - index])


class Bench:
    """Both sides' interpreters, the server, and every figure so far, by program call and side."""

    def __init__(self, pythons: Mapping[str, Path], scratch: Path, values: Mapping[str, str], report: Report) -> None:
        self.pythons = pythons
        self.scratch = scratch
        self.values = values
        self.report = report
        self.figures: dict[tuple[Call, str], list[dict[str, float]]] = {}

    def round(self, calls: Sequence[Call], number: int) -> None:
        """Each program once on each side; who begins alternates."""
        for call in calls:
            for side in SIDES if number % 2 else reversed(SIDES):
                self.figures.setdefault((call, side), []).append(self.run(call, side))

    def run(self, call: Call, side: str) -> dict[str, float]:
        words = [word.format_map(self.values) for word in call]
        env = {"PATH": os.defpath, "HOME": str(self.scratch), "LANG": "C.UTF-8", "PYTHONNOUSERSITE": "1"}
        argv: list[str | Path] = [self.pythons[side], PROGRAMS / f"{words[0]}.py", *words[1:]]
        done = process.run(
            argv, cwd=self.scratch, env=env, timeout=SECONDS, error=MachineError, subject=f"{side}: {' '.join(words)}"
        )
        said: dict[str, float] = json.loads(done.output.splitlines()[-1])
        return said

    def rows(self, chosen: Sequence[Measure]) -> list[Row]:
        return [
            judge(each, *([said[each.figure] for said in self.figures[each.call, side]] for side in SIDES))
            for each in chosen
        ]


def environments(interpreter: Interpreter, wheel: Path, baseline: Path | None, scratch: Path) -> dict[str, Path]:
    """An interpreter for each side, in an environment that has nothing but its package; no `baseline` is upstream's."""
    requirements = ROOT / "requirements"
    work = ROOT / "build" / "trial" / "environments"
    made = template(interpreter, requirements / "trial.txt", environment=os.environ, work=work)
    upstream = ("--require-hashes", "--only-binary", ":all:", "-r", requirements / "baseline.txt")
    ways: dict[str, tuple[str | Path, ...]] = {
        "baseline": ("--no-index", baseline.absolute()) if baseline else upstream,
        "ours": ("--no-index", wheel.absolute()),
    }
    pythons = {}
    for side, way in ways.items():
        python = fresh(interpreter, made, scratch / side, environment=clean(os.environ))
        words = ("-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--no-deps", *way)
        process.run([python, *words], cwd=scratch, env=clean(os.environ), error=MachineError, subject=side)
        pythons[side] = python
    return pythons


def choose_wheel(named: Path | None, interpreter: Interpreter) -> Path:
    """The wheel that was named, or the latest in dist/ that suits the interpreter.

    Raises:
        UsageError: there is none.
    """
    candidates = [named] if named else sorted((ROOT / "dist").glob("*.whl"), key=lambda path: path.stat().st_mtime)
    suitable = [path for path in candidates if path.is_file() and interpreter.accepts(read(path).tags)]
    if not suitable:
        raise UsageError(f"there is no wheel for Python {interpreter.version}", hint="run the verb wheels")
    return suitable[-1]


def choose_python(release: str | None) -> Interpreter:
    found = {".".join(map(str, each.release)): each for each in trial.interpreters(os.environ)}
    if not found or (release and release not in found):
        raise UsageError(f"no Python {release or ''} was found", hint=f"there are {', '.join(found)}")
    return found[release or list(found)[-1]]


@dataclass(frozen=True)
class Plan:
    """What runtime.toml says: the measures, and the sizes in bytes of the objects in the stand-in for S3."""

    measures: tuple[Measure, ...]
    large: int
    first: int

    def even(self) -> Plan:
        """The same measures, with the limit that ours is not worse than the baseline."""
        return replace(self, measures=tuple(replace(each, limit=f"{each.limit[:2]} 1") for each in self.measures))

    def only(self, words: Sequence[str]) -> Plan:
        """The measures with one of these words in their names; all, if there is no word."""
        chosen = tuple(each for each in self.measures if not words or any(word in each.name for word in words))
        if not chosen:
            names = "; ".join(each.name for each in self.measures)
            raise UsageError("no measure has such a name", hint=f"there are {names}")
        return replace(self, measures=chosen)


def load(path: Path) -> Plan:
    """The plan of a TOML file.

    Raises:
        UsageError: naming everything that is wrong with it.
    """
    problems: list[str] = []
    table = Table(read_table(path), path.name, problems)
    plan = Plan(tuple(map(_measure, table.tables("measure"))), table.number("large"), table.number("first"))
    table.finish()
    if problems:
        raise UsageError.many(problems, subject=path)
    return plan


def _measure(row: Table) -> Measure:
    figure = row.text("figure", default="rate", pattern=re.compile("rate|peak"))
    limit = row.text("limit", pattern=_LIMIT)
    made = Measure(row.text("name"), row.texts("call", required=True), figure, row.text("unit"), limit)
    row.finish()
    return made


def table(rows: Sequence[Row]) -> Iterator[tuple[str, ...]]:
    for row in rows:
        limit = f"{row.measure.limit}x"
        figures = (f"{row.baseline:.4g}", f"{row.ours:.4g}", row.measure.unit)
        yield row.measure.name, *figures, f"{row.ratio:.3f}x", f"{row.low:.3f} … {row.high:.3f}", limit, row.verdict


def document(rows: Sequence[Row], bench: Bench, about: Mapping[str, str]) -> dict[str, object]:
    told = [
        {
            "what": row.measure.name,
            "unit": row.measure.unit,
            "baseline": row.baseline,
            "ours": row.ours,
            "ratio": row.ratio,
            "bounds": [row.low, row.high],
            "limit": row.measure.limit,
            "held": row.verdict,
            "rounds": {
                side: [said[row.measure.figure] for said in bench.figures[row.measure.call, side]] for side in SIDES
            },
        }
        for row in rows
    ]
    return {**about, "measures": told}


def parse(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="nox -s bench -- runtime", description=__doc__)
    parser.add_argument("measure", nargs="*", help="only measures with this in their name; default: all")
    parser.add_argument("--rounds", type=int, default=7, help="how often each side is measured; the median counts")
    parser.add_argument("--python", metavar="X.Y", help="default: the newest CPython found")
    parser.add_argument("--wheel", type=Path, help="default: the latest in dist/")
    parser.add_argument(
        "--baseline",
        type=Path,
        metavar="WHEEL",
        help="instead of upstream's; the limits are then 1 (default: upstream's)",
    )
    parser.add_argument("--json", action="store_true", help="answer on stdout with one JSON document")
    arguments = parser.parse_args(words)
    if arguments.rounds < 1:
        raise UsageError("--rounds must be 1 or more")
    return arguments


def measure(arguments: argparse.Namespace, report: Report) -> int:
    plan = load(Path(__file__).with_suffix(".toml")).only(arguments.measure)
    interpreter = choose_python(arguments.python)
    wheel = choose_wheel(arguments.wheel, interpreter)
    baseline = choose_wheel(arguments.baseline, interpreter) if arguments.baseline else None
    plan = plan.even() if baseline else plan
    against = baseline.name if baseline else "upstream's"
    about = {"wheel": wheel.name, "baseline": against, "python": interpreter.version}
    report.note(f"{wheel.name} against {against} on Python {interpreter.version}, {arguments.rounds} rounds")
    authority = trustme.CA()
    issued = authority.issue_cert("localhost", "127.0.0.1")
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name).resolve()
        authority.cert_pem.write_to_path(scratch / "authority.pem")
        (scratch / "object").write_bytes(bytes(plan.large))
        pythons = environments(interpreter, wheel, baseline, scratch)
        with Nginx(
            scratch / "nginx", chain, issued.private_key_pem.bytes(), programs=ROOT / "build" / "programs"
        ) as server:
            (server.files / "large").symlink_to(scratch / "object")
            (server.files / "first").write_bytes(bytes(plan.first))
            values = {
                "authority": str(scratch / "authority.pem"),
                "object": str(scratch / "object"),
                "large": str(plan.large),
                "received": str(scratch / "received"),
                **{kind: str(port) for kind, port in vars(server.ports).items()},
            }
            bench = Bench(pythons, scratch, values, report)
            calls = list(dict.fromkeys(each.call for each in plan.measures))
            for number in range(arguments.rounds):
                report.note(f"round {number + 1} of {arguments.rounds}")
                bench.round(calls, number)
    rows = bench.rows(plan.measures)
    if arguments.json:
        report.document(document(rows, bench, about))
    report.table("", ("measure", "baseline", "ours", "", "ratio", "bounds", "limit", "held"), table(rows))
    return 1 if any(row.verdict == "NO" for row in rows) else 0


def main() -> int:
    arguments = parse(sys.argv[1:])
    report = Report(as_json=arguments.json)
    try:
        return measure(arguments, report)
    except UnavailableError as cause:
        fault: ToolchainError = MachineError(str(cause))
    except ToolchainError as cause:
        fault = cause
    report.error(fault)
    return fault.exit_code


if __name__ == "__main__":
    sys.exit(main())
