"""Many threads at one object, with a GIL and without one: no crash, no wrong result, nothing left behind."""

from __future__ import annotations

import os
import sys
import sysconfig

import pytest

FOLDER = os.path.dirname(os.path.abspath(__file__))
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))

# Freed memory is filled, or given back if it is large, where the C library does that: whoever reads it is found out.
VARIABLES = {"AWS_CRT_MEMORY_TRACING": "1", "MALLOC_PERTURB_": "165", "MALLOC_MMAP_THRESHOLD_": "100000"}
if FREE_THREADED:
    # Packages that the servers of a scenario are made of may turn it on. Other builds refuse the variable.
    VARIABLES["PYTHON_GIL"] = "0"


@pytest.fixture
def share(run_python):
    def share(module, scenario, **options):
        code = f"import sys; sys.path.insert(0, {FOLDER!r}); import {module} as module; import sharing"
        run_python(f"{code}; sharing.run(module.{scenario})", env=VARIABLES, timeout=120, **options)

    return share


@pytest.mark.skipif(not FREE_THREADED, reason="this Python always has a GIL")
def test_import_leaves_the_gil_off(run_python):
    # A warning would tell that the extension has turned it on.
    modules = (
        "auth, cbor, checksums, common, crypto, eventstream.rpc, http, io, logging, s3, websocket, aio.http, aio.s3"
    )
    run_python(
        f"""
        import sys
        for name in "{modules}".split(", "):
            __import__(f"awscrt.{{name}}")
        assert not sys._is_gil_enabled()
        """
    )


@pytest.mark.parametrize(
    "scenario",
    ["headers", "requests", "digests", "keys", "encoders", "decoders", "defaults", "credentials", "drops"],
)
def test_objects(share, scenario):
    share("sharing", scenario)


@pytest.mark.skipif(not FREE_THREADED, reason="with a GIL there are no guards")
@pytest.mark.parametrize(
    "scenario",
    [
        "headers",
        "requests",
        "bodies",
        "signing",
        "new_streams",
        "cancelled_streams",
        "releases",
        "tls_options",
        "encoders",
        "encoders_read",
        "decoders",
    ],
)
def test_guards(share, scenario):
    share("sharing_guards", scenario)


@pytest.mark.skipif(
    not hasattr(os, "fork") or sys.version_info < (3, 12), reason="no fork, or one that hangs by itself beside threads"
)
def test_fork_beside_busy_threads(share):
    share("sharing", "forks")


@pytest.mark.parametrize(
    "scenario",
    [
        "exchanges",
        "drops",
        "stream_commands",
        "tls_options",
        "websocket_frames",
        "event_streams",
        "transfers",
        "closing",
        "logs",
    ],
)
def test_connections(share, scenario):
    share("sharing_connections", scenario)
