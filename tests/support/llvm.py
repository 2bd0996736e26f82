"""Owns LLVM's programs for Mach-O: this machine's, or those of Debian's packages."""

from __future__ import annotations

from pathlib import Path

from tests.support.debian import Program, obtain


def folder(programs: Path) -> Program:
    """The folder with llvm-strip and its like, whose names outside of it bear a version."""
    return _beside(obtain("llvm-strip", "llvm", programs))


def linker(programs: Path) -> Program:
    """LLVM's linker for macOS."""
    found = _beside(obtain("ld.lld", "lld", programs))
    return Program(found.path / "ld64.lld", found.variables)


def _beside(program: Program) -> Program:
    return Program(program.path.resolve().parent, program.variables)
