"""Owns the tests of how coroutines wait for native threads."""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import Future

import pytest

from awscrt.aio._waiting import Gate, Pieces, outcome

WAIT_SEC = 10.0


def run(coroutine):
    """Runs it, and fails if its loop has anything to complain about."""

    async def supervised():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        return await asyncio.wait_for(coroutine, WAIT_SEC)

    complaints = []
    result = asyncio.run(supervised())
    assert complaints == []
    return result


async def settled():
    for _ in range(5):
        await asyncio.sleep(0)


def in_thread(action, *arguments):
    thread = threading.Thread(target=action, args=arguments, daemon=True)
    thread.start()
    return thread


def test_gate_lets_those_pass_who_came_before_and_after():
    async def main():
        gate = Gate()
        waiting = [asyncio.ensure_future(gate.passed()) for _ in range(3)]
        await settled()
        assert not any(task.done() for task in waiting)
        in_thread(gate.open)
        await asyncio.gather(*waiting)
        await gate.passed()
        gate.open()

    run(main())


@pytest.mark.fault("R18")
def test_gate_forgets_who_gives_up():
    async def main():
        gate = Gate()
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(gate.passed(), 0.001)
        assert not gate._waiters
        gate.open()
        await gate.passed()

    run(main())


def test_pieces_come_in_the_order_in_which_they_are_asked_for():
    async def main():
        pieces = Pieces()
        tasks = [asyncio.ensure_future(pieces.take()) for _ in range(4)]
        await settled()
        pieces.put(b"1")
        late = asyncio.ensure_future(pieces.take())
        for piece in (b"2", b"3", b"4", b"5"):
            pieces.put(piece)
        pieces.end()
        assert await asyncio.gather(*tasks, late, pieces.take()) == [b"1", b"2", b"3", b"4", b"5", b""]
        assert await pieces.take() == b""

    run(main())


@pytest.mark.fault("R18")
def test_no_piece_is_lost_to_who_gives_up():
    async def main():
        pieces = Pieces()
        first, second = asyncio.ensure_future(pieces.take()), asyncio.ensure_future(pieces.take())
        await settled()
        pieces.put(b"1")  # wakes the first, which is cancelled before it runs
        first.cancel()
        pieces.put(b"2")
        assert await second == b"1"
        assert await pieces.take() == b"2"
        assert first.cancelled()

    run(main())


@pytest.mark.fault("R18")
def test_nothing_happens_where_the_loop_is_closed_meanwhile(unraisable):
    gate, pieces, future = Gate(), Pieces(), Future()
    loop = asyncio.new_event_loop()
    tasks = [loop.create_task(wait) for wait in (gate.passed(), pieces.take(), outcome(future))]
    loop.run_until_complete(settled())
    loop.close()
    with unraisable() as caught:
        gate.open()
        pieces.put(b"1")
        future.set_result(1)
    assert caught == []
    for task in tasks:
        task._log_destroy_pending = False
        task.get_coro().close()
    assert run(pieces.take()) == b"1"  # the one who waits is another, on another loop


def test_outcome_of_a_future():
    async def main():
        future = Future()
        task = asyncio.ensure_future(outcome(future))
        await settled()
        in_thread(future.set_result, "well").join()
        assert await task == "well"
        assert await outcome(future) == "well"
        failed = Future()
        failed.set_exception(KeyError("ill"))
        with pytest.raises(KeyError, match="ill"):
            await outcome(failed)

    run(main())


@pytest.mark.fault("R18")
def test_outcome_given_up_leaves_the_future_to_others():
    async def main():
        future, given_up = Future(), []
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(outcome(future, lambda: given_up.append(True)), 0.001)
        assert given_up == [True]
        assert not future.cancelled()
        future.set_result(1)
        assert await outcome(future) == 1

    run(main())


@pytest.mark.fault("R12", "R18")
def test_storm_of_threads_and_loops():
    pieces, count, taken = Pieces(), 3000, []

    async def take_all(seed):
        dice = random.Random(seed)  # noqa: S311 - it is to be the same each time
        while True:
            try:
                piece = await asyncio.wait_for(pieces.take(), dice.choice([0.0001, 0.001, WAIT_SEC]))
            except asyncio.TimeoutError:
                continue
            if not piece:
                return
            taken.append(piece)

    takers = [in_thread(asyncio.run, take_all(seed)) for seed in range(4)]
    for number in range(count):
        pieces.put(b"%d" % number)
    pieces.end()
    for thread in takers:
        thread.join(WAIT_SEC)
        assert not thread.is_alive()
    assert sorted(map(int, taken)) == list(range(count))
