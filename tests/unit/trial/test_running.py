"""Owns the tests of a trial: real wheels in real environments, whose packages are those of the running one."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from build_config.errors import MachineError
from build_config.model import Severity
from build_config.trial import RULES, Interpreter, TrialReport, probe, running
from build_config.wheel import Member, write

DIST_INFO = "thing-1.0.dist-info"
ARCH = os.uname().machine if hasattr(os, "uname") else ""

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the wheels made here are for Linux"),
    pytest.mark.skipif(sys.prefix == sys.base_prefix, reason="needs a virtual environment to take packages from"),
]


@pytest.fixture(scope="module")
def interpreter() -> Interpreter:
    pytest.importorskip("pip", reason="the wheel is installed with the pip of the running environment")
    return probe(Path(sys.executable).resolve(), os.environ)


@pytest.fixture(autouse=True)
def _packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of an environment from the package index, which tests/build has."""
    monkeypatch.setattr(running, "template", lambda *_, **__: Path(sys.prefix))


def wheel(
    folder: Path,
    init: str = "VALUE = 1\n",
    tag: str = f"cp38-abi3-manylinux_2_17_{ARCH}",
    requires: str = ">=3.8",
) -> Path:
    files = {
        "thing/__init__.py": init,
        f"{DIST_INFO}/METADATA": f"Metadata-Version: 2.1\nName: thing\nVersion: 1.0\nRequires-Python: {requires}\n",
        f"{DIST_INFO}/WHEEL": f"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: false\nTag: {tag}\n",
    }
    entries = [Member(name, text.encode(), executable=False) for name, text in files.items()]
    return write(folder, f"thing-1.0-{tag}.whl", entries, epoch=1_700_000_000)


def tried(
    folder: Path,
    interpreter: Interpreter,
    tests: str,
    *,
    init: str = "VALUE = 1\n",
    timeout: float = 120,
    environment: dict[str, str] | None = None,
    arguments: tuple[str, ...] = (),
    beside: tuple[Path, ...] = (),
) -> TrialReport:
    place = folder / "tests" / "thing"
    place.mkdir(parents=True, exist_ok=True)
    (place / "test_thing.py").write_text(tests, encoding="utf-8")
    return running.run(
        wheel(folder, init),
        interpreter,
        (place, *beside),
        requirements=folder / "unused.txt",
        work=folder / "work",
        environment={**os.environ, **(environment or {})},
        timeout=timeout,
        pytest_args=arguments,
    )


def counts(report: TrialReport) -> tuple[int, int, int]:
    return report.passed, report.failed, report.skipped


def test_a_good_wheel_passes(tmp_path: Path, interpreter: Interpreter) -> None:
    report = tried(
        tmp_path,
        interpreter,
        "import pytest, thing\ndef test_a(): assert thing.VALUE == 1\n@pytest.mark.skip\ndef test_b(): ...\n",
    )
    assert report.findings == ()
    assert counts(report) == (1, 0, 1)
    assert report.seconds > 0
    assert "testsuite" in report.junit.read_text(encoding="utf-8")
    assert "1 passed" in report.log.read_text(encoding="utf-8")
    assert sorted(path.name for path in (tmp_path / "work").iterdir()) == sorted([report.junit.name, report.log.name])


def test_a_failing_test_is_a_finding(tmp_path: Path, interpreter: Interpreter) -> None:
    report = tried(
        tmp_path,
        interpreter,
        "import pytest, thing\n"
        "def test_a(): assert thing.VALUE == 2, 'two'\n"
        "@pytest.fixture\ndef broken(): raise ValueError('fixture')\n"
        "def test_b(broken): ...\ndef test_c(): ...\n",
    )
    (found,) = report.findings
    assert (found.rule, found.severity) == ("trial-tests", Severity.ERROR)
    assert "2 of 3 tests failed" in found.message
    assert "test_a: AssertionError: two" in found.message
    assert "fixture" in found.message
    assert found.hint == RULES["trial-tests"]
    assert counts(report) == (1, 2, 0)


@pytest.mark.parametrize(
    ("tests", "arguments", "said"),
    [
        ("def nothing(): ...\n", (), "0 skipped"),
        ("import pytest\n@pytest.mark.skip\ndef test_a(): ...\n", (), "1 skipped"),
        ("def test_a(): ...\n", ("-k", "other"), "0 skipped"),
    ],
)
def test_no_test_run_is_a_finding(
    tmp_path: Path, interpreter: Interpreter, tests: str, arguments: tuple[str, ...], said: str
) -> None:
    (found,) = tried(tmp_path, interpreter, tests, arguments=arguments).findings
    assert found.rule == "trial-empty"
    assert said in found.message


def test_a_crash_is_a_finding_with_its_signal(tmp_path: Path, interpreter: Interpreter) -> None:
    report = tried(tmp_path, interpreter, "import os\ndef test_a(): ...\ndef test_b(): os.abort()\n")
    (found,) = report.findings
    assert found.rule == "trial-crash"
    assert "SIGABRT" in found.message
    assert "test_b" in found.message
    assert counts(report) == (0, 0, 0)


@pytest.mark.parametrize("code", [0, 1, 5])
def test_an_end_without_a_report_is_a_crash_whatever_its_code(
    tmp_path: Path, interpreter: Interpreter, code: int
) -> None:
    (found,) = tried(tmp_path, interpreter, f"import os\ndef test_end(): os._exit({code})\n").findings
    assert found.rule == "trial-crash"
    assert f"exit {code}" in found.message


def test_a_hang_is_a_finding(tmp_path: Path, interpreter: Interpreter) -> None:
    report = tried(tmp_path, interpreter, "import time\ndef test_a(): time.sleep(600)\n", timeout=3)
    (found,) = report.findings
    assert found.rule == "trial-timeout"
    assert report.seconds < 60


def test_words_that_pytest_does_not_know_are_a_finding(tmp_path: Path, interpreter: Interpreter) -> None:
    (found,) = tried(tmp_path, interpreter, "def test_a(): ...\n", arguments=("--no-such-option",)).findings
    assert found.rule == "trial-crash"
    assert "exit 4" in found.message


@pytest.mark.parametrize(
    ("init", "said"), [("import no_such_module\n", "no_such_module"), ("import os\nos.abort()\n", "SIGABRT")]
)
def test_a_package_that_cannot_be_imported_is_a_finding(
    tmp_path: Path, interpreter: Interpreter, init: str, said: str
) -> None:
    (found,) = tried(tmp_path, interpreter, "def test_a(): ...\n", init=init).findings
    assert found.rule == "trial-import"
    assert said in found.message


def test_a_package_from_elsewhere_is_a_finding(tmp_path: Path, interpreter: Interpreter) -> None:
    (found,) = tried(
        tmp_path, interpreter, "def test_a(): ...\n", init="__file__ = '/src/thing/__init__.py'\n"
    ).findings
    assert found.rule == "trial-location"
    assert "/src/thing" in found.message


def test_sources_and_settings_nearby_have_no_influence(tmp_path: Path, interpreter: Interpreter) -> None:
    """The tree of the sources, with its settings for pytest, lies around the folder of the trial and on PYTHONPATH."""
    (tmp_path / "thing").mkdir()
    (tmp_path / "thing" / "__init__.py").write_text("VALUE = 'sources'\n", encoding="utf-8")
    (tmp_path / "conftest.py").write_text("raise RuntimeError('the conftest of the sources')\n", encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[tool.pytest.ini_options]\npythonpath = ["."]\naddopts = "-x --bad"\n')
    report = tried(
        tmp_path,
        interpreter,
        "import os, thing\ndef test_a():\n    assert thing.VALUE == 1\n    assert 'PYTHONPATH' not in os.environ\n",
        environment={"PYTHONPATH": str(tmp_path)},
    )
    assert report.findings == ()


def test_nothing_stays_from_one_trial_to_the_next(tmp_path: Path, interpreter: Interpreter) -> None:
    leave = "import pathlib, thing\ndef test_a():\n    pathlib.Path(thing.__file__).with_name('left.py').touch()\n"
    assert tried(tmp_path, interpreter, leave).findings == ()
    look = "import pathlib, thing\ndef test_a():\n    assert not pathlib.Path(thing.__file__).with_name('left.py').exists()\n"
    assert tried(tmp_path, interpreter, look).findings == ()
    broken = tried(tmp_path, interpreter, "def test_a(): ...\n", init="raise ImportError('now broken')\n")
    assert counts(broken) == (0, 0, 0)
    assert not broken.junit.exists()


def test_what_pip_refuses_is_a_finding(tmp_path: Path, interpreter: Interpreter) -> None:
    path = wheel(tmp_path, requires=">=4")
    report = running.run(
        path,
        interpreter,
        (tmp_path,),
        requirements=path,
        work=tmp_path / "work",
        environment=os.environ,
        timeout=60,
    )
    (found,) = report.findings
    assert found.rule == "trial-install"
    assert "requires a different Python" in found.message


@pytest.mark.fault("F30")
@pytest.mark.parametrize("tag", ["cp38-cp38-manylinux_2_17_x86_64", "cp38-abi3-manylinux_2_17_sparc", "cp399-abi3-any"])
def test_an_interpreter_that_the_wheel_is_not_for_is_refused(
    tmp_path: Path, interpreter: Interpreter, tag: str
) -> None:
    with pytest.raises(MachineError, match="cannot serve cpython") as caught:
        running.run(
            wheel(tmp_path, tag=tag),
            interpreter,
            (tmp_path,),
            requirements=tmp_path,
            work=tmp_path / "work",
            environment=os.environ,
            timeout=60,
        )
    assert tag in caught.value.hint


def test_folders_that_the_tests_use_are_beside_them(tmp_path: Path, interpreter: Interpreter) -> None:
    support = tmp_path / "support"
    support.mkdir()
    (support / "helper.py").write_text("VALUE = 2\n")
    tests = (
        "import pathlib, sys\n"
        "sys.path.append(str(pathlib.Path(__file__).parents[2]))\n"
        "from tests.support import helper\n"
        "def test_value(): assert helper.VALUE == 2\n"
    )
    assert counts(tried(tmp_path, interpreter, tests, beside=(support,))) == (1, 0, 0)
    assert counts(tried(tmp_path, interpreter, tests)) == (0, 1, 0)


def test_tests_of_what_cannot_be_had_are_skipped_with_the_reason(tmp_path: Path, interpreter: Interpreter) -> None:
    (tmp_path / "unavailable.toml").write_text(
        f'[[unavailable]]\npackage = "no-such-thing"\nabis = ["{interpreter.abi}"]\nreason = "it has no wheel"\n',
        encoding="utf-8",
    )
    other = tmp_path / "tests" / "thing" / "test_other.py"
    other.parent.mkdir(parents=True)
    other.write_text("import no_such_thing.part\ndef test_a(): ...\n", encoding="utf-8")
    report = tried(tmp_path, interpreter, "def test_a(): ...\ndef test_b(): import no_such_thing\n", arguments=("-rs",))
    assert report.findings == ()
    assert counts(report) == (1, 0, 2)
    assert re.search(r"SKIPPED \[2\] .*: it has no wheel", report.log.read_text(encoding="utf-8"))


def test_tests_that_differ_on_an_interpreter_are_skipped_with_the_reason(
    tmp_path: Path, interpreter: Interpreter
) -> None:
    tests = (
        "import pytest\n"
        "@pytest.mark.parametrize('value', [1, 2])\n"
        "def test_each(value): assert value == 2\n"
        "class TestAll:\n"
        "    def test_one(self): assert 0\n"
        "    def test_other(self): ...\n"
    )
    folder = tmp_path / "tests" / "thing"
    folder.mkdir(parents=True)

    def differ(where: str, names: str = '"test_thing.py::test_each[1]", "test_thing.py::TestAll::test_one"') -> None:
        (folder / "differences.toml").write_text(
            f'[[difference]]\ntests = [{names}]\nwhere = ["{where}"]\nreason = "it differs"\n', encoding="utf-8"
        )

    differ("some-other-abi")
    assert counts(tried(tmp_path, interpreter, tests)) == (2, 2, 0)
    differ(interpreter.abi)
    report = tried(tmp_path, interpreter, tests, arguments=("-rs",))
    assert counts(report) == (2, 0, 2)
    assert "it differs" in report.log.read_text(encoding="utf-8")
    (folder / "test_another.py").write_text("def test_a(): ...\n", encoding="utf-8")
    differ(interpreter.abi, '"test_thing.py"')
    assert counts(tried(tmp_path, interpreter, tests)) == (1, 0, 4)
