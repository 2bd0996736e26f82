"""Owns the PEP 517 hooks: `pip install .` and `python -m build` go through the same builds as everything else.

The C libraries come from the store; without any compiler on the machine, ziglang is asked for as a build requirement.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from scikit_build_core import build as inner

from . import extension, load, plan, variables
from .errors import UsageError
from .provision import Provision
from .store import Store
from .toolchain import has_host_compiler
from .workspace import Listener, open_workspace

build_sdist = inner.build_sdist
get_requires_for_build_sdist = inner.get_requires_for_build_sdist
prepare_metadata_for_build_wheel = inner.prepare_metadata_for_build_wheel

Settings = Mapping[str, str | list[str]] | None


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """CMake and Ninja at their pinned versions, so that libraries in the store fit; a compiler where there is none.

    pip is there to be asked which index it uses, for the sources.
    """
    del config_settings
    wanted = ["cmake", "ninja", *(["ziglang"] if _toolchain() == "zig" else [])]
    return ["pip", *(_pinned(package) for package in wanted)]


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None) -> str:
    """Build a wheel for this machine into `wheel_directory` and return its file name.

    Raises:
        UsageError: config settings were given; variables of the environment are what this backend reads.
        ToolchainError: as any build.
    """
    del metadata_directory
    if config_settings:
        raise UsageError(f"config settings are not read: {', '.join(sorted(config_settings))}", hint=_HINT)
    root = Path(__file__).resolve().parent.parent
    catalog = load.catalog(root)
    workspace = open_workspace(root, dict(os.environ), variables.checked(os.environ))
    machine = plan.machine()
    target = plan.own_target(catalog, machine)
    variant = catalog.variants[_ABI3]
    made = plan.make(catalog, [target], [variant], machine=machine, toolchain=_toolchain())
    with Store(workspace.store) as store, tempfile.TemporaryDirectory() as scratch:
        libraries = Provision(made, catalog, workspace, store, Listener())
        prepared = libraries.prepare(target)
        libraries.provide([prepared])
        whole = libraries.extension(prepared, variant, libraries.prefixes(prepared))
        key = extension.wheel_key(whole, prepared.keys.values(), {})
        wheel = extension.build_wheel(
            extension.keyed(whole, key),
            Path(scratch),
            environment=workspace.environment,
            epoch=workspace.epoch,
            log=whole.build_folder.with_suffix(".log"),
        )
        final = Path(wheel_directory) / wheel.name
        final.write_bytes(wheel.read_bytes())
    return final.name


_ABI3 = "cp38-abi3"
_HINT = "set the AWS_CRT_BUILD_* variables instead; `python -m build_config --help` lists them"


def _toolchain() -> str:
    chosen = variables.checked(os.environ).get("AWS_CRT_BUILD_TOOLCHAIN")
    return chosen or ("host" if has_host_compiler(os.environ) else "zig")


def _pinned(package: str) -> str:
    lock = Path(__file__).resolve().parent.parent / "requirements" / "build.txt"
    found = re.search(rf"^{re.escape(package)}==[^\s;\\]+", lock.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise UsageError(f"no pin of {package}", subject=lock, hint="nox -s lock")
    return found[0]
