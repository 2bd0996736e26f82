"""source/python_abi.h says of Python what Python's own headers say, and no more than the oldest Python has."""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path

import pytest
from abi3info import DATAS, FUNCTIONS
from abi3info.models import PyVersion

from build_config import process

SOURCE = Path(__file__).parents[2] / "source"
HEADER = SOURCE / "python_abi.h"
FLOOR = PyVersion(3, 8)

# Some functions are called deprecated by later Pythons, which is no matter of signatures.
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-deprecated-declarations")


def _compiler() -> list[str]:
    found = shutil.which("cc")
    return [found] if found else [sys.executable, "-m", "ziglang", "cc"]


def _headers() -> list[Path]:
    """The include folder of each CPython 3.8+ that has headers on this machine, one of each version."""
    folders = [Path(sysconfig.get_path("include"))]
    folders += Path("/usr/include").glob("python3.*")
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders += pyenv.glob("versions/*/include/python3.*")
    usable = {}
    for folder in sorted(folders, reverse=True):
        match = re.fullmatch(r"python3\.(\d+)(t?)", folder.name)
        if match and int(match[1]) >= FLOOR.minor and (folder / "Python.h").is_file():
            usable[folder.name] = folder
    return [usable[name] for name in sorted(usable)]


def _compile(work: Path, text: str, header: Path = HEADER, *options: str) -> process.Completed:
    source = work / "check.c"
    source.write_text(text)
    return process.run(
        [*_compiler(), "-std=c11", *WARNINGS, *options, f"-I{header.parent}", "-c", source, "-o", work / "check.o"],
        cwd=work,
        env=dict(os.environ),
        error=None,
    )


def _is_free_threaded(python: Path) -> bool:
    return python.name.endswith("t")


def _compare(work: Path, python: Path, header: Path = HEADER) -> process.Completed:
    # The headers of a free-threaded build refuse to be asked for a limited API.
    limited = "" if _is_free_threaded(python) else "#define Py_LIMITED_API 0x03080000\n"
    text = f"{limited}#include <Python.h>\n#include <python_abi.h>\n"
    return _compile(work, text, header, "-isystem", str(python))


INSTALLED: list[Path | None] = [*_headers()]


@pytest.fixture(params=INSTALLED or [None], ids=lambda folder: folder.name if folder else "none")
def python(request: pytest.FixtureRequest) -> Path:
    if request.param is None:
        pytest.skip("no Python on this machine has headers")
    folder: Path = request.param
    return folder


def test_agrees_with_the_headers_of_python(tmp_path: Path, python: Path) -> None:
    done = _compare(tmp_path, python)
    assert done.returncode == 0, done.output


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("int PyErr_ExceptionMatches(PyObject *);", "long PyErr_ExceptionMatches(PyObject *);"),
        ("PyObject *PyList_New(Py_ssize_t);", "PyObject *PyList_New(int);"),
        ("ABI_DATA PyObject *PyExc_OSError;", "ABI_DATA PyObject PyExc_OSError;"),
        ("    int ml_flags;", "    long ml_flags;"),
        ("    const char *m_name;\n    const char *m_doc;", "    const char *m_doc;\n    const char *m_name;"),
    ],
)
def test_disagreement_is_found(tmp_path: Path, python: Path, right: str, wrong: str) -> None:
    _check_found(tmp_path, python, right, wrong)


def test_another_object_head_is_found(tmp_path: Path, python: Path) -> None:
    if _is_free_threaded(python):
        _check_found(tmp_path, python, "    uint32_t ob_ref_local;\n", "    uint32_t ob_ref_local[3];\n")
    else:
        _check_found(tmp_path, python, "    Py_ssize_t ob_refcnt;\n", "    int ob_refcnt[3];\n")


def _check_found(tmp_path: Path, python: Path, right: str, wrong: str) -> None:
    text = HEADER.read_text()
    assert text.count(right) == 1
    changed = tmp_path / HEADER.name
    changed.write_text(text.replace(right, wrong))
    done = _compare(tmp_path, python, changed)
    assert done.returncode != 0
    assert "python_abi.h" in done.output


def test_stands_without_the_headers_of_python(tmp_path: Path) -> None:
    done = _compile(tmp_path, "#include <python_abi.h>\n", HEADER, "-pedantic")
    assert done.returncode == 0, done.output


def test_stands_for_a_free_threaded_python(tmp_path: Path) -> None:
    text = '#define Py_GIL_DISABLED 1\n#include <python_abi.h>\n_Static_assert(sizeof(PyObject) == 32, "head");\n'
    done = _compile(tmp_path, text)
    assert done.returncode == 0, done.output


def _code(text: str) -> str:
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


def _declared(text: str) -> tuple[set[str], set[str]]:
    code = _code(text)
    functions = set(re.findall(r"^[A-Za-z_][\w *]*?\b(_?Py\w+)\([^;]*\);$", code, flags=re.MULTILINE))
    data = set(re.findall(r"^ABI_DATA [^;]*?\b(_?Py\w+);$", code, flags=re.MULTILINE))
    return functions, data


def _too_new(text: str) -> list[str]:
    """Names that the stable ABI of the floor does not have."""
    functions, data = _declared(text)
    added = {symbol.name: item.added for table in (FUNCTIONS, DATAS) for symbol, item in table.items()}
    return sorted(name for name in functions | data if name not in added or added[name] > FLOOR)


def test_all_is_as_old_as_the_floor() -> None:
    functions, data = _declared(HEADER.read_text())
    assert len(functions) > 50
    assert len(data) > 10
    assert _too_new(HEADER.read_text()) == []


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("const char *PyUnicode_AsUTF8AndSize(PyObject *, Py_ssize_t *);", "PyUnicode_AsUTF8AndSize"),
        ("PyInterpreterState *PyInterpreterState_Get(void);", "PyInterpreterState_Get"),
        ("ABI_DATA PyObject *PyExc_EncodingWarning;", "PyExc_EncodingWarning"),
        ("int PyBuffer_IsContiguous(const void *, char);", "PyBuffer_IsContiguous"),
    ],
)
def test_what_is_newer_is_found(line: str, name: str) -> None:
    assert _too_new(f"{HEADER.read_text()}\n{line}\n") == [name]


def test_all_is_used() -> None:
    functions, data = _declared(HEADER.read_text())
    code = "".join(_code(path.read_text()) for path in SOURCE.glob("*.[ch]") if path != HEADER)
    assert sorted(name for name in functions | data if not re.search(rf"\b{name}\b", code)) == []


def test_the_floor_is_said_once() -> None:
    assert f"#define AWSCRT_PYTHON_FLOOR 0x{FLOOR.major:02x}{FLOOR.minor:02x}0000" in HEADER.read_text()
    elsewhere = [path.name for path in SOURCE.glob("*.[ch]") if path != HEADER and "0x03" in path.read_text()]
    assert elsewhere == []
