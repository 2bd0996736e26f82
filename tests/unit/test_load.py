"""The data files become model objects, or one error that names every problem."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from build_config import load
from build_config.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project's data files, to be spoilt."""
    for name in ("recipes", "crt"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "build_config").mkdir()
    shutil.copy(ROOT / "build_config" / "targets.toml", tmp_path / "build_config")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_projects_own_files_load() -> None:
    catalog = load.catalog(ROOT)
    assert len(catalog.recipes) == len(catalog.sources) == 13
    assert "linux-gnu-x86_64" in catalog.targets
    assert [variant.id for variant in catalog.variants.values() if variant.default] == ["cp38-abi3"]
    assert catalog.project.name == "awscrt"


def test_recipes_differ_by_platform() -> None:
    catalog = load.catalog(ROOT)
    linux = catalog.targets["linux-gnu-x86_64"]
    assert catalog.recipes["s2n"].built_on(linux)
    assert dict(catalog.recipes["aws-lc"].options_for(linux))["DISABLE_GO"] == "ON"
    cal = dict(catalog.recipes["aws-c-cal"].options_for(linux))
    assert cal["AWS_USE_LIBCRYPTO_TO_SUPPORT_ED25519_EVERYWHERE"] == "ON"


@pytest.mark.fault("F33")
def test_every_problem_of_every_file_is_told(project: Path) -> None:
    _edit(project / "recipes" / "aws-c-io.toml", "licence =", "lisence =")
    _edit(project / "recipes" / "s2n.toml", 'name = "s2n"', 'name = "s2n-tls"')
    (project / "recipes" / "aws-c-auth.toml").unlink()
    with pytest.raises(UsageError) as caught:
        load.catalog(project)
    told = str(caught.value)
    assert "recipes/aws-c-io.toml: unknown field 'lisence'; did you mean 'licence'?" in told
    assert "recipes/s2n.toml: name 's2n-tls' differs from the file's" in told
    assert "crt/pins.toml: aws-c-auth has no recipe" in told


@pytest.mark.fault("F33")
def test_a_cycle_among_recipes_is_named(project: Path) -> None:
    _edit(project / "recipes" / "aws-c-common.toml", "licence =", 'needs = ["aws-c-io"]\nlicence =')
    with pytest.raises(UsageError, match=r"need each other: .*aws-c-common"):
        load.catalog(project)


@pytest.mark.fault("F33")
def test_an_unknown_need_is_named(project: Path) -> None:
    _edit(project / "recipes" / "aws-c-common.toml", "licence =", 'needs = ["aws-c-oi"]\nlicence =')
    with pytest.raises(UsageError, match=r"needs 'aws-c-oi', which does not exist; did you mean 'aws-c-io'\?"):
        load.catalog(project)


@pytest.mark.fault("F33")
@pytest.mark.parametrize("output", ["/etc/passwd", "../up", "a/../../b", "lib/.."])
def test_an_output_outside_the_prefix_is_refused(project: Path, output: str) -> None:
    path = project / "recipes" / "aws-checksums.toml"
    _edit(path, "outputs = [", f'outputs = ["{output}", ')
    with pytest.raises(UsageError, match="is not a path below"):
        load.catalog(project)


@pytest.mark.fault("F06")
def test_a_pin_of_another_version_than_the_recipes_is_told(project: Path) -> None:
    recipe = project / "recipes" / "aws-lc.toml"
    _edit(recipe, 'version = "', 'version = "9.')
    with pytest.raises(UsageError, match=r"recipes/aws-lc.toml: version 9\..* but the pinned source is"):
        load.catalog(project)


def test_a_hash_that_is_none_is_told(project: Path) -> None:
    _edit(project / "crt" / "pins.toml", 'sha256 = "', 'sha256 = "xyz')
    with pytest.raises(UsageError, match=r"sha256 .* does not match"):
        load.catalog(project)
