"""Owns the command line: arguments in, an exit code out."""

from __future__ import annotations

import argparse
import difflib
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from . import process, variables, verbs
from .errors import INTERRUPTED_EXIT_CODE, ToolchainError, UsageError
from .report import Report

_ROOT = Path(__file__).resolve().parent.parent

_DESCRIPTION = """\
Turns pinned C sources into wheels: builds the C libraries once into a store, compiles the extension
against them, repairs, checks and tries the wheel. Each step runs only where the store lacks its result."""

_EXAMPLES = """\
examples:
  python -m build_config plan                     what would be done, without doing it
  python -m build_config wheels                   a wheel for this machine, in dist/
  python -m build_config wheels --toolchain host  the same with the system's compiler
  python -m build_config store explain            why a library would be built again

exit codes:
  0 done; 2 usage; 3 environment; 4 integrity; 5 build; 6 verify; 7 test; 8 publish; 130 interrupted
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse lists the choices, but does not say which of them was probably meant.
        word = message.partition("invalid choice: '")[2].partition("'")[0]
        near = difflib.get_close_matches(word, verbs.NAMES, n=1) if word else []
        raise UsageError(message + (f"; did you mean {near[0]!r}?" if near else ""), hint=f"{self.prog} --help")


def parser() -> argparse.ArgumentParser:
    """The whole command line; `--help` of each verb teaches that verb."""
    main_parser = _Parser(
        prog="python -m build_config",
        description=_DESCRIPTION,
        epilog=_EXAMPLES + _variables_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = main_parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb in verbs.VERBS:
        sub = commands.add_parser(
            verb.name,
            help=verb.summary,
            description=f"{verb.summary[0].upper()}{verb.summary[1:]}.",
            epilog=verb.teaches,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.configure(sub)
        sub.add_argument("--json", action="store_true", help="answer on stdout with one JSON document")
        sub.set_defaults(run=verb.run)
    return main_parser


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run one verb; a foreseeable fault ends in its exit code and one message, never in a traceback."""
    report = Report(as_json="--json" in arguments)
    try:
        parsed = parser().parse_args(arguments)
        settings = variables.checked(environment)
        return int(parsed.run(verbs.Context(_ROOT, environment, settings, parsed, report)))
    except ToolchainError as fault:
        report.error(fault)
        return fault.exit_code
    except KeyboardInterrupt:
        process.end_all()
        report.warning("interrupted; what was finished is in the store, nothing unfinished is left behind")
        return INTERRUPTED_EXIT_CODE


def _variables_help() -> str:
    rows = ["\nenvironment variables:"]
    for variable in variables.known().values():
        rows.append(f"  {variable.name}")
        rows += textwrap.wrap(variable.meaning, 100, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(rows)
