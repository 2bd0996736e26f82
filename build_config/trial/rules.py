"""Owns the rules of a trial, and what to do when a wheel breaks one."""

from __future__ import annotations

from collections.abc import Mapping

from ..model import Finding, Severity

RULES: Mapping[str, str] = {
    "trial-install": "pip's words are in the log; a wrong tag or a damaged wheel are the usual reasons",
    "trial-import": "import the package in a virtual environment of this interpreter",
    "trial-location": "something on sys.path hides the installed package",
    "trial-crash": "run the test named last under this interpreter, with AWS_CRT_CRASH_HANDLER=1",
    "trial-timeout": "the log ends where it hangs",
    "trial-tests": "the log and the JUnit file have the whole story",
    "trial-empty": "check the folder and the selection of tests",
}


def finding(rule: str, subject: str, message: str) -> Finding:
    """A broken rule; `rule` is an id of `RULES`."""
    return Finding(rule, Severity.ERROR, subject, message, RULES[rule])
