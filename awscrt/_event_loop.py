"""Owns what connections are made with: event loop groups, host resolvers and client bootstraps."""

from __future__ import annotations

import operator
import os
import threading

from . import NativeResource, _awscrt

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Optional

_MAX_THREADS = 0xFFFF
"""`aws_event_loop_group_options.loop_count` and `cpu_group` are 16-bit numbers."""


class _StaticDefault:
    """One instance for a whole process, made when first asked for and forgotten in a forked child."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._value: Any = None
        self._lock = threading.Lock()
        self._watches_fork = False

    def get(self) -> Any:
        with self._lock:
            if self._value is None:
                if not self._watches_fork and hasattr(os, "register_at_fork"):
                    os.register_at_fork(after_in_child=self._forget_in_child)
                self._watches_fork = True
                self._value = self._make()
            return self._value

    def release(self) -> None:
        with self._lock:
            self._value = None

    def _forget_in_child(self) -> None:
        # A thread that is not in the child may have held the lock.
        self._lock = threading.Lock()
        self._value = None


class EventLoopGroup(NativeResource):
    """Threads that do the work of sockets and timers; connections are spread over them.

    All native callbacks of a connection run on one thread of its group. The threads run until the group and
    everything made with it is released; nothing waits for that in the releasing thread.

    Args:
        num_threads: Number of threads, 0 to 65535. `None` and 0 mean one for each pair of processors.
        cpu_group: Index of the processor group (NUMA node) whose cores the threads are bound to, hyper-threads left
            out, so that fewer than `num_threads` may run. `None` leaves the placement to the system.

    Attributes:
        shutdown_event (threading.Event): Set on a native thread after the group is released and its last thread has
            ended.

    Raises:
        ValueError: A number is out of range.
        RuntimeError: (an `AwsCrtError`) The system refuses a descriptor or a thread, or has no such processor group.
    """

    __slots__ = ("shutdown_event",)

    shutdown_event: threading.Event

    def __init__(self, num_threads: Optional[int] = None, cpu_group: Optional[int] = None) -> None:
        super().__init__()
        threads = 0 if num_threads is None else num_threads
        _check_range("num_threads", threads, 0, _MAX_THREADS)
        if cpu_group is not None:
            _check_range("cpu_group", cpu_group, 0, _MAX_THREADS)
        self.shutdown_event = threading.Event()
        self._binding = _awscrt.event_loop_group_new(threads, cpu_group, self.shutdown_event.set)

    @staticmethod
    def get_or_create_static_default() -> EventLoopGroup:
        """The group that is shared by all that name none; made when first asked for.

        Raises:
            RuntimeError: As the constructor does.
        """
        shared: EventLoopGroup = _default_event_loop_group.get()
        return shared

    @staticmethod
    def release_static_default() -> None:
        """Give up the shared group; it ends with its last user. The next request makes another."""
        _default_event_loop_group.release()


class HostResolverBase(NativeResource):
    """Base of the objects that turn a host name into addresses."""

    __slots__ = ()


class DefaultHostResolver(HostResolverBase):
    """A resolver that asks the system (`getaddrinfo`) on threads of its own and caches what it learns.

    Args:
        event_loop_group: The group on whose threads answers are handed over.
        max_hosts: Number of host names that the cache has room for at first, greater than 0.

    Raises:
        TypeError: `event_loop_group` is not an `EventLoopGroup`.
        ValueError: `max_hosts` is less than 1.
    """

    __slots__ = ()

    def __init__(self, event_loop_group: EventLoopGroup, max_hosts: int = 16) -> None:
        super().__init__()
        _check_type("event_loop_group", event_loop_group, EventLoopGroup)
        if operator.index(max_hosts) < 1:
            raise ValueError("max_hosts must be greater than 0")
        self._binding = _awscrt.host_resolver_new_default(max_hosts, event_loop_group)

    @staticmethod
    def get_or_create_static_default() -> DefaultHostResolver:
        """The resolver that is shared by all that name none, on the shared event loop group."""
        shared: DefaultHostResolver = _default_host_resolver.get()
        return shared

    @staticmethod
    def release_static_default() -> None:
        """Give up the shared resolver; it ends with its last user. The next request makes another."""
        _default_host_resolver.release()


class ClientBootstrap(NativeResource):
    """What a client needs to open connections: threads to run them on and a way to resolve names.

    It keeps both alive for as long as it lives.

    Args:
        event_loop_group: The group whose threads new connections are given to.
        host_resolver: The resolver that finds their addresses.

    Attributes:
        shutdown_event (threading.Event): Set on a native thread after the bootstrap is released and the last
            connection made with it has ended.

    Raises:
        TypeError: An argument is of another type.
    """

    __slots__ = ("shutdown_event",)

    shutdown_event: threading.Event

    def __init__(self, event_loop_group: EventLoopGroup, host_resolver: HostResolverBase) -> None:
        super().__init__()
        _check_type("event_loop_group", event_loop_group, EventLoopGroup)
        _check_type("host_resolver", host_resolver, HostResolverBase)
        self.shutdown_event = threading.Event()
        self._binding = _awscrt.client_bootstrap_new(event_loop_group, host_resolver, self.shutdown_event.set)

    @staticmethod
    def get_or_create_static_default() -> ClientBootstrap:
        """The bootstrap that is shared by all that name none, on the shared group and resolver."""
        shared: ClientBootstrap = _default_client_bootstrap.get()
        return shared

    @staticmethod
    def release_static_default() -> None:
        """Give up the shared bootstrap; it ends with its last user. The next request makes another."""
        _default_client_bootstrap.release()


def _check_type(name: str, value: object, wanted: type) -> None:
    if not isinstance(value, wanted):
        raise TypeError(f"{name} must be {wanted.__name__}, not {type(value).__name__}")


def _check_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= operator.index(value) <= high:
        raise ValueError(f"{name} must be from {low} to {high}, not {value}")


def _make_default_resolver() -> DefaultHostResolver:
    return DefaultHostResolver(EventLoopGroup.get_or_create_static_default())


def _make_default_bootstrap() -> ClientBootstrap:
    return ClientBootstrap(
        EventLoopGroup.get_or_create_static_default(), DefaultHostResolver.get_or_create_static_default()
    )


_default_event_loop_group = _StaticDefault(EventLoopGroup)
_default_host_resolver = _StaticDefault(_make_default_resolver)
_default_client_bootstrap = _StaticDefault(_make_default_bootstrap)

# They are part of `awscrt.io`, which is where a pickle, a traceback or a reader looks for them.
for _class in (EventLoopGroup, HostResolverBase, DefaultHostResolver, ClientBootstrap):
    _class.__module__ = "awscrt.io"
