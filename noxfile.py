"""The front door: one session a verb; each installs its pinned tools and calls `build_config`.

`nox -s wheels` with a nox that is installed, `python3 noxfile.py -s wheels` where there is none: it then comes from the
package index, pinned by hash, into build/nox and nowhere else.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent


def bring_nox() -> None:
    """Make nox importable here and in the processes that nox starts."""
    lock = ROOT / "requirements" / "nox.txt"
    folder = ROOT / "build" / f"nox-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    if not folder.is_dir():
        # --target, since a system's Python may refuse installs into itself (PEP 668) and have no venv.
        fresh = folder.with_name(f"{folder.name}.{os.getpid()}")
        words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([sys.executable, *words, "--target", fresh, "-r", lock], check=True)
        fresh.rename(folder)
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = str(folder)


if __name__ == "__main__":
    bring_nox()

import nox  # noqa: E402 - it may have to be brought first

nox.options.sessions = ["wheels"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = True


def tools(session: nox.Session, *groups: str) -> None:
    """Install the hash-pinned tools of `requirements/GROUP.txt`, once for each state of these files."""
    session.env["PYTHONPATH"] = ""  # a nox brought along is for nox alone
    locks = [ROOT / "requirements" / f"{group}.txt" for group in groups]
    state = hashlib.sha256(b"\0".join(lock.read_bytes() for lock in locks)).hexdigest()
    marker = Path(session.virtualenv.location) / "installed-tools"
    if marker.is_file() and marker.read_text() == state:
        return
    for lock in locks:
        session.install("--require-hashes", "--quiet", "-r", str(lock))
    marker.write_text(state)


def toolchain(session: nox.Session, verb: str, *arguments: str) -> None:
    session.run("python", "-m", "build_config", verb, *arguments, *session.posargs)


@nox.session
def plan(session: nox.Session) -> None:
    """Show what would be built: nox -s plan -- [TARGET…] [--json]."""
    tools(session, "build")
    toolchain(session, "plan")


@nox.session
def wheels(session: nox.Session) -> None:
    """Build, repair, check and try wheels: nox -s wheels -- [TARGET…] [--toolchain host]."""
    tools(session, "build")
    toolchain(session, "wheels")


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test: the toolchain's own, then the package's against the wheel on each Python found."""
    tools(session, "test")
    toolchain(session, "tests")


@nox.session
def roots(session: nox.Session) -> None:
    """List the roots that wheels of other platforms are tried in, or make one: nox -s roots -- [NAME…]."""
    tools(session, "build")
    toolchain(session, "roots")


@nox.session
def verify(session: nox.Session) -> None:
    """Check wheels: nox -s verify -- [WHEEL…]; default: those in dist/."""
    tools(session, "build")
    toolchain(session, "verify")


@nox.session
def conformance(session: nox.Session) -> None:
    """Run upstream's own tests from its pinned sdist against our wheel and against upstream's."""
    tools(session, "build")
    toolchain(session, "conformance")


@nox.session
def sanitize(session: nox.Session) -> None:
    """Run the package's tests under AddressSanitizer and UndefinedBehaviorSanitizer, with the system's compiler."""
    tools(session, "build")
    toolchain(session, "sanitize")


@nox.session
def lint(session: nox.Session) -> None:
    """Run every linter and type checker over Python, C, workflows and data."""
    tools(session, "lint")
    toolchain(session, "lint")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure against the baseline in one run, interleaved: nox -s bench -- build, nox -s bench -- runtime."""
    tools(session, "test")
    toolchain(session, "bench")


@nox.session
def clean(session: nox.Session) -> None:
    """Remove build/ and dist/; the store is kept (see `store prune`)."""
    tools(session, "build")
    toolchain(session, "clean")


@nox.session
def lock(session: nox.Session) -> None:
    """Write requirements/*.txt anew from requirements/*.in."""
    tools(session, "build", "lock")
    toolchain(session, "lock")


if __name__ == "__main__":
    nox.main()
