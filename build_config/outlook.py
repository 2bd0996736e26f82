"""Owns what can be expected of a target on a machine: its wheels, who builds them, where they can be tried; pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from .model import Job
from .plan import Machine, obstacle


@dataclass(frozen=True, slots=True)
class Site:
    """A place with interpreters that run wheels of a target; `pythons` as people name them: `3.13`, `3.13t`."""

    target: str
    name: str
    pythons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outlook:
    """`wheels` are tags, `repairer` is empty where there is none, `unbuilt` and `untried` say why not, where not."""

    target: str
    wheels: tuple[str, ...]
    toolchain: str
    repairer: str
    unbuilt: str
    sites: tuple[Site, ...]
    untried: str


def outlook(job: Job, *, machine: Machine, repairer: str, sites: Iterable[Site]) -> Outlook:
    """What a job comes to on a machine; `sites` are all places that are known, for whatever target."""
    target = job.target
    serving = tuple(site for site in sites if site.target == target.id and site.pythons)
    return Outlook(
        target=target.id,
        wheels=tuple(f"{variant.id}-{'.'.join(target.wheel_platforms)}" for variant in job.variants),
        toolchain=job.toolchain,
        repairer=repairer,
        unbuilt=obstacle(target, job.toolchain, machine),
        sites=serving,
        untried="" if serving else f"no interpreter of {target.id} is known here",
    )
