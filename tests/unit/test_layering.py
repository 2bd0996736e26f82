"""Owns the rules on the shape of the code: imports go one way, one gate to subprocesses, nothing too long to read."""

from __future__ import annotations

import ast
import graphlib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

LEVELS = (
    ("__main__", "backend"),
    ("cli",),
    ("verbs",),
    ("conformance", "execute", "explain", "lint", "matrix", "report", "requirements", "sanitize"),
    ("provision", "roots", "suites"),
    ("extension", "fetch", "libraries", "repair", "trial", "verify"),
    ("binary", "probes", "store", "toolchain", "wheel", "workspace"),
    ("auditing", "key", "outlook", "parallel", "process", "scratch", "wheel_zip"),
    ("plan",),
    ("load",),
    ("graph", "stable_abi", "variables"),
    ("schema",),
    ("model",),
    ("errors",),
)
"""Modules and folders of build_config; each imports only from the lines below its own."""

MODULE_LINES = 400
FUNCTION_LINES = 50
GATE = "process"
STARTERS = {"subprocess", "pty", "multiprocessing"}
OS_STARTERS = ("system", "popen", "exec", "spawn", "posix_spawn", "fork")


def modules(package: Path) -> dict[tuple[str, ...], ast.Module]:
    """Every module of a package by its dotted name's parts, `()` being the package itself."""
    found = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package).with_suffix("").parts
        found[parts[:-1] if parts[-1] == "__init__" else parts] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imports(package: Path) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], str]]:
    """(importing module, imported module, imported name) for every import within the package, however it is written."""
    known = modules(package)
    for module, tree in known.items():
        inside = (package / Path(*module)).is_dir()
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    parts = tuple(alias.name.split("."))
                    if parts[0] == package.name:
                        yield module, parts[1:], ""
            elif isinstance(node, ast.ImportFrom):
                named = tuple(node.module.split(".")) if node.module else ()
                if node.level:
                    up = node.level - (1 if inside else 0)
                    base = (*module[: len(module) - up], *named)
                elif named[:1] == (package.name,):
                    base = named[1:]
                else:
                    continue
                for alias in node.names:
                    whole = (*base, alias.name)
                    yield (module, whole, "") if whole in known else (module, base, alias.name)


def level(levels: tuple[tuple[str, ...], ...], module: tuple[str, ...]) -> int:
    """The line that a module stands on, counted from the bottom; -1 where it stands on none."""
    return next((len(levels) - i for i, line in enumerate(levels) if module[:1] and module[0] in line), -1)


def layering(package: Path, levels: tuple[tuple[str, ...], ...]) -> list[str]:
    problems = []
    for module, imported, name in imports(package):
        here, there = ".".join(module), ".".join((*imported, *filter(None, [name])))
        if any(part.startswith("_") and not part.startswith("__") for part in (*imported, name)):
            problems.append(f"{here} imports the private {there}")
        if not module or not imported or module[0] == imported[0]:
            continue
        if level(levels, imported) >= level(levels, module):
            problems.append(f"{here} imports {there}, which is not below it")
    problems += [
        f"{'.'.join(module)} has no place among the levels"
        for module in modules(package)
        if module and level(levels, module) < 0
    ]
    present = {module[0] for module in modules(package) if module}
    return problems + [f"there is no {name}" for line in levels for name in line if name not in present]


def cycles(package: Path) -> list[str]:
    needs: dict[str, set[str]] = {}
    for module, imported, _ in imports(package):
        if imported and imported != module:
            needs.setdefault(".".join(module), set()).add(".".join(imported))
    try:
        graphlib.TopologicalSorter(needs).prepare()
    except graphlib.CycleError as found:
        return [" → ".join(found.args[1])]
    return []


def starters(package: Path) -> list[str]:
    """Ways around the one gate to subprocesses."""
    problems = []
    for module, tree in modules(package).items():
        if module == (GATE,):
            continue
        for node in ast.walk(tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name.split(".")[0] for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module).split(".")[0]]
                if names == ["os"]:
                    names = [f"os.{alias.name}" for alias in node.names if alias.name.startswith(OS_STARTERS)]
            elif (
                isinstance(node, ast.Attribute)
                and ast.unparse(node.value) == "os"
                and node.attr.startswith(OS_STARTERS)
            ):
                names = [f"os.{node.attr}"]
            problems += [
                f"{'.'.join(module)} uses {name}" for name in names if name in STARTERS or name.startswith("os.")
            ]
    return problems


def strangers(package: Path, other: str) -> list[str]:
    """Modules that import the package `other`."""
    problems = []
    for module, tree in modules(package).items():
        for node in ast.walk(tree):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) and not node.level else []
            problems += [f"{'.'.join(module)} imports {name}" for name in names if name.split(".")[0] == other]
    return problems


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from `def` on, the docstring left out: explaining more is never a reason to split."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        lines -= (first.end_lineno or first.lineno) - first.lineno + 1
    return lines


def too_long(package: Path) -> list[str]:
    problems = []
    for path in sorted(package.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        lines = len(text.splitlines())
        if lines > MODULE_LINES:
            problems.append(f"{path.name} has {lines} lines")
        functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
        problems += [f"{path.name}: {f.name} has {length(f)} lines" for f in functions if length(f) > FUNCTION_LINES]
    return problems


def undescribed(package: Path) -> list[str]:
    """Modules that do not say in one sentence what they own."""
    firsts = {module: (ast.get_docstring(tree) or "").partition("\n\n")[0] for module, tree in modules(package).items()}
    return [".".join(module) or package.name for module, first in firsts.items() if not first.endswith((".", ":"))]


def test_imports_of_the_toolchain_go_one_way() -> None:
    assert layering(ROOT / "build_config", LEVELS) == []


def test_the_toolchain_has_no_import_cycle() -> None:
    assert cycles(ROOT / "build_config") == []


def test_only_the_gate_starts_a_process() -> None:
    assert starters(ROOT / "build_config") == []


def test_the_package_does_not_know_the_toolchain() -> None:
    assert strangers(ROOT / "awscrt", "build_config") == []


def test_the_toolchain_does_not_import_the_package() -> None:
    assert strangers(ROOT / "build_config", "awscrt") == []


def test_nothing_in_the_toolchain_is_too_long_to_read() -> None:
    assert too_long(ROOT / "build_config") == []


@pytest.mark.parametrize("name", ["build_config", "awscrt"])
def test_every_module_says_what_it_owns(name: str) -> None:
    assert undescribed(ROOT / name) == []


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A small package that keeps every rule: top → folder → bottom, which is the gate."""
    files = {
        "__init__.py": "",
        "top.py": "from . import folder\nfrom .folder.inner import x\nimport fake.process\n",
        "folder/__init__.py": "from .inner import x\n",
        "folder/inner.py": "from ..process import run\nx = 1\n",
        "sibling.py": "",
        "process.py": "import subprocess\nrun = subprocess.run\n",
    }
    for name, text in files.items():
        path = tmp_path / "fake" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""Owns a part."""\n{text}')
    return tmp_path / "fake"


FAKE_LEVELS = (("top",), ("folder", "sibling"), ("process",))


def every_problem(package: Path) -> list[str]:
    return [
        *layering(package, FAKE_LEVELS),
        *cycles(package),
        *starters(package),
        *strangers(package, "other"),
        *too_long(package),
        *undescribed(package),
    ]


def test_a_package_that_keeps_the_rules_has_no_problem(package: Path) -> None:
    assert every_problem(package) == []


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("process.py", "from . import top", "process imports top, which is not below it"),
        ("process.py", "from .folder import x", "process imports folder.x, which is not below it"),
        ("process.py", "import fake.top", "process imports top, which is not below it"),
        (
            "process.py",
            "def f():\n    from fake.folder.inner import x",
            "process imports folder.inner.x, which is not below",
        ),
        ("sibling.py", "from .folder import x", "sibling imports folder.x, which is not below it"),
        ("folder/inner.py", "from .. import top", "folder.inner imports top, which is not below it"),
        ("folder/inner.py", "from ..top import x", "folder.inner imports top.x, which is not below it"),
        ("folder/inner.py", "from .other import x\nfrom . import other", "folder.inner → folder.other → folder.inner"),
        ("top.py", "from .process import _secret", "top imports the private process._secret"),
        ("stray.py", "", "stray has no place among the levels"),
        ("top.py", "import subprocess", "top uses subprocess"),
        ("top.py", "from subprocess import run", "top uses subprocess"),
        ("top.py", "import os\nos.system('x')", "top uses os.system"),
        ("top.py", "from os import execv", "top uses os.execv"),
        ("top.py", "import other.part", "top imports other.part"),
        ("top.py", "def f():\n    from other import part", "top imports other"),
        ("top.py", "x = 1\n" * 400, "top.py has 401 lines"),
        ("top.py", "def f():\n" + "    x = 1\n" * 50, "top.py: f has 51 lines"),
    ],
)
def test_each_violation_is_seen(package: Path, name: str, text: str, problem: str) -> None:
    (package / "folder" / "other.py").write_text('"""Owns a part."""\nfrom .inner import x\n')
    (package / name).write_text(f'"""Owns a part."""\n{text}')
    assert [found for found in every_problem(package) if problem in found]


def test_a_place_that_nothing_takes_is_seen(package: Path) -> None:
    (package / "sibling.py").unlink()
    assert every_problem(package) == ["there is no sibling"]


def test_a_module_without_a_first_sentence_is_seen(package: Path) -> None:
    (package / "top.py").write_text("x = 1\n")
    assert every_problem(package) == ["top"]
