"""The public interface is that of awscrt 0.38.0, and every addition to it is listed with its reason."""

import importlib
import json
import os
import pkgutil
import sys
import textwrap

import pytest
from api import signatures, surface

import awscrt

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "api")


def read(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as stream:
        return json.load(stream)


FACTS = read(f"awscrt-{awscrt.__version__}.json")["modules"]
WAITING = read("waiting.json")
ADDITIONS = read("additions.json")
PRESENT = sorted(FACTS.keys() - set(WAITING))
PACKAGES = {name.rpartition(".")[0] for name in FACTS} - FACTS.keys()
"""Folders of modules that offer nothing themselves."""


def public_modules():
    found = {"awscrt"}
    for info in pkgutil.walk_packages(awscrt.__path__, "awscrt."):
        if not any(part.startswith("_") for part in info.name.split(".")):
            found.add(info.name)
    return found


@pytest.mark.parametrize("name", PRESENT)
def test_nothing_is_missing_or_different(name):
    assert surface.module_problems(name, FACTS[name], importlib.import_module(name), set()) == []


def test_every_addition_is_listed_and_every_listed_one_is_there():
    found = public_modules() - FACTS.keys() - PACKAGES
    for name in PRESENT:
        surface.module_problems(name, FACTS[name], importlib.import_module(name), found)
    assert sorted(found) == sorted(ADDITIONS)


def test_every_addition_has_a_reason():
    assert [name for name, reason in ADDITIONS.items() if len(reason.split()) < 3] == []


def test_what_is_waited_for_is_not_there_yet():
    assert set(WAITING) <= FACTS.keys()
    assert public_modules() & set(WAITING) == set()


THEIRS = """
    import enum
    from dataclasses import dataclass, field
    from typing import NamedTuple

    __all__ = ["Base", "Thing", "Kind", "Data", "Pair", "LIMIT", "make"]
    LIMIT = {1: (0, 1)}

    class Base:
        def __init__(self): self.seen = 1

    class Thing(Base):
        __slots__ = ("slot", "_text")
        MARK = "x"
        class Inner(enum.IntEnum):
            A = 0
        def __init__(self, a, b=1, *, c="(,=", **kwargs): pass
        def __enter__(self): return self
        @property
        def text(self): return self._text
        @text.setter
        def text(self, value): self._text = value
        def do(self, a, b=None): pass
        @classmethod
        def new(cls, a): pass
        @staticmethod
        def free(a=1.0): pass
        async def wait(self): pass

    class Plain: pass

    class Kind(enum.IntEnum):
        A = 0
        B = 1

    @dataclass
    class Data:
        a: int
        b: str = "b"
        c: list = field(default_factory=list)

    class Pair(NamedTuple):
        x: int
        y: int = 0

    def make(a, b: "x" = Kind.A, *, c=-1.0): pass
"""

THEIR_FACTS = {
    "classes": {
        "Base": {"bases": ["object"], "dunder": {}, "instance_attrs": ["seen"], "methods": {}},
        "Thing": {
            "bases": ["planted.Base"],
            "class_attrs": {"slot": "<slot>", "MARK": "x", "Inner": "<enum 'Inner'>"},
            "dunder": {"__enter__": "(self)", "__init__": "(self)"},
            "init": "(self, a, b: int = 1, *, c: Dict[str, int] = '(,=', **kwargs)",
            "instance_attrs": ["slot"],
            "methods": {
                "do": "(self, a: int, b=None) -> None",
                "new": "(cls, a)",
                "free": "(a=1.0)",
                "wait": "async (self)",
            },
            "properties": {"text": {"get": True, "ret": None, "set": True}},
        },
        "Kind": {
            "bases": ["enum.IntEnum"],
            "dunder": {"__new__": "(cls, value)"},
            "members": {"A": 0, "B": 1},
            "methods": {},
        },
        "Data": {
            "bases": ["object"],
            "class_attrs": {"b": "b"},
            "dunder": {"__eq__": "(self, other)"},
            "init": "(self, a: int, b: str = 'b', c: list = <factory>) -> None",
            "fields": [
                {"name": "a", "default": None, "default_factory": False, "init": True, "kw_only": False},
                {"name": "b", "default": "'b'", "default_factory": False, "init": True, "kw_only": False},
                {"name": "c", "default": None, "default_factory": True, "init": True, "kw_only": False},
            ],
            "methods": {},
        },
        "Pair": {
            "bases": ["tuple"],
            "class_attrs": {"x": "_tuplegetter(0, '')"},
            "dunder": {"__repr__": "(self)"},
            "fields": [{"name": "x"}, {"name": "y"}],
            "methods": {},
        },
    },
    "constants": {"LIMIT": {"1": [0, 1]}},
    "functions": {"make": "(a, b: x = <Kind.A: 0>, *, c=-1.0)"},
}


@pytest.fixture
def problems_of(tmp_path, monkeypatch):
    def compare(text):
        (tmp_path / "planted.py").write_text(textwrap.dedent(text))
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "planted", raising=False)
        additions = set()
        return surface.module_problems("planted", THEIR_FACTS, importlib.import_module("planted"), additions), additions

    yield compare
    sys.modules.pop("planted", None)


def test_what_is_the_same_is_found_to_be(problems_of):
    assert problems_of(THEIRS) == ([], set())


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('"make"]', '"make", "gone"]', "planted.__all__ names gone"),
        ('"LIMIT", "make"]', '"make"]', "planted.LIMIT is not in __all__"),
        ("LIMIT = {1: (0, 1)}", "LIMIT = {1: (0, 2)}", "planted.LIMIT is"),
        ("LIMIT = {1: (0, 1)}", "", "planted.LIMIT is missing"),
        ("class Thing(Base):", "class Thing:", "planted.Thing is no planted.Base"),
        ("class Kind(enum.IntEnum):", "class Kind(enum.Enum):", "planted.Kind is no enum.IntEnum"),
        ('"slot", "_text"', '"slots", "_text"', "planted.Thing.slot is missing"),
        ('MARK = "x"', 'MARK = "y"', "planted.Thing.MARK is 'y', not 'x'"),
        ('MARK = "x"', "", "planted.Thing.MARK is missing"),
        ("class Inner(enum.IntEnum):", "class Inner:", "planted.Thing.Inner is no enumeration"),
        ("b=1, *", "b=2, *", "planted.Thing.__init__: b=2 (either way) where b=1 (either way) is wanted"),
        ("a, b=1, *,", "a, *, b=1,", "b=1 (keyword-only) where"),
        ('*, c="(', 'c="(', "c='(,=' (either way) where"),
        (", **kwargs", "", "planted.Thing.__init__: no parameter kwargs"),
        ("def __enter__", "def enter", "planted.Thing.__enter__ is missing"),
        ("@text.setter", "@property", "planted.Thing.text cannot be set"),
        ("def do(", "def did(", "planted.Thing.do is missing"),
        ("def do(self, a, b", "def do(self, b, a", "planted.Thing.do"),
        ("a, b=None", "b=None, a=None", "planted.Thing.do: the parameters' order is not self, a, b"),
        ("self, a, b=None", "self, z=1, a=2, b=None", "planted.Thing.do: the new parameter z stands before known ones"),
        ("a, b=None", "a, b=None, *, z", "planted.Thing.do: the new parameter z has no default"),
        ("@classmethod", "@staticmethod", "planted.Thing.new is a staticmethod, not a classmethod"),
        ("@staticmethod", "", "planted.Thing.free is a function, not a staticmethod"),
        ("async def wait", "def wait", "planted.Thing.wait is no coroutine function"),
        ("def do(", "async def do(", "planted.Thing.do is a coroutine function"),
        ("A = 0\n        B = 1", "A = 0\n        B = 2", "planted.Kind.B is 2, not 1"),
        ("A = 0\n        B = 1", "A = 0", "planted.Kind.B is 'missing'"),
        ("@dataclass", "", "planted.Data is no dataclass"),
        ('b: str = "b"', 'b: str = "x"', "planted.Data.b: default is"),
        ("default_factory=list", "default=None", "planted.Data.c: default_factory is False"),
        ("x: int\n        y: int = 0", "y: int\n        x: int = 0", "planted.Pair has the fields"),
        ("c=-1.0", "c=1.0", "planted.make: c=1.0 (keyword-only) where"),
        ("def make(", "make = 1\n    def made(", "planted.make cannot be called"),
        ("self.seen", "self.saw", "planted.Base().seen is missing"),
        (
            "class Plain: pass",
            "class Plain(Base): pass\n    Base = Plain",
            "planted.Base says that it is planted.Plain",
        ),
    ],
)
def test_each_difference_is_seen(problems_of, old, new, problem):
    assert THEIRS.count(old) == 1
    found, _ = problems_of(THEIRS.replace(old, new))
    assert [each for each in found if problem in each], found


@pytest.mark.parametrize(
    ("old", "new", "addition"),
    [
        ('"make"]', '"make", "Plain"]', "planted.Plain"),
        ("def do(self, a, b=None)", "def do(self, a, b=None, z=1)", "planted.Thing.do(z)"),
        ("def do(", "def more(self): pass\n        def do(", "planted.Thing.more"),
        ("def __enter__", "def __exit__(self, *_): pass\n        def __enter__", "planted.Thing.__exit__"),
        ('"slot", "_text"', '"slot", "more", "_text"', "planted.Thing.more"),
        ("A = 0\n        B = 1", "A = 0\n        B = 1\n        C = 2", "planted.Kind.C"),
        ('b: str = "b"', 'b: str = "b"\n        d: str = "d"', "planted.Data.d"),
    ],
)
def test_each_addition_is_seen(problems_of, old, new, addition):
    assert THEIRS.count(old) == 1
    assert addition in problems_of(THEIRS.replace(old, new))[1]


def test_every_signature_of_the_facts_can_be_read():
    texts = []

    def collect(value):
        if isinstance(value, dict):
            for each in value.values():
                collect(each)
        elif isinstance(value, str) and value.startswith("("):
            texts.append(value)

    collect(FACTS)
    assert len(texts) > 300
    for text in texts:
        names = [parameter.name for parameter in signatures.parse(text)]
        assert all(name.isidentifier() for name in names), text
