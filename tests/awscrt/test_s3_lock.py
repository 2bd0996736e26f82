"""Owns the tests of locks between processes."""

from __future__ import annotations

import gc
import os
import uuid

import pytest

from awscrt.exceptions import AwsCrtError
from awscrt.s3 import CrossProcessLock

FOLDER = "/tmp/aws_crt_cross_process_lock"  # noqa: S108 - the library's own


@pytest.fixture
def name():
    chosen = f"awscrt-test-{uuid.uuid4()}"
    yield chosen
    os.unlink(f"{FOLDER}/{chosen}.lock")


def is_free(name):
    try:
        with CrossProcessLock(name):
            return True
    except RuntimeError:
        return False


def test_one_holder_at_a_time(name):
    assert is_free(name)
    with CrossProcessLock(name) as lock:
        assert isinstance(lock, CrossProcessLock)
        assert not is_free(name)
        with pytest.raises(AwsCrtError) as caught:
            CrossProcessLock(name).acquire()
        assert caught.value.name == "AWS_ERROR_MUTEX_CALLER_NOT_OWNER"
    assert is_free(name)


def test_locks_of_other_names_are_free(name):
    with CrossProcessLock(name), CrossProcessLock(name + "-other"):
        pass
    os.unlink(f"{FOLDER}/{name}-other.lock")


@pytest.mark.fault("R11")
def test_acquire_and_release_twice(name):
    lock = CrossProcessLock(name)
    lock.release()
    for _ in range(2):
        lock.acquire()
        lock.acquire()
        assert not is_free(name)
        lock.release()
        lock.release()
        assert is_free(name)


def test_given_back_when_it_is_dropped(name):
    lock = CrossProcessLock(name)
    lock.acquire()
    del lock
    gc.collect()
    assert is_free(name)


def test_given_back_by_an_exception(name):
    with pytest.raises(KeyError), CrossProcessLock(name):
        raise KeyError
    assert is_free(name)


def test_among_processes(name, run_python):
    ask = f"""
        from awscrt.s3 import CrossProcessLock
        try:
            CrossProcessLock({name!r}).acquire()
        except RuntimeError:
            print("taken")
        else:
            print("free")
    """
    with CrossProcessLock(name):
        assert run_python(ask).stdout == "taken\n"
    assert run_python(ask).stdout == "free\n"
    assert is_free(name)


@pytest.mark.fault("R08")
def test_forked_child_takes_nothing_from_its_parent(name, run_python):
    with CrossProcessLock(name):
        pass
    run_python(
        f"""
        import os
        from awscrt.s3 import CrossProcessLock
        def is_free():
            try:
                CrossProcessLock({name!r}).acquire()
            except RuntimeError:
                return False
            return True
        lock = CrossProcessLock({name!r})
        lock.acquire()
        released, over = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            lock.release()
            os.write(released[1], b"x")
            os.read(over[0], 1)
            os._exit(0)
        os.read(released[0], 1)
        assert not is_free()
        lock.release()
        assert is_free()
        os.write(over[1], b"x")
        assert os.waitpid(child, 0)[1] == 0
        """
    )


@pytest.mark.parametrize("wrong", ["a/b", "../a", "a\0b", "x" * 300])
def test_names_that_are_none(wrong):
    with pytest.raises(RuntimeError):
        CrossProcessLock(wrong).acquire()


@pytest.mark.parametrize("wrong", [None, 3, ["x"]])
def test_wrong_type(wrong):
    with pytest.raises(TypeError, match="lock_scope_name"):
        CrossProcessLock(wrong)
