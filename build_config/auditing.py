"""Owns the reading of the tag that auditwheel grants: whether it reaches back as far as a target promises."""

from __future__ import annotations

import re

from .model import Target

_TAG = re.compile(r"(manylinux|musllinux)_(\d+)_(\d+)_(\w+)")
_FAMILIES = {"gnu": "manylinux", "musl": "musllinux"}


def reaches(tag: str, target: Target) -> bool:
    """Whether a platform tag (PEP 600, PEP 656) is for the target's platform, from its floor on or earlier.

    musl has no symbol versions to judge by: on any other system, auditwheel grants the newest tag that it knows, so that
    of musl only the family counts. Its floor is kept by the list of its symbols in the policy.
    """
    found = _TAG.fullmatch(tag)
    if found is None or (found[1], found[4]) != (_FAMILIES.get(target.libc), target.arch):
        return False
    return target.libc == "musl" or (int(found[2]), int(found[3])) <= tuple(map(int, target.floor.split(".")))
