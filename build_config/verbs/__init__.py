"""Owns the verbs of the command line: each a summary, its arguments and what it does."""

from __future__ import annotations

from . import checks, making, pinning, roots, storage
from .context import Context, Verb

__all__ = ["NAMES", "VERBS", "Context"]

VERBS = (
    Verb(
        "plan",
        "show what would be built, without a compiler and without the network",
        making.TEACHES,
        making.choose_plan,
        making.plan,
    ),
    Verb("wheels", "build, repair, check and try wheels", making.TEACHES, making.choose_wheels, making.wheels),
    Verb(
        "tests",
        "run every test: the toolchain's own, then the package's on each Python found",
        making.TEACHES_TESTS,
        making.choose_tests,
        making.tests,
    ),
    Verb("verify", "check wheels by every rule", making.TEACHES_VERIFY, making.choose_files, making.verify),
    Verb(
        "conformance",
        "run upstream's own tests against our wheel and against upstream's",
        checks.TEACHES_CONFORMANCE,
        checks.choose_conformance,
        checks.conformance,
    ),
    Verb(
        "sanitize",
        "run the package's tests against libraries and an extension built with sanitizers",
        checks.TEACHES_SANITIZE,
        checks.choose_sanitize,
        checks.sanitized,
    ),
    Verb("lint", "run every linter and type checker", "", checks.choose_lint, checks.lint),
    Verb(
        "bench", "measure against a baseline in the same run", checks.TEACHES_BENCH, checks.choose_bench, checks.bench
    ),
    Verb(
        "store",
        "look into the store of built libraries, prune and verify it",
        storage.TEACHES,
        storage.configure,
        storage.run,
    ),
    Verb(
        "roots",
        "list, make and pin the roots that wheels of other platforms are tried in",
        roots.TEACHES,
        roots.choose,
        roots.run,
    ),
    Verb("lock", "write requirements/*.txt anew from requirements/*.in", "", pinning.nothing, pinning.lock),
    Verb("pins", "write crt/pins.toml anew for an archive", pinning.TEACHES_PINS, pinning.choose_archive, pinning.pins),
    Verb("clean", "remove build/ and dist/; the store is kept", "", pinning.nothing, making.clean),
)

NAMES = tuple(verb.name for verb in VERBS)
