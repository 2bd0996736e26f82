"""Owns the tests of trying wheels everywhere: who meets whom, and what is said of what was not run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from build_config import load, matrix, suites
from build_config.errors import BuildError, IntegrityError, MachineError, ToolchainError
from build_config.model import Tried
from build_config.plan import wheel_target
from build_config.roots import Provider, Root
from build_config.roots.catalog import Tree
from build_config.store import Store
from build_config.trial import Interpreter
from build_config.wheel import Member, write
from build_config.workspace import open_workspace

PROJECT = Path(__file__).parents[2]
HERE = Interpreter(Path("/python"), "3.12.1", "cp312", "linux-x86_64", "cpython", Path("/"), virtual=False)
THERE = Interpreter(Path("/usr/bin/python"), "3.13.5", "cp313", "linux-aarch64", "cpython", Path("/"), virtual=False)
ARM = Root("arm", "linux-gnu-aarch64", Tree("arm", "sid", "aarch64", (), (), ()), ("/usr/bin/python",))


class Given(Provider):
    """Has one root, or fails to."""

    def __init__(self, fault: Exception | None = None, obstacle: str = "") -> None:
        self.fault = fault
        self.asked = 0
        self._obstacle = obstacle

    def interpreters(self, root: Root) -> tuple[Interpreter, ...]:
        self.asked += 1
        if self.fault:
            raise self.fault
        return (THERE,)

    def obstacle(self, root: Root) -> str:
        return self._obstacle


@pytest.fixture(autouse=True)
def _suite(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(wheel: Path, sha256: str, suite: suites.Suite, interpreter: Interpreter, **_: object) -> Tried:
        assert len(sha256) == 64
        failed = 1 if interpreter.version == "3.8.1" else 0
        return Tried(wheel, suites.title(suite, interpreter), 5, failed, 2, 1.0, reused=False)

    monkeypatch.setattr(suites, "run", run)


def wheel(folder: Path, arch: str) -> Path:
    tag = f"cp38-abi3-manylinux_2_17_{arch}"
    info = "awscrt-1.0.dist-info"
    texts = {
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: awscrt\nVersion: 1.0\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    members = [Member(name, text.encode(), executable=False) for name, text in texts.items()]
    return write(folder, f"awscrt-1.0-{tag}.whl", members, epoch=1_700_000_000)


def tried(
    folder: Path, provider: Provider, *interpreters: Interpreter, arches: tuple[str, ...] = ("x86_64", "aarch64")
) -> matrix.Matrix:
    catalog = load.catalog(PROJECT)
    wheels = {path: wheel_target(catalog, path.name) for path in (wheel(folder, arch) for arch in arches)}
    with Store(folder / "store") as store:
        return matrix.run(
            wheels,
            (ARM,),
            interpreters,
            provider=provider,
            workspace=open_workspace(folder, os.environ, {}, store=folder / "store"),
            store=store,
            progress=lambda _: None,
        )


def test_each_wheel_meets_the_interpreters_that_take_it(tmp_path: Path) -> None:
    done = tried(tmp_path, Given(), HERE)
    assert [(done.targets[one.wheel], one.interpreter) for one in done.tried] == [
        ("linux-gnu-x86_64", "cp312 3.12.1"),
        ("linux-gnu-aarch64", "cp313 3.13.5"),
    ]
    assert done.untried == ()
    assert not done.failed
    assert "| linux-gnu-aarch64 cp38-abi3 | cp313 3.13.5 | 5 | 0 | 2 |" in done.markdown()


def test_roots_that_no_wheel_is_for_are_not_made(tmp_path: Path) -> None:
    provider = Given()
    tried(tmp_path, provider, HERE, arches=("x86_64",))
    assert provider.asked == 0


@pytest.mark.parametrize(("obstacle", "fault"), [("no emulator", False), ("", True)])
@pytest.mark.parametrize("kind", [BuildError, MachineError])
def test_what_was_not_run_is_told_with_the_reason(
    tmp_path: Path,
    kind: type[ToolchainError],
    obstacle: str,
    fault: bool,  # noqa: FBT001
) -> None:
    done = tried(tmp_path, Given(kind("it is broken"), obstacle), HERE)
    (one,) = done.untried
    assert (one.where, one.why, one.fault) == ("arm", "it is broken", fault)
    assert len(done.tried) == 1
    assert "- linux-gnu-aarch64 cp38-abi3: in arm: it is broken" in done.markdown()


def test_bytes_that_are_not_those_pinned_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError):
        tried(tmp_path, Given(IntegrityError("other bytes")), HERE)


def test_a_wheel_that_nothing_here_is_for_is_told(tmp_path: Path) -> None:
    (one,) = tried(tmp_path, Given(), arches=("x86_64",)).untried
    assert "no interpreter here is for it" in one.why
    assert not one.fault


def test_a_failed_test_is_a_failure(tmp_path: Path) -> None:
    old = Interpreter(Path("/old"), "3.8.1", "cp38", "linux-x86_64", "cpython", Path("/"), virtual=False)
    assert tried(tmp_path, Given(), old, arches=("x86_64",)).failed
