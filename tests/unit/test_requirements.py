"""Owns the tests of the tools' lock files: complete, hashed, of one mind, and free of places."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement

from build_config import requirements

ROOT = Path(__file__).parents[2]
GROUPS = requirements.groups(ROOT)
PLACE = re.compile(
    r"://|\b(?:[\w-]+\.)+(?:org|com|net|io|dev)\b|(?:^|\s)(?:/|~|[A-Z]:\\)|--(?:index|extra|find|trusted)"
)
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
PYTHONS = ("3.8.10", "3.9.2", "3.10.0", "3.11.7", "3.12.1", "3.13.0", "3.14.0", "3.15.0")
SYSTEMS = (("linux", "posix", "Linux"), ("darwin", "posix", "Darwin"), ("win32", "nt", "Windows"))


def entries(text: str) -> list[str]:
    """One requirement each, with its hashes; a line that ends in a backslash goes on."""
    joined = text.replace("\\\n", " ")
    return [line for line in joined.splitlines() if line.strip() and not line.startswith("#")]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(text: str) -> list[tuple[Requirement, int]]:
    """Every requirement of a lock, and how many hashes it has."""
    return [(Requirement(entry.split("--hash")[0]), len(HASH.findall(entry))) for entry in entries(text)]


def unhashed(text: str) -> list[str]:
    return [str(pin) for pin, hashes in pins(text) if hashes == 0 or [s.operator for s in pin.specifier] != ["=="]]


def machines(oldest: str) -> list[dict[str, str]]:
    """Marker environments of every Python from `oldest` on, on each system."""
    oldest_numbers = [int(part) for part in oldest.split(".")]
    pythons = [full for full in PYTHONS if [int(part) for part in full.split(".")[:2]] >= oldest_numbers]
    return [
        {
            "python_full_version": full,
            "python_version": full.rpartition(".")[0],
            "sys_platform": system,
            "os_name": os_name,
            "platform_system": name,
            "platform_machine": "x86_64",
        }
        for full, (system, os_name, name) in itertools.product(pythons, SYSTEMS)
    ]


def holds(marker: Marker | None, machine: dict[str, str]) -> bool:
    return marker is None or marker.evaluate(dict(machine))


def chosen(text: str, machine: dict[str, str]) -> dict[str, list[str]]:
    """The versions that a lock installs on a machine; two of one name is a fault."""
    found: dict[str, list[str]] = {}
    for pin, _ in pins(text):
        if holds(pin.marker, machine):
            found.setdefault(normal(pin.name), []).append(next(iter(pin.specifier)).version)
    return found


def conflicts(locks: dict[str, str], machine: dict[str, str]) -> list[str]:
    """Names that do not come to one version over all locks."""
    versions: dict[str, set[str]] = {}
    doubled = []
    for group, text in locks.items():
        for name, found in chosen(text, machine).items():
            versions.setdefault(name, set()).update(found)
            doubled += [f"{group}: {name}"] if len(found) > 1 else []
    return doubled + [f"{name}: {sorted(found)}" for name, found in versions.items() if len(found) > 1]


def wanted(group: str) -> set[str]:
    """Every name that a group's `.in` asks for, those of the groups that it includes too."""
    names = set()
    for line in entries((ROOT / "requirements" / f"{group}.in").read_text()):
        include = re.fullmatch(r"-r (\w+)\.in", line)
        names |= wanted(include[1]) if include else {normal(Requirement(line).name)}
    return names


def lock(group: str) -> str:
    return (ROOT / "requirements" / f"{group}.txt").read_text()


def test_there_is_a_lock_for_every_group_and_no_other() -> None:
    assert {path.stem for path in (ROOT / "requirements").glob("*.txt")} == set(GROUPS)
    assert {"nox", "build", "lint", "test", "trial"} <= set(GROUPS)


@pytest.mark.parametrize("group", GROUPS)
def test_every_requirement_is_one_version_with_hashes(group: str) -> None:
    assert pins(lock(group))
    assert unhashed(lock(group)) == []


@pytest.mark.parametrize(
    "text", ["a==1", "a==1 ; python_version > '3'\nb==2 \\\n    --hash=md5:0", "a>=1 --hash=sha256:" + "0" * 64]
)
def test_an_unpinned_line_is_seen(text: str) -> None:
    assert unhashed(text)


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("suffix", ["in", "txt"])
def test_no_place_is_named(group: str, suffix: str) -> None:
    assert not PLACE.search((ROOT / "requirements" / f"{group}.{suffix}").read_text())


@pytest.mark.parametrize(
    "text", ["--index-url x", "a @ https://h/a.whl", "# via -r /home/me/a.in", "# from files.example.org"]
)
def test_a_place_is_seen(text: str) -> None:
    assert PLACE.search(text)


@pytest.mark.parametrize("group", GROUPS)
def test_every_name_asked_for_is_locked(group: str) -> None:
    locked = {normal(pin.name) for pin, _ in pins(lock(group))}
    assert wanted(group) - locked == set()


def test_all_groups_agree_on_every_machine() -> None:
    everything = {group: lock(group) for group in GROUPS}
    assert all(conflicts(everything, machine) == [] for machine in machines(requirements.OLDEST_FOR_TOOLS))


@pytest.mark.parametrize("group", requirements.FOR_TRIALS)
def test_a_trial_finds_each_tool_once_on_every_python(group: str) -> None:
    for machine in machines(requirements.OLDEST_FOR_TRIALS):
        found = chosen(lock(group), machine)
        assert wanted(group) <= found.keys(), machine
        assert conflicts({group: lock(group)}, machine) == [], machine


def test_a_conflict_is_seen() -> None:
    machine = machines("3.11")[0]
    assert conflicts({"one": "a==1", "two": "A==2"}, machine)
    assert conflicts({"one": "a==1\na==2 ; python_version >= '3.8'"}, machine)
    assert not conflicts({"one": "a==1", "two": "a==2 ; python_version < '3.11'"}, machine)
