"""Owns the tests of the conformance rig: small real suites run in processes of their own, and judged."""

from __future__ import annotations

import shutil
import socket
import sys
import textwrap
import time
from pathlib import Path

import pytest

from build_config import conformance
from build_config.conformance import DIED, NOT_RUN, PASSED, Excepted, Mode, Outcome, Rig, Suite, running
from build_config.errors import MachineError, UsageError
from build_config.model import Severity

ROOT = Path(__file__).parents[2]
RUNNER = ROOT / "tests" / "conformance" / "runner.py"


def observe(
    tmp_path: Path, body: str, *, seconds: int = 20, mode: Mode | None = None, server: str = ""
) -> dict[str, Outcome]:
    """What becomes of the tests in `body`, by the name after the last dot."""
    tests, work = tmp_path / "tests", tmp_path / "work"
    (tests / "suite").mkdir(parents=True)
    (tests / "servers").mkdir()
    work.mkdir()
    (tests / "suite" / "__init__.py").touch()
    (tests / "suite" / "test_it.py").write_text("import os, sys, time, unittest, atexit\n" + textwrap.dedent(body))
    (tests / "servers" / "server.py").write_text(textwrap.dedent(server))
    shutil.copy(RUNNER, tests)
    rig = Rig("suite", "baseline", seconds, (Suite("suite.test_it", 1, mode or Mode()),))
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


COUNTED = """
def turn(name):
    with open(os.path.join(os.environ["HOME"], name), "a+") as stream:
        stream.write("x")
        stream.seek(0)
        return len(stream.read())
"""


def test_what_fails_is_tried_once_more_by_itself(tmp_path: Path) -> None:
    body = f"""
    {textwrap.indent(COUNTED, "    ").strip()}
    class T(unittest.TestCase):
        def test_a(self): self.assertEqual(turn("a"), 1)
        def test_b_second(self): self.assertEqual(turn("b"), 2, "planted")
        def test_c_third(self): self.assertEqual(turn("c"), 3)
        def test_d_dies_first(self): turn("d") == 1 and os.abort()
        def test_e_skipped_then(self):
            if turn("e") > 1: self.skipTest("planted")
            self.fail()
    """
    found = observe(tmp_path, body)
    expected = {"test_a": "passed", "test_b_second": "passed", "test_c_third": "failed", "test_d_dies_first": "passed"}
    assert kinds(found) == {**CLEAN, **expected, "test_e_skipped_then": "failed"}
    assert [name for name, outcome in found.items() if outcome.again] == ["test_b_second", "test_d_dies_first"]
    assert "planted" in found["test_b_second"].detail


def test_a_mode_gives_variables_and_a_name(tmp_path: Path) -> None:
    body = """
    class T(unittest.TestCase):
        def test_a(self): self.assertEqual(os.environ["PLANTED"], "1")
    """
    found = observe(tmp_path, body, mode=Mode("special", (("PLANTED", "1"),)))
    assert kinds(found)["test_a"] == PASSED
    assert {outcome.test.partition(":")[0] for outcome in found.values()} == {"special"}


SERVER = """
import os, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
with open(os.path.join(os.environ["HOME"], "server"), "w") as note:
    print(os.getpid(), listener.getsockname()[1], file=note)
print("serving", flush=True)
sys.stdin.read()
"""

CLIENT = """
    import socket
    with open(os.path.join(os.environ["HOME"], "server")) as note:
        pid, port = map(int, note.read().split())
    class T(unittest.TestCase):
        def test_a(self): socket.create_connection(("127.0.0.1", port)).close()
        def test_b(self): {fate}
"""


def gone(pid: int) -> bool:
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(("fate", "outcome"), [("pass", PASSED), ("os.abort()", DIED), ("time.sleep(60)", DIED)])
def test_a_server_runs_beside_the_tests_and_ends_however_they_end(tmp_path: Path, fate: str, outcome: str) -> None:
    mode = Mode("served", server="server.py")
    listed = """
    class T(unittest.TestCase):
        def test_a(self): pass
        def test_b(self): pass
    """
    # The module is loaded once to list its tests, where no server is.
    body = (
        f"if 'list' in sys.argv:\n{textwrap.indent(textwrap.dedent(listed), '    ')}\nelse:\n{CLIENT.format(fate=fate)}"
    )
    found = observe(tmp_path, body, mode=mode, server=SERVER, seconds=3)
    assert kinds(found) == {**CLEAN, "test_a": PASSED, "test_b": outcome}
    assert gone(int((tmp_path / "work" / "server").read_text().split()[0]))


def test_a_server_that_does_not_serve_fails_what_needs_it(tmp_path: Path) -> None:
    body = """
    class T(unittest.TestCase):
        def test_a(self): pass
    """
    found = observe(tmp_path, body, mode=Mode("served", server="server.py"), server="raise SystemExit(1)")
    assert kinds(found) == {"test_it (load)": PASSED, "test_it (exit)": DIED, "test_a": NOT_RUN}
    assert "does not serve" in found["test_it (exit)"].detail


def test_a_port_that_is_taken_is_told_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "_PORT_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MachineError, match=f"127.0.0.1:{port}"):
            observe(tmp_path, "raise AssertionError", mode=Mode("served", ports=(port,)))


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
    rig = Rig("suite", "baseline", 1, (Suite("m", 1),), expected=(Excepted("m.b", "a reason"),))
    sides = outcomes(a=PASSED, b=PASSED), outcomes(a=PASSED, b="skipped")
    differing = conformance.compare(rig, "3.8", *sides)
    same = conformance.compare(rig, "3.13", sides[0], sides[0])
    assert conformance.findings(rig, [differing, same]) == ()
    assert [f.rule for f in conformance.findings(rig, [same])] == ["conformance-expected"]


def test_an_unsteady_test_may_differ_or_not() -> None:
    rig = Rig("suite", "baseline", 1, (Suite("m", 1),), unsteady=(Excepted("m.b", "a reason"),))
    sides = outcomes(a=PASSED, b=PASSED), outcomes(a=PASSED, b="failed")
    differing = conformance.compare(rig, "3.8", *sides)
    assert conformance.findings(rig, [differing]) == ()
    assert conformance.findings(rig, [conformance.compare(rig, "3.8", sides[0], sides[0])]) == ()
    assert conformance.difference_rows(differing)[1] == ("m.b", PASSED, "failed", "a reason")


def test_what_only_we_need_a_second_try_for_is_a_warning() -> None:
    rig = Rig("suite", "baseline", 1, (Suite("m", 1),))
    twice = [Outcome("m.a", PASSED, "planted", again=True), Outcome("m.b", PASSED, again=True)]
    baseline = [Outcome("m.a", PASSED), Outcome("m.b", PASSED, again=True)]
    comparison = conformance.compare(rig, "3.8", baseline, twice)
    (found,) = conformance.findings(rig, [comparison])
    assert (found.rule, found.severity, found.subject) == ("conformance-unsteady", Severity.WARNING, "m.a [3.8]")
    assert conformance.to_json(comparison)["again"] == {"baseline": ["m.b"], "ours": ["m.a", "m.b"]}


def test_the_same_suite_in_two_modes_is_judged_apart() -> None:
    suites = (Suite("m", 1), Suite("m", 2, Mode("served")))
    rig = Rig("suite", "baseline", 1, suites)
    baseline = [Outcome("m.a", PASSED), Outcome("served:m.a", PASSED)]
    comparison = conformance.compare(rig, "3.8", baseline, baseline)
    assert [f.subject for f in conformance.findings(rig, [comparison])] == ["served:m [3.8]"]


def test_suites_are_chosen_by_id_or_module() -> None:
    suites = (Suite("m", 1), Suite("m", 2, Mode("served")), Suite("n", 1))
    rig = Rig("suite", "baseline", 1, suites, expected=(Excepted("n.a", "r"), Excepted("served:m.a", "r")))
    assert conformance.only(rig, []) == rig
    assert conformance.only(rig, ["m"]).suites == suites[:2]
    chosen = conformance.only(rig, ["served:m"])
    assert (chosen.suites, [each.test for each in chosen.expected]) == (suites[1:2], ["served:m.a"])
    with pytest.raises(UsageError, match="did you mean 'served:m'"):
        conformance.only(rig, ["serve:m"])


def test_a_baseline_in_which_too_little_passes_proves_nothing() -> None:
    rig = Rig("suite", "baseline", 1, (Suite("m", 2),))
    both = outcomes(a=PASSED, b="skipped")
    comparison = conformance.compare(rig, "3.8", both, both)
    assert [f.rule for f in conformance.findings(rig, [comparison])] == ["conformance-baseline"]


def test_the_projects_own_rig_is_valid() -> None:
    rig = conformance.load(RUNNER.with_name("suites.toml"))
    assert {suite.module for suite in rig.suites} >= {f"test.test_{name}" for name in ("io", "cbor", "crypto")}
    assert rig.expected == ()


def test_every_problem_of_a_rig_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "suites.toml"
    path.write_text(
        """
        folder = 1
        baseline = "b"
        second = 2
        suite = [{ module = "m", passes = 0 }, { module = "m", passes = 1 }, { module = "n", passes = 1, mode = "serve" }]
        mode = [{ name = "served", server = "none.py", ports = [0] }]
        """
    )
    with pytest.raises(UsageError) as caught:
        conformance.load(path)
    told = (
        "folder",
        "seconds",
        "second'",
        "passes",
        "suite m twice",
        "mode 'serve'",
        "in the mode 'served'",
        "0 is no",
    )
    assert [word for word in (*told, "servers/none.py") if word not in caught.value.what] == []
