"""Owns the tests of having roots, as far as none has to be made."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from build_config.errors import MachineError, UsageError
from build_config.key import Key
from build_config.model import Node
from build_config.roots import Catalog, Provider, Root, load, parts
from build_config.roots.catalog import Build, Emulator, Package, Tree
from build_config.roots.namespace import Inside
from build_config.roots.provision import tree_key
from build_config.store import Entry, Store
from build_config.workspace import Listener, Workspace, open_workspace

PACKAGE = Package("pool/main/a/a_1_arm64.deb", 1, "0" * 64)
TREE = Tree("one", "sid", "sparc", ("a",), ("usr/share/doc/",), (PACKAGE,))
ROOT = Root("one", "linux-gnu-sparc", TREE, ("/usr/bin/python3.14",))


BASE = Build("base", "x86_64-linux-musl", (), (), (), "")


def workspace(tmp_path: Path) -> Workspace:
    return open_workspace(tmp_path, os.environ, {}, store=tmp_path / "store")


def provider(tmp_path: Path, store: Store, emulators: Mapping[str, Emulator] = MappingProxyType({})) -> Provider:
    return Provider(Catalog({"one": ROOT}, emulators, {}, {}), workspace(tmp_path), store, Listener())


def test_a_processor_without_an_emulator_is_an_obstacle(tmp_path: Path) -> None:
    with Store(tmp_path / "store") as store:
        made = provider(tmp_path, store)
        (state,) = made.states([ROOT])
        assert (state.size, state.obstacle) == (None, f"there is no emulator of sparc for {os.uname().machine}")
        with pytest.raises(MachineError, match="no emulator of sparc") as caught:
            made.place(ROOT)
        assert "sparc" in caught.value.hint


def test_a_python_that_is_built_on_other_machines_alone_is_an_obstacle(tmp_path: Path) -> None:
    build = Build("b", "zig", (), (("builder", "sparc-linux-gnu"),), (), "")
    here = replace(ROOT, tree=replace(TREE, arch=os.uname().machine), build=build)
    with Store(tmp_path / "store") as store:
        assert provider(tmp_path, store).obstacle(here) == "its Python is built on sparc-linux-gnu alone"


def test_a_root_that_is_not_pinned_is_told_with_the_next_step(tmp_path: Path) -> None:
    bare = replace(ROOT, tree=replace(TREE, arch=os.uname().machine, packages=()))
    with Store(tmp_path / "store") as store, pytest.raises(UsageError, match="not pinned") as caught:
        provider(tmp_path, store).place(bare)
    assert "roots lock" in caught.value.hint


@pytest.mark.parametrize(
    "change",
    [
        {"packages": (replace(PACKAGE, sha256="1" * 64),)},
        {"packages": (replace(PACKAGE, path="pool/main/a/a_2_arm64.deb"),)},
        {"leave_out": ()},
        {"files": (("etc/hosts", ""),)},
    ],
)
def test_whatever_decides_a_tree_decides_its_key(change: dict[str, object]) -> None:
    assert tree_key(replace(TREE, **change)) != tree_key(TREE)  # type: ignore[arg-type]


def test_a_build_and_the_pythons_decide_a_roots_key(tmp_path: Path) -> None:
    pytest.importorskip("ziglang", reason="its digest is part of a build's key")
    catalog = load(Path(__file__).parents[3])
    musl = catalog.roots["musl-x86_64"]
    with Store(tmp_path / "store") as store:
        made = Provider(catalog, workspace(tmp_path), store, Listener())
        keys = {
            made._key(each).digest for each in (musl, replace(musl, build=None), replace(musl, pythons=("/usr/bin/x",)))
        }
    assert len(keys) == 3


def test_a_root_and_its_emulator_are_what_decides_a_place(tmp_path: Path) -> None:
    emulator = Emulator(replace(TREE, name="emulator-sparc"), "usr/bin/qemu", "", "")
    other = replace(emulator, tree=replace(emulator.tree, packages=()))
    with Store(tmp_path / "store") as store:
        made = [provider(tmp_path, store, {"sparc": each}) for each in (emulator, other)]
        native = replace(ROOT, tree=replace(TREE, arch=os.uname().machine))
        digest = made[0]._key(ROOT).digest
        assert len({digest, *(each._identity(ROOT) for each in made)}) == 3
        assert all(each._identity(ROOT).startswith(digest) for each in made)
        assert made[0]._identity(native) == made[1]._identity(native) == digest


class Alone(Provider):
    """Makes nothing."""

    def _had(self, key: Key, build: Callable[[Node, Path], None]) -> Entry:
        entry = self._store.find(key)
        assert entry is not None, key.name
        return entry


def test_a_root_that_is_there_needs_none_of_its_parts(tmp_path: Path) -> None:
    pytest.importorskip("ziglang", reason="its digest is part of a build's key")
    root = replace(ROOT, build=BASE)
    with Store(tmp_path / "store") as store:
        made = Alone(Catalog({}, {}, {}, {}), workspace(tmp_path), store, Listener())
        store.get_or_build(made._key(root), lambda staged: None)
        assert made._made(root, lambda tree: Inside(root.name, tree)).path.is_dir()


def test_what_a_python_writes_during_a_build_is_not_in_the_store(tmp_path: Path) -> None:
    pytest.importorskip("ziglang", reason="its digest is part of a build's key")
    wanted = replace(BASE, name="next", python="base/bin/python")
    with Store(tmp_path / "store") as store:
        made = Alone(Catalog({}, {}, {"base": BASE}, {}), workspace(tmp_path), store, Listener())
        store.get_or_build(made._build_key(BASE), lambda staged: (staged / "bin").mkdir())
        python = made._python(wanted, tmp_path / "builder")
        assert python == tmp_path / "builder" / "bin" / "python"
        (python.parent / "__pycache__").mkdir()
        assert store.verify() == ()
        assert store.find(made._build_key(BASE)) is not None


def test_what_roots_share_is_one_part() -> None:
    catalog = load(Path(__file__).parents[3])
    foreign = [root for root in catalog.roots.values() if root.tree.arch not in (os.uname().machine, "x86_64")]
    plain = [root for root in foreign if root.build is None]
    assert parts(plain) == len(plain) + (1 if plain else 0)
    musl = catalog.roots["musl-x86_64"]
    assert parts([musl, musl]) - parts([musl]) == 1
