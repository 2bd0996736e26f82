"""Times builds against upstream's own, in one run, interleaved: cold, unchanged, after an edit, and a further ABI."""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from build_config import load, process
from build_config.errors import UsageError
from build_config.fetch import sources
from build_config.report import Report
from build_config.store import Store
from build_config.workspace import open_workspace
from tests.support.project import ROOT, copy

LIMITS = {"zig": 1.5, "host": 0.9, "unchanged": 3.0, "edit": 0.25, "variant": 10.0}


class Bench:
    """A scratch folder, upstream's sdist in it, and the times that were taken so far, in seconds."""

    def __init__(self, scratch: Path, report: Report) -> None:
        self.scratch = scratch
        self.report = report
        self.times: dict[str, list[float]] = {}
        self.sdist = self._sdist()

    def upstream(self) -> None:
        """Upstream's wheel, from an sdist that is on this machine already."""
        out = self.scratch / "upstream"
        argv = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-cache-dir", "--quiet"]
        # Without our tools, as a user has it: the cmake of this environment cannot run in the one that pip makes.
        own = sysconfig.get_path("scripts")
        path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != own)
        environment = {**os.environ, "PATH": path}
        self._time("upstream", lambda: process.run([*argv, "-w", out, self.sdist], cwd=self.scratch, env=environment))
        shutil.rmtree(out)

    def cold(self, toolchain: str) -> Path:
        """Our wheel from an empty store, the download of the sources included; the project copy, to go on with."""
        project = self.scratch / f"project-{toolchain}"
        shutil.rmtree(project, ignore_errors=True)
        copy(project)
        self._time(toolchain, lambda: self.wheels(project, toolchain))
        return project

    def again(self, project: Path, toolchain: str) -> None:
        """The same command with nothing changed, after an edit of one file, and for one more ABI."""
        self._time(f"{toolchain}: unchanged", lambda: self.wheels(project, toolchain))
        edited = project / "source" / "common.c"
        edited.write_text(edited.read_text() + "\nextern int awscrt_bench_edit;\n")
        self._time(f"{toolchain}: edit", lambda: self.wheels(project, toolchain))
        self._time(f"{toolchain}: variant", lambda: self.wheels(project, toolchain, "--variant", "cp313-cp313t"))

    def wheels(self, project: Path, toolchain: str, *more: str) -> None:
        store = project / "store"
        process.run(
            [sys.executable, "-m", "build_config", "wheels", "--no-trial", "--toolchain", toolchain, *more],
            cwd=project,
            env={**os.environ, "AWS_CRT_BUILD_STORE": str(store), "PYTHONPATH": str(project)},
        )

    def _time(self, name: str, work: Callable[[], object]) -> None:
        started = time.monotonic()
        work()
        self.times.setdefault(name, []).append(time.monotonic() - started)
        self.report.line(f"{name}: {self.times[name][-1]:.1f} s")

    def _sdist(self) -> Path:
        catalog = load.catalog(ROOT)
        workspace = open_workspace(ROOT, os.environ, {})
        archive = next(iter(catalog.sources.values())).archive
        with Store(workspace.store) as store:
            found = sources.obtain_archive(archive, store, offline=False, environment=os.environ)
            return Path(shutil.copy(found, self.scratch / archive.filename))


def rows(times: dict[str, list[float]]) -> list[dict[str, object]]:
    """Each median, its ratio to upstream's, its limit and whether it holds."""
    medians = {name: statistics.median(values) for name, values in times.items()}
    told = []
    for name, seconds in medians.items():
        kind = name.rpartition(": ")[2]
        ratio = seconds / medians["upstream"]
        limit = LIMITS.get(kind)
        absolute = kind in ("unchanged", "variant")
        held = limit is None or (seconds if absolute else ratio) <= limit
        bound = "" if limit is None else f"≤ {limit:g} {'s' if absolute else 'x'}"
        told.append({"what": name, "seconds": seconds, "ratio": ratio, "limit": bound, "held": held})
    return told


def main() -> int:
    parser = argparse.ArgumentParser(prog="nox -s bench -- build", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1, help="how often each cold build is timed; the median counts")
    parser.add_argument("--toolchain", action="append", choices=("zig", "host"), help="default: both")
    parser.add_argument("--json", action="store_true", help="answer on stdout with one JSON document")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        raise UsageError("--rounds must be 1 or more")
    report = Report(as_json=arguments.json)
    with tempfile.TemporaryDirectory() as scratch:
        bench = Bench(Path(scratch), report)
        for last in [False] * (arguments.rounds - 1) + [True]:
            bench.upstream()
            for toolchain in arguments.toolchain or ["zig", "host"]:
                project = bench.cold(toolchain)
                if last:
                    bench.again(project, toolchain)
        told = rows(bench.times)
    if arguments.json:
        report.document(told)
    table = [
        (
            str(row["what"]),
            f"{row['seconds']:.1f}",
            f"{row['ratio']:.2f}x",
            str(row["limit"]),
            "yes" if row["held"] else "NO",
        )
        for row in told
    ]
    report.table("", ("build", "seconds", "of upstream's", "limit", "held"), table)
    return 0 if all(row["held"] for row in told) else 1


if __name__ == "__main__":
    sys.exit(main())
