"""Owns what a verb of the command line is given: the project, the checked settings, its arguments, its report."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from .. import plan
from ..load import Catalog
from ..model import Plan
from ..report import Report
from ..store import Store
from ..workspace import Workspace, open_workspace


@dataclass(frozen=True, slots=True)
class Context:
    """One call of a verb; `settings` are the AWS_CRT_BUILD_* variables that are set."""

    root: Path
    environment: Mapping[str, str]
    settings: Mapping[str, str]
    arguments: argparse.Namespace
    report: Report

    def workspace(self) -> Workspace:
        offline = {"AWS_CRT_BUILD_OFFLINE": "1"} if getattr(self.arguments, "offline", False) else {}
        return open_workspace(self.root, self.environment, {**self.settings, **offline})

    def store(self) -> Store:
        return Store(self.workspace().store, warn=self.report.warning)

    def plan(self, catalog: Catalog) -> Plan:
        """The plan for the arguments TARGET…, --variant and --toolchain.

        Raises:
            UsageError: a name that does not exist.
        """
        arguments = self.arguments
        everything = plan.ALL in arguments.target
        machine = plan.machine()
        return plan.make(
            catalog,
            plan.choose_targets(catalog, arguments.target, machine),
            plan.choose_variants(catalog, getattr(arguments, "variant", None) or (), everything=everything),
            machine=machine,
            toolchain=arguments.toolchain or self.settings.get("AWS_CRT_BUILD_TOOLCHAIN", ""),
            possible_only=everything,
        )


@dataclass(frozen=True, slots=True)
class Verb:
    """One subcommand: a summary for the list of verbs, a text that closes its --help, its arguments and its action."""

    name: str
    summary: str
    teaches: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[Context], int]
