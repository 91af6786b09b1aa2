"""Recording of intermediate values: on request, per thread, and without cost otherwise."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from timeit import timeit

import pytest

from camviz.runtime.steps import record_step, recording_steps


def squared(numbers):
    for number in numbers:
        record_step(number=number, square=number**2)
    record_step(total=sum(number**2 for number in numbers))


def test_steps_are_recorded_in_order_with_their_names():
    with recording_steps() as steps:
        squared([2, 3])
    assert steps == [{"number": 2, "square": 4}, {"number": 3, "square": 9}, {"total": 13}]


def test_values_are_kept_without_a_copy():
    value = object()
    with recording_steps() as steps:
        record_step(value=value)
    assert steps[0]["value"] is value


def test_nothing_is_recorded_outside_a_recording():
    squared([1])
    with recording_steps() as steps:
        pass
    squared([1])
    assert steps == []


def test_innermost_recording_receives_the_steps():
    with recording_steps() as outer:
        record_step(place="before")
        with recording_steps() as inner:
            record_step(place="inside")
        record_step(place="after")
    assert [step["place"] for step in outer] == ["before", "after"]
    assert inner == [{"place": "inside"}]


def test_error_ends_the_recording():
    with pytest.raises(ZeroDivisionError), recording_steps() as steps:
        record_step(before=1)
        record_step(never=1 / 0)
    record_step(after=1)
    assert steps == [{"before": 1}]


def test_every_thread_records_its_own_steps():
    together = Barrier(8)

    def recorded(number):
        together.wait()
        with recording_steps() as steps:
            for step in range(200):
                record_step(value=(number, step))
                squared([])  # gives another thread its turn
        return [step["value"] for step in steps if "value" in step]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(recorded, range(8)))
    assert found == [[(number, step) for step in range(200)] for number in range(8)]


def test_thread_does_not_record_for_another():
    with recording_steps() as steps, ThreadPoolExecutor(1) as pool:
        pool.submit(squared, [1]).result()
    assert steps == []


def test_step_without_recording_takes_less_than_10_us():
    assert min(timeit(lambda: record_step(a=1, b=2), number=1000) for _ in range(5)) / 1000 < 1e-5
