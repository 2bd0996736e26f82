"""Owns the test of a whole trial: an environment from the package index, made once, on an interpreter of this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from build_config.trial import probe, run
from build_config.wheel import Member, write

REQUIREMENTS = Path(__file__).parents[2] / "requirements" / "trial.txt"
DIST_INFO = "thing-1.0.dist-info"


@pytest.mark.network
@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the wheel made here is for Linux")
def test_a_trial_from_nothing_and_a_second_one_from_what_it_left(tmp_path: Path) -> None:
    tag = f"cp38-abi3-manylinux_2_17_{os.uname().machine}"
    files = {
        "thing/__init__.py": "VALUE = 1\n",
        f"{DIST_INFO}/METADATA": "Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n",
        f"{DIST_INFO}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    entries = [Member(name, text.encode(), executable=False) for name, text in files.items()]
    wheel = write(tmp_path, f"thing-1.0-{tag}.whl", entries, epoch=1_700_000_000)
    tests = tmp_path / "tests"
    tests.mkdir()
    (tests / "test_thing.py").write_text(
        "import importlib.metadata, thing\n"
        "def test_value(): assert thing.VALUE == 1\n"
        "def test_toolchain_is_absent():\n"
        "    names = {d.metadata['Name'].lower() for d in importlib.metadata.distributions()}\n"
        "    assert 'pytest' in names\n"
        "    assert not names & {'ziglang', 'scikit-build-core', 'auditwheel'}\n",
        encoding="utf-8",
    )
    interpreter = probe(Path(sys.executable).resolve(), os.environ)
    work = tmp_path / "work"
    for offline in ({}, {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_NO_CACHE_DIR": "1"}):
        report = run(
            wheel,
            interpreter,
            (tests,),
            requirements=REQUIREMENTS,
            work=work,
            environment={**os.environ, **offline},
            timeout=120,
        )
        assert report.findings == ()
        assert (report.passed, report.failed, report.skipped) == (2, 0, 0)
    kept = [path for path in (work / "environments").iterdir() if path.is_dir()]
    assert [path.name.split("-")[0] for path in kept] == [interpreter.abi]
