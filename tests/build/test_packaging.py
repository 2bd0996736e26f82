"""PEP 517: pip and build make the same wheel through the in-tree backend, in environments of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from build_config.wheel import read
from tests.support import project as copies

_USE = """\
import json, awscrt, awscrt.checksums
print(json.dumps([awscrt.__version__, awscrt.checksums.crc32(b"123456789"), awscrt.__file__]))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copies.copy(tmp_path_factory.mktemp("packaging") / "project")


def _run(project: Path, *arguments: str | Path) -> str:
    """A command of Python's, told to build with zig, whose libraries the store has."""
    environment = {**os.environ, "AWS_CRT_BUILD_TOOLCHAIN": "zig", "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, *arguments], cwd=project, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return done.stdout


@pytest.mark.slow
@pytest.mark.network
def test_pip_builds_a_wheel_that_works(project: Path, tmp_path: Path) -> None:
    _run(project, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", tmp_path, ".")
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name.startswith("awscrt-0.38.0-cp38-abi3-linux_")
    names = {member.name for member in read(wheel).members}
    assert {"awscrt/_awscrt.abi3.so", "awscrt/py.typed"} <= names
    assert any(name.endswith("/licenses/third_party/aws-lc/LICENSE") for name in names)
    folder = tmp_path / "environment"
    _run(project, "-m", "pip", "install", "--no-deps", "--no-index", "--target", folder, wheel)
    used = subprocess.run(
        [sys.executable, "-c", _USE], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(folder)}, capture_output=True, check=True
    )
    version, checksum, file = json.loads(used.stdout)
    assert (version, checksum) == ("0.38.0", 0xCBF43926)
    assert Path(file).is_relative_to(folder)


@pytest.mark.slow
@pytest.mark.network
def test_the_sdist_builds_the_wheel_and_holds_no_sources_of_others(project: Path, tmp_path: Path) -> None:
    _run(project, "-m", "build", "--outdir", tmp_path)
    (sdist,), (wheel,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    assert wheel.name.startswith("awscrt-0.38.0-cp38-abi3-linux_")
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert {"crt/pins.toml", "recipes/aws-lc.toml", "build_config/backend.py", "source/module.c"} <= set(names)
    assert not [name for name in names if name.startswith(("build/", "dist/", ".nox/", "store/"))]
    assert not [name for name in names if name.startswith("crt/aws-c-")]


def test_a_config_setting_is_refused_with_what_to_use_instead(project: Path) -> None:
    code = "from build_config import backend; backend.build_wheel('.', {'cmake.args': '-DX=1'})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=project, env=os.environ, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "config settings are not read: cmake.args" in done.stderr
    assert "AWS_CRT_BUILD_" in done.stderr
