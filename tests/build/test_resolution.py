"""Real pip, as a machine of each platform would run it, finds the wheel that is for it among all that are planned."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from build_config import load
from build_config.model import Target
from build_config.wheel import read, write
from tests.support.platforms import before, platforms
from tests.support.wheels import contents, members

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
CATALOG = load.catalog(ROOT)
PYTHONS = {"3.8": "cp38", "3.13": "cp313", "3.13t": "cp313t", "3.14t": "cp314t"}
VARIANTS = {"3.8": "cp38-abi3", "3.13": "cp38-abi3", "3.13t": "cp313-cp313t", "3.14t": "cp314-cp314t"}


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small wheel under the tags of each planned one."""
    folder = tmp_path_factory.mktemp("wheelhouse")
    for target in CATALOG.targets.values():
        for variant in CATALOG.variants.values():
            tags = "".join(f"Tag: {variant.id}-{platform}\n" for platform in target.wheel_platforms)
            text = f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\n{tags}".encode()
            files = contents(changes={"thing-1.0.dist-info/WHEEL": text})
            name = f"thing-1.0-{variant.id}-{'.'.join(sorted(target.wheel_platforms))}.whl"
            write(folder, name, members(files), epoch=1_700_000_000)
    assert len(list(folder.glob("*.whl"))) == len(CATALOG.targets) * len(CATALOG.variants)
    return folder


def pip(verb: str, wheelhouse: Path, out: Path, target: Target, floor: str, python: str) -> subprocess.CompletedProcess[str]:
    where = {"download": "--dest", "install": "--target"}[verb]
    words = [f"--platform={platform}" for platform in platforms(target, floor)]
    words += ["--implementation=cp", f"--python-version={python.rstrip('t')}", f"--abi={PYTHONS[python]}"]
    # A Python without a GIL has no stable ABI.
    words += [] if python.endswith("t") else ["--abi=abi3"]
    words += ["--only-binary=:all:", "--no-index", "--no-deps", "--no-cache-dir", f"--find-links={wheelhouse}"]
    argv = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", verb, *words, where, str(out), "thing"]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", sorted(CATALOG.targets))
@pytest.mark.parametrize("python", PYTHONS)
def test_pip_downloads_the_wheel_of_the_platform(wheelhouse: Path, tmp_path: Path, name: str, python: str) -> None:
    target = CATALOG.targets[name]
    done = pip("download", wheelhouse, tmp_path, target, target.floor, python)
    found = [read(path) for path in tmp_path.iterdir()]
    assert done.returncode == 0, done.stderr
    assert [set(wheel.platforms) for wheel in found] == [set(target.wheel_platforms)]
    assert {tag.rpartition("-")[0] for tag in found[0].tags} == {VARIANTS[python]}


@pytest.mark.parametrize("name", sorted(name for name in CATALOG.targets if not name.startswith("windows")))
def test_pip_has_nothing_for_a_machine_below_the_floor(wheelhouse: Path, tmp_path: Path, name: str) -> None:
    target = CATALOG.targets[name]
    done = pip("download", wheelhouse, tmp_path, target, before(target.floor), "3.13")
    assert "No matching distribution" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(CATALOG.targets))
def test_pip_installs_it_for_another_platform(wheelhouse: Path, tmp_path: Path, name: str) -> None:
    target = CATALOG.targets[name]
    done = pip("install", wheelhouse, tmp_path / "out", target, target.floor, "3.13")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "thing" / "__init__.py").is_file()
