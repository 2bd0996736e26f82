"""Real builds in copies of the project, from stores that hold what the last `wheels` left, or a part of it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import pytest

from build_config import load, plan
from build_config.provision import Provision
from build_config.store import Store
from build_config.variables import checked
from build_config.workspace import Listener, open_workspace
from tests.support import project as copies


@dataclass(frozen=True, slots=True)
class Site:
    """A copy of the project and a store of its own."""

    project: Path
    store: Path

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A build of the wheel, without trials, in a process of its own."""
        environment = {**os.environ, "AWS_CRT_BUILD_STORE": str(self.store), "PYTHONPATH": str(self.project)}
        return subprocess.Popen(
            [sys.executable, "-m", "build_config", "wheels", "--no-trial", *arguments],
            cwd=self.project,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # Who runs the tests in the background may have them ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no thread of ours forks
        )

    def build(self, *arguments: str) -> bytes:
        """A build that must end well: the bytes of the wheel."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=900)
        assert process.returncode == 0, output.decode(errors="replace")[-4000:]
        return self.wheel()

    def wheel(self) -> bytes:
        (path,) = (self.project / "dist").glob("*.whl")
        return path.read_bytes()


@pytest.fixture
def site(tmp_path: Path) -> Callable[..., Site]:
    """Makes a site whose store has the archive, and the libraries of the last build but those named."""

    def make(name: str, *, without: Collection[str] = (), libraries: bool = True) -> Site:
        made = Site(copies.copy(tmp_path / name / "project"), tmp_path / name / "store")
        workspace = open_workspace(copies.ROOT, os.environ, checked(os.environ))
        catalog = load.catalog(copies.ROOT)
        target = plan.own_target(catalog, plan.machine())
        whole = plan.make(catalog, [target], [], machine=plan.machine())
        with Store(workspace.store) as store:
            keys = Provision(whole, catalog, workspace, store, Listener()).prepare(target).keys
            wanted = {key for name, key in keys.items() if libraries and name not in without}
            infos = [info for info in store.entries() if info.kind == "archive" or info.key in wanted]
            assert wanted <= {info.key for info in infos}, "the last `wheels` left no such library"
            for info in infos:
                shutil.copytree(info.path, made.store / info.path.relative_to(workspace.store), symlinks=True)
        return made

    return make
