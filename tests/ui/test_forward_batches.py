"""Forward passes of many threads in one batch: every thread gets the scores of its input."""

import threading
import time
from typing import ClassVar

import numpy as np
import pytest
import torch

import camviz
from camviz import CamvizError
from camviz.images import decode_image
from camviz.tape import forward
from camviz.ui.inputs.experiment import Experiment, predict
from camviz.ui.inputs.image_input import InputImage
from camviz.ui.results import explanations
from camviz.ui.server.forward_batches import ForwardBatches, forward_batches
from camviz.ui.server.singletons import clear_singletons
from tests.models.nets import SIDE, Small, images, load

THREADS = 30


class Slow(Small):
    """A pass takes 5 ms, so that other requests arrive meanwhile; `sizes` records the batches."""

    sizes: ClassVar[list[int]] = []  # of the class: a network with other attributes is another one, and is planned anew

    def forward(self, x):
        time.sleep(0.005)
        self.sizes.append(len(x))
        return super().forward(x)


def run_in_threads(*works) -> list:
    """Run functions in separate threads; return what each returned or raised."""
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
def test_threads_get_the_scores_of_their_inputs(kind) -> None:
    model, batches = load(Slow(kind)), ForwardBatches(8)
    xs = inputs(2 * THREADS)
    expected = [alone(model, x) for x in xs]
    model.net.sizes.clear()

    def ask(thread):
        return [batches.scores(model, xs[place]) for place in (thread, thread + THREADS)]

    found = run_in_threads(*(lambda thread=thread: ask(thread) for thread in range(THREADS)))
    for thread, scores in enumerate(found):
        for place, row in zip((thread, thread + THREADS), scores, strict=True):
            torch.testing.assert_close(row, expected[place], rtol=0, atol=1e-5)
    assert not batches._lines
    if kind == "":
        assert max(model.net.sizes) == 8 and len(model.net.sizes) < THREADS
    else:
        assert set(model.net.sizes[20:]) == {1}


def test_models_and_sizes_are_batched_separately() -> None:
    models, batches = [load(Slow()), load(Slow("view"), categories=("a", "b", "c", "d"))], ForwardBatches()
    calls = [(model, x) for model in models for x in [*inputs(5), *torch.randn(5, 3, SIDE, SIDE + 8).split(1)]]
    found = run_in_threads(*(lambda one=one: batches.scores(*one) for one in calls))
    for (model, x), scores in zip(calls, found, strict=True):
        torch.testing.assert_close(scores, alone(model, x), rtol=0, atol=1e-5)


def test_error_reaches_only_its_thread() -> None:
    model, batches = load(Slow()), ForwardBatches()
    xs = inputs(12)
    for broken in (3, 7):
        xs[broken] = torch.full_like(xs[broken], torch.nan)
    found = run_in_threads(*(lambda x=x: batches.scores(model, x) for x in xs))
    for place, (x, scores) in enumerate(zip(xs, found, strict=True)):
        if place in (3, 7):
            assert isinstance(scores, CamvizError) and "nan" in str(scores)
        else:
            torch.testing.assert_close(scores, alone(model, x), rtol=0, atol=1e-5)
    assert not batches._lines
    with pytest.raises(CamvizError, match="single inputs"):
        batches.scores(model, torch.cat(xs))


class Rerun(BaseException):
    """A rerun of the page."""


def test_interrupted_threads_do_not_stop_the_others() -> None:
    """Neither a waiting thread, nor one that is interrupted while it computes for others."""
    model, batches = load(Slow()), ForwardBatches(4)
    xs, interrupted = inputs(16), threading.Event()
    expected = [alone(model, x) for x in xs]
    net, usual = model.net, model.net.pooled

    def once_interrupted(x):
        if not interrupted.is_set() and len(x) > 1:
            interrupted.set()
            raise Rerun
        return usual(x)

    net.pooled = once_interrupted

    def leave():
        raise Rerun

    def ask(place):
        if place < 2:
            time.sleep(0.003)
            return batches.scores(model, xs[place], leave)
        return batches.scores(model, xs[place])

    batches._lines.clear()
    found = run_in_threads(*(lambda place=place: ask(place) for place in range(16)))
    left = [place for place, one in enumerate(found) if isinstance(one, Rerun)]
    assert interrupted.is_set() and 1 <= len(left) <= 3
    for place in set(range(16)) - set(left):
        torch.testing.assert_close(found[place], expected[place], rtol=0, atol=1e-5)
    assert not batches._lines


def test_single_request_is_run_at_once() -> None:
    model = load(Slow())
    batches = forward_batches()
    assert batches is forward_batches()
    (x,) = inputs(1)
    assert torch.equal(batches.scores(model, x), alone(model, x))


def test_predictions_of_different_images_share_passes() -> None:
    model = load(Slow())
    decoded = [decode_image(image) for image in images(THREADS)]
    expected = [model.predict(image) for image in decoded]
    run_in_threads(
        *(lambda x=x: forward_batches().scores(model, x) for x in inputs(THREADS))
    )  # finds out that batches are right
    clear_singletons()
    model.net.sizes.clear()

    def ask(image):
        return predict(model, image, "crop", map_follows=False)

    found = run_in_threads(*(lambda image=image: ask(image) for image in decoded))
    passes = list(model.net.sizes)
    assert len(passes) < THREADS / 2 and sum(passes) == THREADS
    for ours, theirs in zip(found, expected, strict=True):
        assert [one.index for one in ours] == [one.index for one in theirs]
        assert [one.probability for one in ours] == pytest.approx([one.probability for one in theirs], abs=1e-5)
    again = run_in_threads(*(lambda: ask(decoded[0]) for _ in range(5)), lambda: predict(model, decoded[0], "crop"))
    assert again == [found[0]] * 6 and model.net.sizes == passes


def test_prediction_before_a_heatmap_has_its_own_pass() -> None:
    """The heatmap is then bit-identical to a single user's, and needs no other pass."""
    model, method = load(Slow()), camviz.METHODS["grad_cam"]
    decoded = [decode_image(image) for image in images(6)]
    expected = [camviz.explain(model, image, "grad_cam").attribution for image in decoded]
    clear_singletons()
    model.net.sizes.clear()

    def ask(image):
        one = Experiment(InputImage("sha:own", image), model, (model.default_layer,), "crop")
        return explanations.compute(one.question(method)).attribution

    found = run_in_threads(*(lambda image=image: ask(image) for image in decoded))
    assert model.net.sizes == [1] * 6
    assert all(np.array_equal(ours, theirs) for ours, theirs in zip(found, expected, strict=True))
