"""The limitations of each method, demonstrated on the selected image."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st
import torch
from numpy.typing import NDArray

from ... import encode, render
from ...errors import CamvizError
from ...evaluation.rank_correlation import rank_correlation
from ...evaluation.registry import METRICS
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...messages import Message
from ...registry import METHODS
from ...tape import forward
from ..inputs.experiment import Experiment
from ..results import cost, explanations, metrics
from ..server import tasks
from ..server.queue import ReportProgress, compute_queue
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from ..widgets import tiles

STAGES = 4  # of the randomization test here; the page Evaluate uses more


@dataclass(frozen=True)
class Variant:
    """One heatmap of a demonstration."""

    title: str
    experiment: Experiment
    method: str
    knobs: Mapping[str, Any]

    @property
    def question(self) -> Question:
        """Return the question for the heatmap. Raises CamvizError if it cannot be asked here."""
        method = METHODS[self.method]
        return self.experiment.question(method, method.settings(dict(self.knobs)))


Variants = Callable[[Experiment], Sequence[Variant]]


@dataclass(frozen=True)
class FailureMode:
    """A limitation: what to look at, and the heatmaps that show it; the first is the reference."""

    title: str
    sentence: str
    variants: Variants


@dataclass(frozen=True)
class RandomizationTest:
    """A limitation that the randomization test shows: one row of heatmaps for each of these methods."""

    title: str
    sentence: str
    methods: tuple[str, ...]


def draw(method: str, experiment: Experiment) -> None:
    """Draw every demonstration of a method's limitations."""
    if _comparison(method, FAILURE_MODES[method], experiment) and method in RANDOMIZATION_TESTS:
        _randomization(method, RANDOMIZATION_TESTS[method], experiment)


def _comparison(method: str, fault: FailureMode, experiment: Experiment) -> bool:
    """Show the heatmaps with their similarity to the first and their cost; return whether this is possible."""
    st.markdown(f"**{tr(fault.title)}** {tr(fault.sentence)}")
    try:
        variants = fault.variants(experiment)
        questions = [variant.question for variant in variants]
        seconds = [0.0 if explanations.known(one) else cost.explanation_seconds(one) for one in questions]
        results = tasks.run(
            f"fault.{method}",
            ("failure mode", *(one.key for one in questions)),
            sum(seconds),
            tr("Show on this image"),
            lambda report: [
                explanations.compute(one, part).result
                for one, part in zip(questions, tasks.parts_of(report, seconds), strict=True)
            ],
        )
    except CamvizError as error:
        st.info(tr("Not available for this model: {error}.", error=escaped(tr_message(error.message))))
        return False
    if results is None:
        return True
    maps = [Explanation(one, result) for one, result in zip(questions, results, strict=True)]
    grid = st.grid(max(3, len(maps)), min_column_width=150)
    for number, e in enumerate(maps):
        title = variants[number].title
        with grid.cell():
            st.image(
                encode.jpeg(_draw_heatmap(e.view, e.attribution)),
                alt=f"{title}: {tr_message(e.label)}",
                width="stretch",
            )
            spent = tr("passes: {count}, {seconds} s", count=e.forward_passes, seconds=f"{e.seconds:.2f}")
            st.caption(f"{escaped(title)}: {_describe_similarity(maps, number)}{spent}")
    return True


def _randomization(method: str, fault: RandomizationTest, experiment: Experiment) -> None:
    """Show a row of heatmaps for each method, from trained to fully randomized weights."""
    st.markdown(f"**{tr(fault.title)}** {tr(fault.sentence)}")
    metric = METRICS["randomization"]

    try:
        questions = [experiment.question(METHODS[key]) for key in fault.methods]

        def work(report: ReportProgress) -> list[list[tiles.Tile]]:
            found = []
            parts = tasks.parts_of(report, [1.0] * len(questions))
            for question, part in zip(questions, parts, strict=True):
                result = metrics.compute(question, metric, part, stages=STAGES)
                found.append(tiles.randomization_tiles(question, result, _draw_heatmap))
            return found

        images = tasks.run(
            f"randomization.{method}",
            ("randomization, side by side", *(question.key for question in questions)),
            sum(cost.metric_seconds(question, metric, (STAGES + 1) / metric.cost) for question in questions),
            tr("Run the randomization test"),
            work,
        )
    except CamvizError as error:
        st.info(tr("Not available for this model: {error}.", error=escaped(tr_message(error.message))))
        return
    for question, row in zip(questions, images or (), strict=False):
        st.caption(escaped(tr_message(question.method.title)))
        tiles.show(row)


def similarity(a: Explanation, b: Explanation) -> float:
    """Return the rank correlation of two heatmaps at the size of the image."""
    return rank_correlation(_strength(a), _strength(b))


def _describe_similarity(maps: Sequence[Explanation], number: int) -> str:
    """Describe a heatmap's similarity to the first one of its method, or to the first of all."""
    methods = [e.method for e in maps]
    first = 0 if len(set(methods)) == len(methods) else methods.index(methods[number])
    if first == number:
        return ""
    value = f"{similarity(maps[first], maps[number]):.2f}"
    if first == 0:
        return tr("rank correlation with the first {value}; ", value=value)
    return tr("rank correlation with the previous {value}; ", value=value)


def _strength(e: Explanation) -> Any:
    if e.attribution.ndim == 3:
        return np.abs(e.attribution).sum(axis=0)
    return render.upsample(e.attribution, e.view.shape[:2])


def _draw_heatmap(view: NDArray[np.uint8], attribution: NDArray[Any]) -> NDArray[np.uint8]:
    """Draw a heatmap in its usual form: lines in gray, or a region over the image."""
    if attribution.ndim == 3:
        return render.colorize(render.grayscale(attribution), "gray")
    return render.overlay(view, render.heatmap(attribution, (view.shape[0], view.shape[1])))


# ---------------------------------------------------------------------------------------------------- the limitations


def _other_class(experiment: Experiment) -> Experiment:
    """Return the experiment with the least likely class."""
    model, x = experiment.model, experiment.x
    with compute_queue().turn(lambda _: None), torch.no_grad():
        return replace(experiment, target=int(forward(model.net, x)[0].argmin()), rival=-1)


def _for_two_classes(*methods: str) -> Variants:
    def variants(experiment: Experiment) -> list[Variant]:
        other = _other_class(experiment)
        name = experiment.model.categories[other.target]
        # A class activation map is compared at the last layer, whichever layer the steps start from.
        last = (experiment.model.default_layer,) if experiment.model.default_layer else ()
        layers = {method: last if METHODS[method].layer == "required" else experiment.layers for method in methods}
        return [
            Variant(
                tr(label, method=tr_message(METHODS[method].title), label=name),
                replace(which, layers=layers[method]),
                method,
                {},
            )
            for method in methods
            for label, which in (
                (Message("{method}, this class"), experiment),
                (Message("{method}, for {label}"), other),
            )
        ]

    return variants


def _settings_of(method: str, knob: str, values: Sequence[str]) -> Variants:
    return lambda experiment: [Variant(tr_message(value), experiment, method, {knob: value}) for value in values]


def _coarse(experiment: Experiment) -> list[Variant]:
    ends: dict[int, str] = {layer.stage: layer.name for layer in experiment.model.layers if layer.main}
    early = list(ends.values())[-3:][0]
    before = replace(experiment, layers=(early,))
    return [
        Variant(tr("{method} at {layer}", method="Grad-CAM", layer=experiment.layer), experiment, "grad_cam", {}),
        Variant(tr("{method} at {layer}", method="Grad-CAM", layer=early), before, "grad_cam", {}),
        Variant(tr("{method} at {layer}", method="Layer-CAM", layer=early), before, "layer_cam", {}),
    ]


def _saturated(experiment: Experiment) -> list[Variant]:
    return [
        Variant(tr("Single gradient"), experiment, "vanilla_backprop", {}),
        Variant(tr("Gradient x input"), experiment, "gradient_x_input", {}),
        Variant(tr("Integrated gradients"), experiment, "integrated_gradients", {}),
    ]


def _costly(experiment: Experiment) -> list[Variant]:
    return [Variant(tr_message(METHODS[key].title), experiment, key, {}) for key in ("grad_cam", "score_cam")]


FAILURE_MODES: dict[str, FailureMode] = {
    "vanilla_backprop": FailureMode(
        "Saturation.",
        "Where the probability is already near 100%, more of the same pattern hardly changes the score: the gradient "
        "is small and noisy, even at the decisive pixels. Integrated gradients average over the whole path from "
        "a blank image to this one.",
        _saturated,
    ),
    "guided_backprop": FailureMode(
        "It hardly depends on the class.",
        "For the least likely class, the lines stay where they were (a correlation near 1 means the same "
        "heatmap), while the plain gradient changes.",
        _for_two_classes("guided_backprop", "vanilla_backprop"),
    ),
    "deconvnet": FailureMode(
        "From a class score, it hardly depends on the class.",
        "It shows what the model detects in the image, whichever class is explained. It was designed for single "
        "feature maps: see the page Inspect.",
        _for_two_classes("deconvnet", "grad_cam"),
    ),
    "grad_cam": FailureMode(
        "Its resolution is low.",
        "The last layer has few cells; the smooth edges between them come from upsampling. At an earlier layer "
        "with more cells, one weight for a whole feature map is too coarse, and the heatmap breaks up; "
        "Layer-CAM weights each cell on its own.",
        _coarse,
    ),
    "guided_grad_cam": FailureMode(
        "Its lines do not depend on the class.",
        "Only the region follows the class; inside it, the lines are those of guided backpropagation for every class.",
        _for_two_classes("guided_grad_cam", "guided_backprop"),
    ),
    "score_cam": FailureMode(
        "Its cost is high.",
        "It needs one forward pass for each feature map that is not constant; Grad-CAM needs one in total. The "
        "masked images are also unlike any image of the training set.",
        _costly,
    ),
    "integrated_gradients": FailureMode(
        "The baseline is a choice.",
        "Pixels equal to the baseline get no attribution. A different baseline gives a different heatmap; the "
        "first one is the reference.",
        _settings_of("integrated_gradients", "baseline", ("mean color", "darkest", "brightest")),
    ),
    "lrp": FailureMode(
        "The rules are a choice.",
        "The rule of each layer is chosen by hand and changes the heatmap.",
        _settings_of("lrp", "composite", ("epsilon-gamma-box", "epsilon-plus", "epsilon-alpha2-beta1")),
    ),
}

RANDOMIZATION_TESTS: dict[str, RandomizationTest] = {
    "guided_backprop": RandomizationTest(
        "It hardly depends on the weights.",
        "The weights of a copy of the model are randomized from the last layer to the first. The prediction is "
        "lost at the first step. The lines remain for most of the way (r near 1: the same heatmap), while "
        "Grad-CAM's region is lost much sooner. So the lines mostly follow the edges of the image, not what the "
        "model has learned.",
        ("guided_backprop", "grad_cam"),
    ),
}
