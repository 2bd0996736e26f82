"""Where work happens, and when it says that it did."""

from __future__ import annotations

from pathlib import Path

import pytest

from build_config.errors import UsageError
from build_config.workspace import default_store, open_workspace


@pytest.mark.parametrize(
    ("environment", "store"),
    [
        ({"HOME": "/h"}, "/h/.cache/awscrt-build"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/c"}, "/c/awscrt-build"),
        ({"HOME": "/h", "XDG_CACHE_HOME": ""}, "/h/.cache/awscrt-build"),
    ],
)
def test_the_store_is_in_the_users_cache(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], store: str
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert default_store(environment) == Path(store)


def test_variables_decide_what_they_are_for(tmp_path: Path) -> None:
    settings = {"AWS_CRT_BUILD_STORE": str(tmp_path), "AWS_CRT_BUILD_JOBS": "3", "AWS_CRT_BUILD_OFFLINE": "1"}
    workspace = open_workspace(Path("/p"), {"HOME": "/h"}, settings)
    assert (workspace.store, workspace.jobs, workspace.offline) == (tmp_path, 3, True)
    assert workspace.dist == Path("/p/dist")


@pytest.mark.fault("F24")
@pytest.mark.parametrize("value", ["", "-1", "1.5", "now", "١"])
def test_a_malformed_epoch_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="SOURCE_DATE_EPOCH"):
        open_workspace(Path("/p"), {"SOURCE_DATE_EPOCH": value}, {})


@pytest.mark.fault("F24")
def test_an_epoch_before_zip_files_could_say_it_is_moved_there() -> None:
    assert open_workspace(Path("/p"), {"SOURCE_DATE_EPOCH": "0"}, {}).epoch == 315_532_800
    assert open_workspace(Path("/p"), {"SOURCE_DATE_EPOCH": "1700000000"}, {}).epoch == 1_700_000_000
