"""How a plan is acted on: all targets in one walk, and what nothing here runs comes back untried."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from build_config import load, plan
from build_config.errors import TrialError
from build_config.execute import Execution, Made
from build_config.key import file_sha256
from build_config.load import Catalog
from build_config.model import Artifact, Node, Result, Status, Step, Target
from build_config.provision import Prepared, Provision
from build_config.store import Store
from build_config.toolchain import Tools, planned
from build_config.trial import Interpreter
from build_config.workspace import Listener, Workspace, open_workspace
from tests.support.wheels import contents, sound

ROOT = Path(__file__).resolve().parents[2]
HERE = plan.Machine("linux", "x86_64", "gnu")
PYTHON = Interpreter(Path("/python"), "3.13.0", "cp313", "linux-x86_64", "cpython", Path("/"), virtual=False)


class Kept(Listener):
    """Keeps what ended."""

    def __init__(self) -> None:
        self.results: list[Result] = []

    def ended(self, result: Result) -> None:
        self.results.append(result)


class Recorded(Provision):
    """Builds nothing; notes in which order it was asked to."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.order: list[str] = []
        self._guard = threading.Lock()
        self._meeting = threading.Barrier(2, timeout=20)

    def _sources(self, names: Any) -> dict[str, Path]:
        return {name: Path(name) for name in names}

    def _build(self, node: Node, prepared: Prepared, source: Path, niceness: int) -> None:
        del source, niceness
        if node.subject == "aws-lc":
            # Comes to an end only where another target's is being built at the same time.
            self._meeting.wait()
        with self._guard:
            self.order.append(node.id)
        assert node.target == prepared.target.id


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return load.catalog(ROOT)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(tmp_path, {}, {"AWS_CRT_BUILD_JOBS": "2"}, store=tmp_path / "store")


def prepared(catalog: Catalog, target: Target) -> Prepared:
    keys = dict.fromkeys(catalog.recipes)
    return Prepared(target, planned("zig", target), Tools(Path("cmake"), Path("ninja"), ()), keys)  # type: ignore[arg-type]


def test_the_libraries_of_all_targets_are_one_walk(
    catalog: Catalog, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    targets = [catalog.targets["linux-gnu-x86_64"], catalog.targets["linux-musl-aarch64"]]
    made = plan.make(catalog, targets, [catalog.variants["cp38-abi3"]], machine=HERE)
    with Store(workspace.store) as store:
        monkeypatch.setattr(store, "find", lambda _key: None)
        run = Recorded(made, catalog, workspace, store, Listener())
        calls: dict[str, Callable[[], None]] = {
            node.id: lambda name=node.id: run.order.append(name)  # type: ignore[misc]
            for target in targets
            for node in run.nodes(Step.WHEEL, target)
        }
        run.provide([prepared(catalog, target) for target in targets], calls)
    assert sorted(run.order) == sorted(n.id for n in made.nodes if n.step in (Step.LIBRARY, Step.WHEEL))
    needs = {node.id: node.needs for node in made.nodes}
    for place, name in enumerate(run.order):
        assert not [need for need in needs[name] if need in run.order[place:]]


def made_wheel(catalog: Catalog, workspace: Workspace, target: str, variant: str) -> tuple[Execution, Made, Kept]:
    chosen, kept = catalog.targets[target], Kept()
    whole = plan.make(catalog, [chosen], list(catalog.variants.values()), machine=HERE)
    tag = f"{variant}-{'.'.join(sorted(chosen.wheel_platforms))}"
    text = f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    path = sound(workspace.root, contents(changes={"thing-1.0.dist-info/WHEEL": text}), f"thing-1.0-{tag}.whl")
    artifact = Artifact(path, file_sha256(path), path.stat().st_size, "wheel", "")
    execution = Execution(whole, catalog, workspace, Store(workspace.store), kept)
    return execution, Made(chosen, catalog.variants[variant], artifact), kept


@pytest.mark.parametrize(
    ("target", "variant"),
    [
        # An interpreter says its processor and not its C library: musl's wheel would seem to be for it.
        ("linux-musl-x86_64", "cp38-abi3"),
        ("linux-gnu-aarch64", "cp38-abi3"),
        ("windows-x86_64", "cp38-abi3"),
        ("linux-gnu-x86_64", "cp313-cp313t"),
    ],
)
def test_what_nothing_here_runs_is_left_untried(
    catalog: Catalog, workspace: Workspace, target: str, variant: str
) -> None:
    execution, wheel, kept = made_wheel(catalog, workspace, target, variant)
    assert execution.trials(wheel, [PYTHON], again=False) == ()
    assert [result.status for result in kept.results] == [Status.SKIPPED]


def test_this_machines_own_wheel_is_not_left_untried(catalog: Catalog, workspace: Workspace) -> None:
    execution, wheel, _ = made_wheel(catalog, workspace, "linux-gnu-x86_64", "cp38-abi3")
    with pytest.raises(TrialError, match="no CPython to try it on"):
        execution.trials(wheel, [], again=False)
