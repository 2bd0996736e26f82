"""Owns what can go wrong: one class for each kind of fault, each with its own exit code.

An exception says that something could not be done. Something done and found bad is a `model.Finding`.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from typing import ClassVar


class ToolchainError(Exception):
    """Base of every foreseeable fault: what failed, on what, and what to do next."""

    exit_code: ClassVar[int] = 1
    kind: ClassVar[str] = "error"

    def __init__(self, what: str, *, subject: str | os.PathLike[str] = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.subject = os.fspath(subject)
        self.hint = hint

    def __str__(self) -> str:
        text = f"{self.subject}: {self.what}" if self.subject else self.what
        return f"{text}\n  next: {self.hint}" if self.hint else text

    def to_json(self) -> dict[str, str | int]:
        return {
            "kind": self.kind,
            "exit_code": self.exit_code,
            "what": self.what,
            "subject": self.subject,
            "hint": self.hint,
        }


class UsageError(ToolchainError):
    """Wrong arguments, variables or data files written by a person."""

    exit_code = 2
    kind = "usage"

    @classmethod
    def many(cls, problems: Iterable[str], *, subject: str | os.PathLike[str] = "", hint: str = "") -> UsageError:
        """One error that names every problem, sorted."""
        found = sorted(problems)
        what = found[0] if len(found) == 1 else f"{len(found)} problems:\n" + "\n".join(f"  - {p}" for p in found)
        return cls(what, subject=subject, hint=hint)


class MachineError(ToolchainError):
    """The machine or the network lacks what the work needs."""

    exit_code = 3
    kind = "environment"


class IntegrityError(ToolchainError):
    """Bytes are not those that were pinned."""

    exit_code = 4
    kind = "integrity"


class BuildError(ToolchainError):
    """A compiler, a build system or a packer failed."""

    exit_code = 5
    kind = "build"


class VerifyError(ToolchainError):
    """An artifact breaks a rule."""

    exit_code = 6
    kind = "verify"


class TrialError(ToolchainError):
    """An artifact's tests failed."""

    exit_code = 7
    kind = "test"


class PublishError(ToolchainError):
    """A release step was refused."""

    exit_code = 8
    kind = "publish"


INTERRUPTED_EXIT_CODE = 130
"""What a shell reports for a command ended by SIGINT (128 + 2)."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest known word, else an empty string."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
