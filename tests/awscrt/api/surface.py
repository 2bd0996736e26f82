"""Owns what is compared of modules and classes; each function returns what is wrong, a line a fault.

What a module offers is its `__all__`. An instance attribute counts as there if the class has a slot, a property or an
annotation of that name, or a method that assigns it to `self`.
"""

from __future__ import annotations

import ast
import dataclasses
import enum
import importlib
import inspect
import json
import textwrap
import types
from typing import Any, Dict, List, Set

from . import signatures

GENERATED = {"__init__", "__new__", "__repr__", "__init_subclass__", "__subclasshook__", "__class_getitem__"}
"""Special methods that every class has, or whose signature is compared under another name."""

ASYNC = "async "

CODE = (types.FunctionType, types.BuiltinFunctionType, classmethod, staticmethod)


def module_problems(name: str, facts: Dict[str, Any], module: Any, additions: Set[str]) -> List[str]:
    offered = getattr(module, "__all__", None)
    if offered is None:
        return [f"{name} has no __all__"]
    known = [*facts["classes"], *facts["functions"], *facts["constants"]]
    problems = [f"{name}.{each} is missing" for each in known if not hasattr(module, each)]
    problems += [f"{name}.{each} is not in __all__" for each in known if each not in offered]
    problems += [f"{name}.__all__ names {each}, which is not there" for each in offered if not hasattr(module, each)]
    additions.update(f"{name}.{each}" for each in offered if each not in known)
    for each, class_facts in facts["classes"].items():
        if hasattr(module, each):
            problems += class_problems(f"{name}.{each}", class_facts, getattr(module, each), additions)
    for each, text in facts["functions"].items():
        if hasattr(module, each):
            problems += _signature(f"{name}.{each}", text, getattr(module, each), additions)
    for each, value in facts["constants"].items():
        if hasattr(module, each) and _plain(getattr(module, each)) != value:
            problems.append(f"{name}.{each} is {getattr(module, each)!r}, not {value!r}")
    return problems


def class_problems(name: str, facts: Dict[str, Any], cls: Any, additions: Set[str]) -> List[str]:
    if not isinstance(cls, type):
        return [f"{name} is no class"]
    problems = []
    if f"{cls.__module__}.{cls.__qualname__}" != name:
        problems.append(f"{name} says that it is {cls.__module__}.{cls.__qualname__}")
    problems += [f"{name} is no {base}" for base in facts["bases"] if not issubclass(cls, _find(base))]
    if "members" in facts:
        problems += _members(name, facts["members"], cls, additions)
    else:
        if "init" in facts:
            init = inspect.getattr_static(cls, "__init__")
            problems += _signature(f"{name}.__init__", facts["init"], init, additions)
        problems += [
            f"{name}.{each} is missing"
            for each in sorted(facts["dunder"].keys() - GENERATED)
            if getattr(cls, each, None) in (None, getattr(object, each, None))
        ]
    for each, text in facts["methods"].items():
        problems += _method(f"{name}.{each}", text, cls, each, additions)
    for each, said in facts.get("properties", {}).items():
        problems += _property(f"{name}.{each}", said, inspect.getattr_static(cls, each, None))
    for each, value in facts.get("class_attrs", {}).items():
        problems += _attribute(f"{name}.{each}", value, inspect.getattr_static(cls, each, None), cls)
    seen = _instance_attributes(cls)
    problems += [f"{name}().{each} is missing" for each in facts.get("instance_attrs", []) if each not in seen]
    if "fields" in facts:
        problems += _fields(name, facts["fields"], cls)
    _add(name, facts, cls, additions)
    return problems


def _find(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module or "builtins"), name)


def _signature(name: str, text: str, function: Any, additions: Set[str]) -> List[str]:
    if not callable(function):
        return [f"{name} cannot be called"]
    try:
        ours = signatures.of(function)
    except (TypeError, ValueError):
        return [f"{name} does not tell its signature"]
    return signatures.compare(name, signatures.parse(text), ours, additions)


def _method(name: str, text: str, cls: Any, each: str, additions: Set[str]) -> List[str]:
    static = inspect.getattr_static(cls, each, None)
    if static is None:
        return [f"{name} is missing"]
    plain = text[len(ASYNC) :] if text.startswith(ASYNC) else text
    first = plain[1:].replace(",", ")").partition(")")[0]
    wanted = {"cls": classmethod, "self": types.FunctionType}.get(first, staticmethod)
    if not isinstance(static, wanted):
        return [f"{name} is a {type(static).__name__}, not a {wanted.__name__}"]
    function = getattr(static, "__func__", static)
    if inspect.iscoroutinefunction(function) != (plain != text):
        return [f"{name} is {'no' if plain != text else 'a'} coroutine function"]
    return _signature(name, plain, function, additions)


def _members(name: str, members: Dict[str, Any], cls: Any, additions: Set[str]) -> List[str]:
    if not issubclass(cls, enum.Enum):
        return [f"{name} is no enumeration"]
    ours = {each: _plain(member.value) for each, member in cls.__members__.items()}
    additions.update(f"{name}.{each}" for each in ours if each not in members)
    return [
        f"{name}.{each} is {ours.get(each, 'missing')!r}, not {value!r}"
        for each, value in members.items()
        if each not in ours or ours[each] != value
    ]


def _property(name: str, said: Dict[str, Any], static: Any) -> List[str]:
    if not hasattr(type(static), "__get__") or isinstance(static, CODE):
        return [f"{name} is no property"]
    writable = static.fset is not None if isinstance(static, property) else hasattr(type(static), "__set__")
    return [f"{name} cannot be set"] if said["set"] and not writable else []


def _attribute(name: str, value: Any, static: Any, cls: Any) -> List[str]:
    if value == "<slot>":
        seen = inspect.isdatadescriptor(static) or name.rpartition(".")[2] in _instance_attributes(cls)
        return [] if seen else [f"{name} is missing"]
    if isinstance(value, str) and value.startswith("_tuplegetter("):
        return []  # a field of a named tuple, compared as such
    if isinstance(value, str) and value.startswith("<enum "):
        return [] if isinstance(static, type) and issubclass(static, enum.Enum) else [f"{name} is no enumeration"]
    if static is None and value is not None:
        return [f"{name} is missing"]
    return [] if _plain(static) == value else [f"{name} is {static!r}, not {value!r}"]


def _fields(name: str, fields: List[Dict[str, Any]], cls: Any) -> List[str]:
    wanted = [field["name"] for field in fields]
    if issubclass(cls, tuple):
        ours = list(getattr(cls, "_fields", ()))
        return [] if ours == wanted else [f"{name} has the fields {ours}, not {wanted}"]
    if not dataclasses.is_dataclass(cls):
        return [f"{name} is no dataclass"]
    found = {field.name: field for field in dataclasses.fields(cls)}
    problems = [] if list(found)[: len(wanted)] == wanted else [f"{name} has the fields {list(found)}, not {wanted}"]
    for said in fields:
        field = found.get(said["name"])
        if field is None:
            continue
        said_by_ours = {
            "default": None if field.default is dataclasses.MISSING else repr(field.default),
            "default_factory": field.default_factory is not dataclasses.MISSING,
            "init": field.init,
            "kw_only": getattr(field, "kw_only", False) is True,
        }
        problems += [
            f"{name}.{field.name}: {what} is {said_by_ours[what]!r}, not {said[what]!r}"
            for what in said_by_ours
            if said_by_ours[what] != said[what]
        ]
    return problems


def _instance_attributes(cls: Any) -> Set[str]:
    found: Set[str] = set()
    for base in cls.__mro__[:-1]:
        found |= {each for each, value in vars(base).items() if inspect.isdatadescriptor(value)}
        found |= set(getattr(base, "__annotations__", ()))
        for function in filter(inspect.isfunction, vars(base).values()):
            found |= _assigned(function)
    return found


def _assigned(function: Any) -> Set[str]:
    """The attributes that a method assigns to `self`."""
    try:
        # Of the function, not of the class: a class that says another module's name is looked for there.
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except OSError:
        return set()  # made by exec, as a dataclass's are
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }


def _add(name: str, facts: Dict[str, Any], cls: Any, additions: Set[str]) -> None:
    """What a class itself has more than the facts say."""
    kinds = ("methods", "properties", "class_attrs", "members", "dunder")
    known = {each for kind in kinds for each in facts.get(kind, {})}
    known |= set(facts.get("instance_attrs", ())) | {field["name"] for field in facts.get("fields", ())}
    made = dataclasses.is_dataclass(cls) or issubclass(cls, (enum.Enum, tuple))
    own = set(vars(cls)) | set(_own_annotations(cls))
    for each in own - known:
        special = each.startswith("__") and each.endswith("__")
        if special and (made or each in GENERATED or not isinstance(vars(cls).get(each), CODE)):
            continue
        if special or not each.startswith("_"):
            additions.add(f"{name}.{each}")


def _own_annotations(cls: Any) -> Dict[str, Any]:
    return dict(vars(cls).get("__annotations__", {}))


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    try:
        return json.loads(json.dumps(value))
    except TypeError:
        return repr(value)
