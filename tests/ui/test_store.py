"""The server's result store and compute queue, with real threads."""

import threading
import time
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from camviz.ui.server.queue import ComputeQueue
from camviz.ui.server.store import MAX_DURATIONS, SMALLEST, Store, size_of


@dataclass
class Result:
    attribution: np.ndarray
    view: np.ndarray


def result(size: int) -> Result:
    return Result(np.zeros(size, np.uint8), np.zeros(0, np.uint8))


def test_store_drops_the_least_recently_used_results() -> None:
    store = Store(limit=3 * (SMALLEST + 30))
    for key in "abc":
        store.put(key, result(30))
    assert store.get("a") is not None
    store.put("d", result(30))
    assert [key for key in "abcd" if store.get(key) is not None] == ["a", "c", "d"]
    store.put("a", result(30))  # again: it counts once
    assert [key for key in "acd" if store.get(key) is not None] == ["a", "c", "d"]
    store.put("e", {"one": [result(2000)], "two": b"12", "three": torch.zeros(3)})
    assert [key for key in "acde" if store.get(key) is not None] == ["e"]


def test_size_of_counts_nested_contents() -> None:
    held = {"one": [result(2000), (b"12", "345")], "two": torch.zeros(3), "three": None}
    assert size_of(held) == 2000 + 2 + 3 + 12 + len("onetwothree")


def test_number_of_stored_estimates_is_limited() -> None:
    kept = Store()
    for number in range(MAX_DURATIONS + 10):
        kept.seconds(number, lambda: 1.0)
    assert len(kept._seconds) == MAX_DURATIONS
    assert kept.seconds(0, lambda: 2.0) == 2.0  # gone, and measured again


def test_estimate_is_corrected_by_measured_durations() -> None:
    kept = Store()
    kept.took("Score-CAM", 3.0)
    assert kept.seconds("Score-CAM", lambda: 73.0) == 73.0
    kept.took("Score-CAM", 6.0)
    kept.took("Score-CAM", 7.0)
    assert kept.seconds("Score-CAM", lambda: 73.0) == 7.0
    kept.took("Score-CAM", 100.0)
    assert kept.seconds("Score-CAM", lambda: 73.0) == 10.5


def test_key_is_computed_once_while_others_wait() -> None:
    store, computed, waited = Store(), [], []

    def work() -> None:
        with store.claim("key", waited.append):
            if store.get("key") is None:
                time.sleep(0.3)
                computed.append(1)
                store.put("key", result(1))

    threads = [threading.Thread(target=work) for _ in range(5)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert computed == [1] and waited


def test_queue_runs_one_at_a_time_in_order() -> None:
    turns, order, inside = ComputeQueue(), [], []

    def work(name: int) -> None:
        with turns.turn(lambda _: None):
            inside.append(name)
            assert len(inside) == 1
            time.sleep(0.02)
            order.append(inside.pop())

    threads = [threading.Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
        time.sleep(0.01)
    [thread.join() for thread in threads]
    assert order == list(range(6))


def test_long_computation_yields_to_a_short_one() -> None:
    turns, log = ComputeQueue(), []

    def long() -> None:
        with turns.turn(lambda _: None) as let_others:
            for step in range(5):
                time.sleep(0.05)
                log.append(f"long {step}")
                let_others()

    def short() -> None:
        with turns.turn(lambda _: None):
            log.append("short")

    first, second = threading.Thread(target=long), threading.Thread(target=short)
    first.start()
    time.sleep(0.02)
    second.start()
    first.join()
    second.join()
    assert log.index("short") < log.index("long 2")


def test_canceled_wait_leaves_the_queue() -> None:
    turns = ComputeQueue()

    class Cancel(BaseException):
        pass

    def cancel(before: int) -> None:
        assert before == 1
        raise Cancel

    def give_up() -> None:
        with pytest.raises(Cancel), turns.turn(cancel):
            raise AssertionError("it was not its turn")

    with turns.turn(lambda _: None):
        other = threading.Thread(target=give_up)
        other.start()
        other.join(5)
        assert not other.is_alive()
    with turns.turn(lambda _: None):
        pass


def test_new_request_precedes_those_that_had_a_turn() -> None:
    turns, log, begun = ComputeQueue(), [], threading.Barrier(4)

    def long(name: int) -> None:
        with turns.turn(lambda _: None) as let_others:
            for _ in range(6):
                time.sleep(0.03)
                log.append(name)
                let_others()

    def short() -> None:
        begun.wait()
        time.sleep(0.2)  # all three long ones have had a turn
        arrived.append(len(log))
        with turns.turn(lambda _: None):
            log.append("short")

    def start(name: int) -> None:
        begun.wait()
        long(name)

    arrived: list[int] = []
    threads = [threading.Thread(target=start, args=(name,)) for name in range(3)] + [threading.Thread(target=short)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert arrived[0] >= 3 and log.index("short") - arrived[0] <= 1  # only the one that was at it went before
    assert len(log) == 19
