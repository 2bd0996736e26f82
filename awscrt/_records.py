"""Owns classes that behave as dataclasses and are made without `dataclasses`, whose import takes as long as the package's."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    _Class = TypeVar("_Class", bound=type)


class _Model:
    """An attribute that `dataclasses` looks for, made of the class's annotations when it does."""

    def __init__(self, model: type, name: str) -> None:
        self._model = model
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        import dataclasses  # noqa: PLC0415 - this is what the module is for

        annotations = self._model.__annotations__
        body = {name: getattr(self._model, name) for name in annotations}
        body.update(__annotations__=annotations, __module__=self._model.__module__)
        return getattr(dataclasses.dataclass(type(self._model.__name__, (), body)), self._name)


def _repr(self: Any) -> str:
    values = ", ".join(f"{name}={getattr(self, name)!r}" for name in type(self).__match_args__)
    return f"{type(self).__qualname__}({values})"


def _eq(self: Any, other: object) -> Any:
    names = type(self).__match_args__
    if type(other) is not type(self):
        return NotImplemented
    return all(getattr(self, name) == getattr(other, name) for name in names)


def record(cls: _Class) -> _Class:
    """Gives a class what `@dataclass` would, but for `__init__`: its annotated attributes, all with defaults, are fields."""
    attributes = {
        "__match_args__": tuple(cls.__annotations__),
        "__repr__": _repr,
        "__eq__": _eq,
        "__hash__": None,
        "__dataclass_fields__": _Model(cls, "__dataclass_fields__"),
        "__dataclass_params__": _Model(cls, "__dataclass_params__"),
    }
    for name, value in attributes.items():
        setattr(cls, name, value)
    return cls
