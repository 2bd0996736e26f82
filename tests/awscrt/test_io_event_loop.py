"""Owns the tests of event loop groups, host resolvers and client bootstraps."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time
import weakref
from typing import TYPE_CHECKING

import pytest

from awscrt import _awscrt
from awscrt.common import get_cpu_count_for_group
from awscrt.exceptions import AwsCrtError
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup, HostResolverBase

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import CompletedProcess

    RunPython = Callable[..., CompletedProcess[str]]

WAIT_SEC = 30.0

needs_processor_groups = pytest.mark.skipif(
    get_cpu_count_for_group(60000) != 0, reason="the system has no libnuma, so every processor group seems to exist"
)


def test_shutdown_event_is_set_after_the_last_reference_only() -> None:
    group = EventLoopGroup(1)
    event = group.shutdown_event
    resolver = DefaultHostResolver(group)
    del group
    assert not event.wait(0.1), "the resolver still uses the group"
    del resolver
    assert event.wait(WAIT_SEC)


def test_bootstrap_keeps_group_and_resolver_alive() -> None:
    group = EventLoopGroup(1)
    resolver = DefaultHostResolver(group)
    bootstrap = ClientBootstrap(group, resolver)
    group_event, bootstrap_event = group.shutdown_event, bootstrap.shutdown_event
    del group, resolver
    assert not group_event.wait(0.1)
    assert not bootstrap_event.is_set()
    del bootstrap
    assert bootstrap_event.wait(WAIT_SEC)
    assert group_event.wait(WAIT_SEC)


def native_threads() -> int:
    """How many threads of event loops run; a thread gets its name only once it runs."""
    names = []
    for task in os.listdir("/proc/self/task"):
        # It may have ended since.
        with contextlib.suppress(OSError), open(f"/proc/self/task/{task}/comm", encoding="ascii") as comm:
            names.append(comm.read())
    return sum(name.startswith("AwsEventLoop") for name in names)


@pytest.mark.parametrize(("asked", "wanted"), [(1, range(1, 2)), (3, range(3, 4)), (None, None), (0, None)])
def test_number_of_threads(asked: int | None, wanted: range | None) -> None:
    if wanted is None:
        wanted = range(1, max(2, (os.cpu_count() or 1) // 2 + 1))
    group = EventLoopGroup(asked)
    end = time.monotonic() + WAIT_SEC
    while native_threads() not in wanted and time.monotonic() < end:
        time.sleep(0.01)
    assert native_threads() in wanted
    del group


def test_cpu_group() -> None:
    group = EventLoopGroup(cpu_group=0)
    event = group.shutdown_event
    del group
    assert event.wait(WAIT_SEC)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((-1,), ValueError),
        ((65536,), ValueError),
        ((1.5,), TypeError),
        (("2",), TypeError),
        ((1, -1), ValueError),
        ((1, 65536), ValueError),
        ((1, "0"), TypeError),
    ],
)
def test_group_refuses_bad_numbers(arguments: tuple[object, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        EventLoopGroup(*arguments)  # type: ignore[arg-type]


@needs_processor_groups
def test_group_on_a_processor_group_that_does_not_exist() -> None:
    with pytest.raises(RuntimeError) as caught:
        EventLoopGroup(1, 60000)
    assert isinstance(caught.value, AwsCrtError)
    assert caught.value.name == "AWS_ERROR_INVALID_ARGUMENT"


@pytest.mark.parametrize("max_hosts", [0, -1])
def test_resolver_refuses_to_cache_nothing(max_hosts: int) -> None:
    with pytest.raises(ValueError, match="max_hosts"):
        DefaultHostResolver(EventLoopGroup(1), max_hosts)


@pytest.mark.fault("R17")
@pytest.mark.parametrize("max_hosts", [1, 2**16, 2**40, 2**63])
def test_resolver_takes_any_room_without_filling_the_memory(max_hosts: int) -> None:
    resolver = DefaultHostResolver(EventLoopGroup(1), max_hosts)
    assert isinstance(resolver, HostResolverBase)


@pytest.mark.fault("R17")
def test_resolver_refuses_what_is_no_size() -> None:
    with pytest.raises(OverflowError):
        DefaultHostResolver(EventLoopGroup(1), 2**64)


def test_wrong_types_are_named() -> None:
    group = EventLoopGroup(1)
    resolver = DefaultHostResolver(group)
    with pytest.raises(TypeError, match="event_loop_group must be EventLoopGroup, not NoneType"):
        DefaultHostResolver(None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="event_loop_group must be EventLoopGroup, not DefaultHostResolver"):
        ClientBootstrap(resolver, group)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="host_resolver must be HostResolverBase, not int"):
        ClientBootstrap(group, 5)  # type: ignore[arg-type]


def test_a_half_made_object_is_no_crash() -> None:
    raw = EventLoopGroup.__new__(EventLoopGroup)
    with pytest.raises(AttributeError):
        DefaultHostResolver(raw)
    wrong = EventLoopGroup.__new__(EventLoopGroup)
    wrong._binding = DefaultHostResolver(EventLoopGroup(1))._binding
    with pytest.raises(TypeError, match="EventLoopGroup"):
        DefaultHostResolver(wrong)


STATIC = [EventLoopGroup, DefaultHostResolver, ClientBootstrap]


@pytest.mark.parametrize("kind", STATIC)
def test_static_default_is_one_until_released(kind: type[EventLoopGroup]) -> None:
    first = kind.get_or_create_static_default()
    assert kind.get_or_create_static_default() is first
    kind.release_static_default()
    second = kind.get_or_create_static_default()
    assert second is not first


@pytest.mark.fault("R11")
@pytest.mark.parametrize("kind", STATIC)
def test_releasing_a_static_default_twice_or_before_there_is_one(kind: type[EventLoopGroup]) -> None:
    kind.release_static_default()
    kind.get_or_create_static_default()
    kind.release_static_default()
    kind.release_static_default()


@pytest.mark.fault("R12")
def test_one_static_default_for_many_threads() -> None:
    found: list[ClientBootstrap] = []
    barrier = threading.Barrier(16)

    def ask() -> None:
        barrier.wait()
        found.append(ClientBootstrap.get_or_create_static_default())

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(map(id, found))) == 1


@pytest.mark.fault("R12")
def test_storm_of_groups() -> None:
    events: list[threading.Event] = []
    failures: list[BaseException] = []

    def storm() -> None:
        try:
            for number in range(25):
                group = EventLoopGroup(1 + number % 3)
                bootstrap = ClientBootstrap(group, DefaultHostResolver(group))
                events.extend((group.shutdown_event, bootstrap.shutdown_event))
                del group, bootstrap
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=storm) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(events) == 16 * 25 * 2
    assert all(event.wait(WAIT_SEC) for event in events)


@pytest.mark.fault("R12")
def test_out_of_descriptors(run_python: RunPython) -> None:
    """Creation fails with an error, what runs goes on, and after a release there is room again."""
    result = run_python(
        """
import resource, threading
from awscrt.io import EventLoopGroup
from awscrt.exceptions import AwsCrtError
EventLoopGroup(1)
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
groups = []
try:
    while True:
        groups.append(EventLoopGroup(3))
except RuntimeError as error:
    assert isinstance(error, AwsCrtError) and error.name == "AWS_ERROR_SYS_CALL_FAILURE", error
assert 5 <= len(groups) <= 11, len(groups)
events = [group.shutdown_event for group in groups]
groups.clear()
assert all(event.wait(30) for event in events)
assert EventLoopGroup(3).shutdown_event.wait(30)
print("done")
""",
        timeout=120,
    )
    assert (result.returncode, result.stdout) == (0, "done\n"), result.stderr


@pytest.mark.fault("R12", "R17")
def test_out_of_address_space_for_threads(run_python: RunPython) -> None:
    result = run_python(
        """
import resource
from awscrt.io import EventLoopGroup
from awscrt.exceptions import AwsCrtError
EventLoopGroup(1).shutdown_event.wait(30)
with open("/proc/self/statm") as statm:
    used = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (200 << 20), resource.RLIM_INFINITY))
try:
    EventLoopGroup(100)
except MemoryError:
    print("refused")
except RuntimeError as error:
    assert isinstance(error, AwsCrtError), error
    print("refused")
resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
assert EventLoopGroup(2).shutdown_event.wait(30)
print("done")
""",
        timeout=120,
    )
    assert (result.returncode, result.stdout) == (0, "refused\ndone\n"), result.stderr


@pytest.mark.fault("R13")
def test_cycle_through_a_group_is_freed() -> None:
    class Owner:
        def __init__(self) -> None:
            self.group = EventLoopGroup(1)
            self.bootstrap = ClientBootstrap(self.group, DefaultHostResolver(self.group))
            self.myself = self

    owner = Owner()
    event, gone = owner.group.shutdown_event, weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None
    assert event.wait(WAIT_SEC)


@pytest.mark.fault("R13")
def test_last_reference_dropped_by_the_shutdown_callback_of_another() -> None:
    """The event of a bootstrap is set on a thread of the runtime; whoever it wakes may drop the group there and then."""
    first, second = EventLoopGroup(1), EventLoopGroup(1)
    second_event = second.shutdown_event
    holder = [second]

    class Event(threading.Event):
        def set(self) -> None:
            holder.clear()
            super().set()

    event = Event()
    binding = _awscrt.event_loop_group_new(1, None, event.set)
    del second, binding
    assert event.wait(WAIT_SEC)
    assert second_event.wait(WAIT_SEC)
    del first


@pytest.mark.fault("R13")
@pytest.mark.parametrize("kind", [EventLoopGroup, ClientBootstrap])
def test_callback_is_called_once_and_dropped(kind: type[object]) -> None:
    calls: list[int] = []
    done = threading.Event()

    class Callback:
        def __call__(self) -> None:
            calls.append(threading.get_ident())
            done.set()

    callback = Callback()
    gone = weakref.ref(callback)
    group = EventLoopGroup(1)
    binding = (
        _awscrt.event_loop_group_new(1, None, callback)
        if kind is EventLoopGroup
        else _awscrt.client_bootstrap_new(group, DefaultHostResolver(group), callback)
    )
    del callback
    assert gone() is not None
    del binding
    assert done.wait(WAIT_SEC)
    end = time.monotonic() + WAIT_SEC
    while gone() is not None and time.monotonic() < end:
        time.sleep(0.001)
    assert gone() is None
    assert len(calls) == 1


@pytest.mark.fault("R13")
@needs_processor_groups
def test_callback_of_what_was_never_made_is_dropped() -> None:
    class Callback:
        def __call__(self) -> None:
            raise AssertionError("there was nothing to shut down")

    callback = Callback()
    gone = weakref.ref(callback)
    with pytest.raises(RuntimeError):
        _awscrt.event_loop_group_new(1, 60000, callback)
    del callback
    assert gone() is None


@pytest.mark.fault("R10")
def test_callback_that_raises_is_reported_and_harmless(monkeypatch: pytest.MonkeyPatch) -> None:
    reported: list[BaseException] = []
    done = threading.Event()

    def hook(unraisable: object) -> None:
        reported.append(unraisable.exc_value)  # type: ignore[attr-defined]
        done.set()

    def fail() -> None:
        raise KeyError("mine")

    monkeypatch.setattr(sys, "unraisablehook", hook)
    binding = _awscrt.event_loop_group_new(1, None, fail)
    del binding
    assert done.wait(WAIT_SEC)
    assert [type(error) for error in reported] == [KeyError]


FORK = """
import os, sys, time
from awscrt.io import ClientBootstrap, DefaultHostResolver, EventLoopGroup
{before}
child = os.fork()
if child == 0:
    status = 1
    try:
        {inside}
        status = 0
    except BaseException as error:
        print("child:", type(error).__name__, error)
    sys.stdout.flush()
    os._exit(status)
deadline = time.monotonic() + 30
while True:
    pid, status = os.waitpid(child, os.WNOHANG)
    if pid:
        break
    if time.monotonic() > deadline:
        os.kill(child, 9)
        os.waitpid(child, 0)
        sys.exit("the child hangs")
    time.sleep(0.005)
print("status", os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status))
"""


def forked(run_python: RunPython, before: str, inside: str) -> CompletedProcess[str]:
    # CPython itself warns of a fork among threads; here it is the subject.
    return run_python(
        FORK.format(before=before, inside=inside.replace("\n", "\n        ")),
        env={"PYTHONWARNINGS": "ignore::DeprecationWarning"},
    )


@pytest.mark.fault("R08")
def test_group_of_the_parent_is_refused_in_a_child(run_python: RunPython) -> None:
    result = forked(
        run_python,
        "group = EventLoopGroup(1)",
        """
start = time.monotonic()
try:
    DefaultHostResolver(group)
except RuntimeError as error:
    assert "fork" in str(error), error
else:
    raise AssertionError("not refused")
assert time.monotonic() - start < 5
del group""",
    )
    assert result.stdout == "status 0\n", result.stdout + result.stderr


@pytest.mark.fault("R08")
def test_static_defaults_are_made_anew_in_a_child(run_python: RunPython) -> None:
    result = forked(
        run_python,
        "parent = ClientBootstrap.get_or_create_static_default()",
        """
bootstrap = ClientBootstrap.get_or_create_static_default()
assert bootstrap is not parent
group = EventLoopGroup.get_or_create_static_default()
event = group.shutdown_event
del bootstrap, group
for kind in (ClientBootstrap, DefaultHostResolver, EventLoopGroup):
    kind.release_static_default()
assert event.wait(20)""",
    )
    assert result.stdout == "status 0\n", result.stdout + result.stderr


@pytest.mark.fault("R08")
def test_fork_while_another_thread_makes_the_static_default(run_python: RunPython) -> None:
    """The lock of the default may be held by a thread that is not in the child."""
    result = forked(
        run_python,
        """
import threading, awscrt._event_loop as inner
ClientBootstrap.get_or_create_static_default()
inner._default_client_bootstrap._lock.acquire()
inner._default_event_loop_group._lock.acquire()""",
        "ClientBootstrap.get_or_create_static_default()",
    )
    assert result.stdout == "status 0\n", result.stdout + result.stderr


@pytest.mark.fault("R09")
@pytest.mark.parametrize(
    "script",
    [
        "kept = EventLoopGroup(2)",
        "kept = ClientBootstrap.get_or_create_static_default()",
        "group = EventLoopGroup(1); kept = [ClientBootstrap(group, DefaultHostResolver(group))]; kept.append(kept)",
        "for _ in range(20): EventLoopGroup(1)",
        "import threading; threading.Thread(target=lambda: [EventLoopGroup(1) for _ in range(20)]).start()",
        "import sys; sys.kept = EventLoopGroup(1); sys.modules['kept'] = sys.kept",
        "import atexit; kept = EventLoopGroup(1); atexit.register(lambda: globals().clear())",
    ],
)
def test_interpreter_exits_with_live_groups(run_python: RunPython, script: str) -> None:
    names = "ClientBootstrap, DefaultHostResolver, EventLoopGroup"
    result = run_python(f"from awscrt.io import {names}\n{script}\n", timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
