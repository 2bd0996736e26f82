"""Owns the tests of the conformance rig: small real suites run in processes of their own, and judged."""

from __future__ import annotations

import shutil
import sys
import textwrap
from pathlib import Path

import pytest

from build_config import conformance
from build_config.conformance import DIED, NOT_RUN, PASSED, Outcome, Rig, Suite
from build_config.errors import UsageError

ROOT = Path(__file__).parents[2]
RUNNER = ROOT / "tests" / "conformance" / "runner.py"


def observe(tmp_path: Path, body: str, *, seconds: int = 20, module: str = "suite.test_it") -> dict[str, Outcome]:
    """What becomes of the tests in `body`, by the name after the last dot."""
    tests, work = tmp_path / "tests", tmp_path / "work"
    (tests / "suite").mkdir(parents=True)
    work.mkdir()
    (tests / "suite" / "__init__.py").touch()
    (tests / "suite" / "test_it.py").write_text("import os, time, unittest, atexit\n" + textwrap.dedent(body))
    shutil.copy(RUNNER, tests)
    rig = Rig("suite", "baseline", seconds, (Suite(module, 1),))
    found = conformance.observe(rig, Path(sys.executable), tests=tests, work=work)
    return {outcome.test.rpartition(".")[2]: outcome for outcome in found}


def kinds(found: dict[str, Outcome]) -> dict[str, str]:
    return {name: outcome.outcome for name, outcome in found.items()}


CLEAN = {"test_it (load)": PASSED, "test_it (exit)": PASSED}

FATES = """
class T(unittest.TestCase):
    def test_a_passes(self): pass
    def test_b_fails(self): self.assertEqual(1, 2)
    def test_c_raises(self): raise ValueError("planted")
    @unittest.skip("planted")
    def test_d_skipped(self): pass
    def test_e_subtests(self):
        for i in range(3):
            with self.subTest(i=i): self.assertNotEqual(i, 1)
    @unittest.expectedFailure
    def test_f_passes_unexpectedly(self): pass
    @unittest.expectedFailure
    def test_g_fails_as_expected(self): self.fail()
    def test_h_cleanup(self): self.addCleanup(self.fail, "leak")
    def test_i_passes(self): pass
"""


def test_each_fate_of_a_test_is_told_apart(tmp_path: Path) -> None:
    found = observe(tmp_path, FATES)
    assert kinds(found) == {
        **CLEAN,
        "test_a_passes": "passed",
        "test_b_fails": "failed",
        "test_c_raises": "error",
        "test_d_skipped": "skipped",
        "test_e_subtests": "failed",
        "test_f_passes_unexpectedly": "failed",
        "test_g_fails_as_expected": "passed",
        "test_h_cleanup": "failed",
        "test_i_passes": "passed",
    }
    assert "planted" in found["test_c_raises"].detail


def test_a_failure_ends_the_process_so_that_the_next_test_starts_clean(tmp_path: Path) -> None:
    body = """
    dirty = False
    class T(unittest.TestCase):
        def test_a(self): pass
        def test_b(self):
            global dirty
            dirty = True
            self.fail()
        def test_c(self): self.assertFalse(dirty)
    """
    assert kinds(observe(tmp_path, body)) == {**CLEAN, "test_a": "passed", "test_b": "failed", "test_c": "passed"}


def test_a_crash_costs_one_test(tmp_path: Path) -> None:
    body = """
    class T(unittest.TestCase):
        def test_a(self): pass
        def test_b(self): os.abort()
        def test_c(self): pass
    """
    found = observe(tmp_path, body)
    assert kinds(found) == {**CLEAN, "test_a": "passed", "test_b": DIED, "test_c": "passed"}
    assert "signal 6" in found["test_b"].detail


def test_a_hang_costs_one_test_and_shows_where(tmp_path: Path) -> None:
    body = """
    class T(unittest.TestCase):
        def test_a_hangs(self): time.sleep(60)
        def test_b(self): pass
    """
    found = observe(tmp_path, body, seconds=1)
    assert kinds(found) == {**CLEAN, "test_a_hangs": DIED, "test_b": "passed"}
    assert "test_a_hangs" in found["test_a_hangs"].detail


@pytest.mark.parametrize("end", ["os._exit(3)", "os.abort()", "time.sleep(60)"])
def test_a_bad_exit_is_seen_though_every_test_passed(tmp_path: Path, end: str) -> None:
    body = f"""
    class T(unittest.TestCase):
        def test_a(self): atexit.register(lambda: {end})
    """
    assert kinds(observe(tmp_path, body, seconds=1)) == {**CLEAN, "test_it (exit)": DIED, "test_a": "passed"}


@pytest.mark.parametrize("body", ["raise ImportError('planted')", "os.abort()"])
def test_a_suite_that_does_not_load_is_a_failure(tmp_path: Path, body: str) -> None:
    assert kinds(observe(tmp_path, body))["test_it (load)"] == DIED


def test_tests_that_their_class_holds_back_are_not_run(tmp_path: Path) -> None:
    body = """
    class T(unittest.TestCase):
        @classmethod
        def setUpClass(cls): raise ValueError("planted")
        def test_a(self): pass
    """
    assert kinds(observe(tmp_path, body))["test_a"] == NOT_RUN


def test_the_callers_environment_does_not_reach_a_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_TEST_PLANTED", "PYTHONPATH", "PYTHONSTARTUP"):
        monkeypatch.setenv(name, "planted")
    body = """
    class T(unittest.TestCase):
        def test_a(self): self.assertNotIn("planted", os.environ.values())
    """
    assert kinds(observe(tmp_path, body))["test_a"] == PASSED


def outcomes(**kinds: str) -> list[Outcome]:
    return [Outcome(f"m.{name}", kind) for name, kind in kinds.items()]


@pytest.mark.parametrize("ours", ["failed", "error", "skipped", DIED, NOT_RUN])
def test_whatever_passes_with_the_baseline_must_pass_with_ours(ours: str) -> None:
    rig = Rig("suite", "baseline", 1, (Suite("m", 1),))
    comparison = conformance.compare(rig, "3.8", outcomes(a=PASSED, b=PASSED), outcomes(a=PASSED, b=ours))
    assert [(d.test, d.regression) for d in comparison.differences] == [("m.b", True)]
    assert [(f.rule, f.subject) for f in conformance.findings(rig, [comparison])] == [("conformance", "m.b [3.8]")]
    assert conformance.difference_rows(comparison)[1] == ("m.b", PASSED, ours, "REGRESSION")
    assert conformance.to_json(comparison)["ours"] == {PASSED: 1, ours: 1}


def test_a_test_that_we_lack_is_a_regression_and_one_more_is_not() -> None:
    rig = Rig("suite", "baseline", 1, (Suite("m", 1),))
    comparison = conformance.compare(rig, "3.8", outcomes(a=PASSED), outcomes(b=PASSED))
    assert [(d.test, d.regression) for d in comparison.differences] == [("m.a", True), ("m.b", False)]


def test_a_suite_that_does_not_load_is_one_finding() -> None:
    rig = Rig("suite", "baseline", 1, (Suite("m", 1),))
    baseline = [*outcomes(a=PASSED, b=PASSED), Outcome("m (load)", PASSED)]
    comparison = conformance.compare(rig, "3.8", baseline, [Outcome("m (load)", DIED, "planted")])
    assert [d.regression for d in comparison.differences] == [True, True, True]
    assert [(f.subject, f.hint) for f in conformance.findings(rig, [comparison])] == [("m (load) [3.8]", "planted")]


def test_being_better_than_the_baseline_is_shown_and_not_bad() -> None:
    rig = Rig("suite", "baseline", 1, (Suite("m", 1),))
    sides = outcomes(a=PASSED, b="failed"), outcomes(a=PASSED, b=PASSED)
    comparison = conformance.compare(rig, "3.8", *sides)
    assert len(comparison.differences) == 1
    assert conformance.findings(rig, [comparison]) == ()


def test_an_expected_difference_is_no_finding_until_it_is_gone() -> None:
    rig = Rig("suite", "baseline", 1, (Suite("m", 1),), {"m.b": "a reason"})
    sides = outcomes(a=PASSED, b=PASSED), outcomes(a=PASSED, b="skipped")
    differing = conformance.compare(rig, "3.8", *sides)
    same = conformance.compare(rig, "3.13", sides[0], sides[0])
    assert conformance.findings(rig, [differing, same]) == ()
    assert [f.rule for f in conformance.findings(rig, [same])] == ["conformance-expected"]


def test_a_baseline_in_which_too_little_passes_proves_nothing() -> None:
    rig = Rig("suite", "baseline", 1, (Suite("m", 2),))
    both = outcomes(a=PASSED, b="skipped")
    comparison = conformance.compare(rig, "3.8", both, both)
    assert [f.rule for f in conformance.findings(rig, [comparison])] == ["conformance-baseline"]


def test_the_projects_own_rig_is_valid() -> None:
    rig = conformance.load(RUNNER.with_name("suites.toml"))
    assert {suite.module for suite in rig.suites} >= {f"test.test_{name}" for name in ("io", "cbor", "crypto")}
    assert dict(rig.expected) == {}


def test_every_problem_of_a_rig_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "suites.toml"
    path.write_text('folder = 1\nbaseline = "b"\nsecond = 2\n[[suite]]\nmodule = "m"\npasses = 0\n')
    with pytest.raises(UsageError) as caught:
        conformance.load(path)
    assert {word for word in ("folder", "seconds", "second'", "passes") if word in caught.value.what} == {
        "folder",
        "seconds",
        "second'",
        "passes",
    }
