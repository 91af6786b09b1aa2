"""Forward passes of many threads in one batch: every answer is the asker's own."""

import threading
import time

import pytest
import torch

from camviz import CamvizError
from camviz.tape import forward
from camviz.ui.server.forward_batches import ForwardBatches, forward_batches
from tests.models.nets import SIDE, Small, load

THREADS = 30


class Slow(Small):
    """A pass takes 5 ms, so that others ask meanwhile; counts its passes and the largest batch."""

    def __init__(self, kind: str = "") -> None:
        super().__init__(kind)
        self.sizes: list[int] = []

    def forward(self, x):
        time.sleep(0.005)
        self.sizes.append(len(x))
        return super().forward(x)


def at_once(*works) -> list:
    """Run functions in threads of their own; return what each returned or raised."""
    found = [None] * len(works)
    together = threading.Barrier(len(works))

    def run(place, work):
        together.wait()
        try:
            found[place] = work()
        except BaseException as error:  # noqa: BLE001  # returned
            found[place] = error

    threads = [threading.Thread(target=run, args=one, daemon=True) for one in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return found


def inputs(count: int) -> list[torch.Tensor]:
    return list(torch.randn(count, 3, SIDE, SIDE).split(1))


def alone(model, x):
    with model.running(), torch.no_grad():
        return forward(model.net, x)


@pytest.mark.parametrize("kind", ["", "norm", "mean", "first", "noise"])
def test_thirty_threads_get_their_own_answers(kind) -> None:
    model, batches = load(Slow(kind)), ForwardBatches(8)
    xs = inputs(2 * THREADS)
    expected = [alone(model, x) for x in xs]
    model.net.sizes.clear()

    def ask(thread):
        return [batches.scores(model, xs[place]) for place in (thread, thread + THREADS)]

    found = at_once(*(lambda thread=thread: ask(thread) for thread in range(THREADS)))
    for thread, scores in enumerate(found):
        for place, row in zip((thread, thread + THREADS), scores, strict=True):
            torch.testing.assert_close(row, expected[place], rtol=0, atol=1e-5)
    assert not batches._lines
    if kind == "":
        assert max(model.net.sizes) == 8 and len(model.net.sizes) < THREADS
    else:
        assert set(model.net.sizes[20:]) == {1}


def test_models_and_sizes_do_not_mix() -> None:
    models, batches = [load(Slow()), load(Slow("view"), categories=("a", "b", "c", "d"))], ForwardBatches()
    asked = [(model, x) for model in models for x in [*inputs(5), *torch.randn(5, 3, SIDE, SIDE + 8).split(1)]]
    found = at_once(*(lambda one=one: batches.scores(*one) for one in asked))
    for (model, x), scores in zip(asked, found, strict=True):
        torch.testing.assert_close(scores, alone(model, x), rtol=0, atol=1e-5)


def test_an_error_reaches_only_its_asker() -> None:
    model, batches = load(Slow()), ForwardBatches()
    xs = inputs(12)
    for broken in (3, 7):
        xs[broken] = torch.full_like(xs[broken], torch.nan)
    found = at_once(*(lambda x=x: batches.scores(model, x) for x in xs))
    for place, (x, scores) in enumerate(zip(xs, found, strict=True)):
        if place in (3, 7):
            assert isinstance(scores, CamvizError) and "nan" in str(scores)
        else:
            torch.testing.assert_close(scores, alone(model, x), rtol=0, atol=1e-5)
    assert not batches._lines
    with pytest.raises(CamvizError, match="single inputs"):
        batches.scores(model, torch.cat(xs))


class Leave(BaseException):
    """A rerun of the page."""


def test_who_leaves_does_not_stop_the_others() -> None:
    """Neither one that waits, nor one that is interrupted while it computes for others."""
    model, batches = load(Slow()), ForwardBatches(4)
    xs, interrupted = inputs(16), threading.Event()
    expected = [alone(model, x) for x in xs]
    net, usual = model.net, model.net.pooled

    def once_interrupted(x):
        if not interrupted.is_set() and len(x) > 1:
            interrupted.set()
            raise Leave
        return usual(x)

    net.pooled = once_interrupted

    def leave():
        raise Leave

    def ask(place):
        if place < 2:
            time.sleep(0.003)
            return batches.scores(model, xs[place], leave)
        return batches.scores(model, xs[place])

    batches._lines.clear()
    found = at_once(*(lambda place=place: ask(place) for place in range(16)))
    left = [place for place, one in enumerate(found) if isinstance(one, Leave)]
    assert interrupted.is_set() and 1 <= len(left) <= 3
    for place in set(range(16)) - set(left):
        torch.testing.assert_close(found[place], expected[place], rtol=0, atol=1e-5)
    assert not batches._lines


def test_one_asker_does_not_wait_for_company() -> None:
    model = load(Slow())
    batches = forward_batches()
    assert batches is forward_batches()
    (x,) = inputs(1)
    assert torch.equal(batches.scores(model, x), alone(model, x))
