"""What can go wrong with each method, shown on the present picture: the same maps anywhere, and their numbers."""

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
from ...registry import METHODS
from ...tape import forward
from ..inputs.experiment import Experiment
from ..results import explanations, metrics
from ..results.cost import metric_seconds
from ..server import tasks
from ..server.queue import compute_queue
from ..server.tasks import ReportProgress
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from ..widgets import tiles

STAGES = 4  # in which a network forgets here; the page Evaluate takes more


@dataclass(frozen=True)
class Variant:
    """One map of a demonstration."""

    title: str
    experiment: Experiment
    method: str
    knobs: Mapping[str, Any]

    @property
    def question(self) -> Question:
        """What it asks. Raises CamvizError if it cannot be asked here."""
        method = METHODS[self.method]
        return self.experiment.question(method, method.settings(dict(self.knobs)))


Variants = Callable[[Experiment], Sequence[Variant]]


@dataclass(frozen=True)
class FailureMode:
    """A weakness: what to look at, the maps that show it (the first is the one the others are compared with)."""

    title: str
    sentence: str
    variants: Variants


@dataclass(frozen=True)
class RandomizationTest:
    """A weakness that shows while a copy of the network forgets: the maps of these methods, row by row."""

    title: str
    sentence: str
    methods: tuple[str, ...]


def draw(method: str, experiment: Experiment) -> None:
    """Every demonstration of that method's weaknesses."""
    if _compared(method, FAILURE_MODES[method], experiment) and method in RANDOMIZATION_TESTS:
        _forgetting(method, RANDOMIZATION_TESTS[method], experiment)


def _compared(method: str, fault: FailureMode, experiment: Experiment) -> bool:
    """The maps of a demonstration, each with its likeness to the first and what it cost; whether it can be shown."""
    st.markdown(f"**{tr(fault.title)}** {tr(fault.sentence)}")
    try:
        variants = fault.variants(experiment)
        questions = [variant.question for variant in variants]
        seconds = [explanations.expected_seconds(one) or tasks.PATIENCE / 20 for one in questions]
        results = tasks.run(
            f"fault.{method}",
            ("failure mode", *(one.key for one in questions)),
            sum(seconds),
            tr("Show it on this picture"),
            lambda report: [
                explanations.compute(one, part).result
                for one, part in zip(questions, tasks.parts_of(report, seconds), strict=True)
            ],
        )
    except CamvizError as error:
        st.info(tr("Not on this network: {error}.", error=escaped(tr_message(str(error)))))
        return False
    if results is None:
        return True
    maps = [Explanation(one, result) for one, result in zip(questions, results, strict=True)]
    grid = st.grid(max(3, len(maps)), min_column_width=150)
    for number, e in enumerate(maps):
        title = variants[number].title
        with grid.cell():
            st.image(encode.jpeg(_looks(e.view, e.attribution)), alt=f"{title}: {tr_message(e.label)}", width="stretch")
            cost = tr("passes: {count}, {seconds} s", count=e.forward_passes, seconds=f"{e.seconds:.2f}")
            st.caption(f"{escaped(title)}: {_likeness(maps, number)}{cost}")
    return True


def _forgetting(method: str, fault: RandomizationTest, experiment: Experiment) -> None:
    """A row of maps for each method, from the trained network's to that of a copy that has forgotten everything."""
    st.markdown(f"**{tr(fault.title)}** {tr(fault.sentence)}")
    metric = METRICS["randomization"]

    try:
        questions = [experiment.question(METHODS[key]) for key in fault.methods]

        def work(report: ReportProgress) -> list[list[tiles.Tile]]:
            found = []
            for number, question in enumerate(questions):
                part = tasks.part_of(report, number, len(questions))
                result = metrics.compute(question, metric, part, stages=STAGES)
                found.append(tiles.randomization_tiles(question, result, _looks))
            return found

        pictures = tasks.run(
            f"forgetting.{method}",
            ("randomization, side by side", *(question.key for question in questions)),
            sum(metric_seconds(question, metric, (STAGES + 1) / metric.cost) for question in questions),
            tr("Let a copy of the network forget"),
            work,
        )
    except CamvizError as error:
        st.info(tr("Not on this network: {error}.", error=escaped(tr_message(str(error)))))
        return
    for question, row in zip(questions, pictures or (), strict=False):
        st.caption(escaped(tr_message(question.method.title)))
        tiles.show(row)


def likeness(a: Explanation, b: Explanation) -> float:
    """Rank correlation of two maps as they are shown, at the size of the picture."""
    return rank_correlation(_strength(a), _strength(b))


def _likeness(maps: Sequence[Explanation], number: int) -> str:
    """How like a map is to the first one of its method, or where every map has its own method, to the first."""
    methods = [e.method for e in maps]
    first = 0 if len(set(methods)) == len(methods) else methods.index(methods[number])
    if first == number:
        return ""
    alike = f"{likeness(maps[first], maps[number]):.2f}"
    if first == 0:
        return tr("rank correlation with the first {alike}; ", alike=alike)
    return tr("rank correlation with the one before {alike}; ", alike=alike)


def _strength(e: Explanation) -> Any:
    if e.attribution.ndim == 3:
        return np.abs(e.attribution).sum(axis=0)
    return render.upsample(e.attribution, e.view.shape[:2])


def _looks(view: NDArray[np.uint8], attribution: NDArray[Any]) -> NDArray[np.uint8]:
    """A map as its method is known: lines in gray, or a region over the picture."""
    if attribution.ndim == 3:
        return render.colorise(render.grayscale(attribution), "gray")
    return render.overlay(view, render.heatmap(attribution, (view.shape[0], view.shape[1])))


# ---------------------------------------------------------------------------------------------------- the weaknesses


def _other_class(experiment: Experiment) -> Experiment:
    """The same, for the class that the network thinks least of."""
    model, x = experiment.model, experiment.x
    with compute_queue().turn(lambda _: None), torch.no_grad():
        return replace(experiment, target=int(forward(model.net, x)[0].argmin()), rival=-1)


def _for_two_classes(*methods: str) -> Variants:
    def variants(experiment: Experiment) -> list[Variant]:
        other = _other_class(experiment)
        name = experiment.model.categories[other.target]
        return [
            Variant(tr(label, method=tr_message(METHODS[method].title), label=name), which, method, {})
            for method in methods
            for label, which in (("{method}, this class", experiment), ("{method}, for {label}", other))
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
        Variant(tr("One gradient"), experiment, "vanilla_backprop", {}),
        Variant(tr("Times the picture"), experiment, "gradient_x_input", {}),
        Variant(tr("Integrated on the way"), experiment, "integrated_gradients", {}),
    ]


def _costly(experiment: Experiment) -> list[Variant]:
    return [Variant(tr_message(METHODS[key].title), experiment, key, {}) for key in ("grad_cam", "score_cam")]


FAILURE_MODES: dict[str, FailureMode] = {
    "vanilla_backprop": FailureMode(
        "Saturation.",
        "Where the network is already sure, more of the same changes little, so its gradient is small and noisy, even "
        "at what decided. Integrated gradients look at the whole way from nothing to the picture instead.",
        _saturated,
    ),
    "guided_backprop": FailureMode(
        "It hardly knows the class.",
        "Ask for the least likely class, and the lines stay where they were: near 1 means the same map. The plain "
        "gradient changes.",
        _for_two_classes("guided_backprop", "vanilla_backprop"),
    ),
    "deconvnet": FailureMode(
        "From a class score, it hardly knows the class.",
        "It shows what the network can see in the picture, whatever is asked for. It was made for single feature "
        "maps: see the page Layers.",
        _for_two_classes("deconvnet", "grad_cam"),
    ),
    "grad_cam": FailureMode(
        "It is coarse.",
        "The last layer has few cells, and the smooth edges between them are made by upsampling. At an earlier, finer "
        "layer one weight for a whole feature map no longer fits, and the map falls apart; Layer-CAM weights each "
        "cell by itself.",
        _coarse,
    ),
    "guided_grad_cam": FailureMode(
        "Its lines are not the class's.",
        "Only the region follows the class; inside it, the lines are those of guided backpropagation for anything.",
        _for_two_classes("guided_grad_cam", "guided_backprop"),
    ),
    "score_cam": FailureMode(
        "It is expensive.",
        "One pass for every feature map that is not constant, where Grad-CAM needs one in all. Stencils also make "
        "pictures that the network never learned from.",
        _costly,
    ),
    "integrated_gradients": FailureMode(
        "The empty picture is a choice.",
        "Pixels that look like the baseline get nothing. Another baseline, another map: the first is the one to "
        "compare with.",
        _settings_of("integrated_gradients", "baseline", ("mean color", "darkest", "brightest")),
    ),
    "lrp": FailureMode(
        "The rules are a choice.",
        "Which rule a layer follows is set by hand, and shapes the map.",
        _settings_of("lrp", "composite", ("epsilon-gamma-box", "epsilon-plus", "epsilon-alpha2-beta1")),
    ),
}

RANDOMIZATION_TESTS: dict[str, RandomizationTest] = {
    "guided_backprop": RandomizationTest(
        "It hardly notices what the network has forgotten.",
        "A copy of the network gets weights of chance, from its last layer down to its first. Its answer is gone at "
        "the first step; the lines stay for most of the way (r near 1: the same map), while Grad-CAM's region is lost "
        "much sooner. So the lines are for the most part the picture's, not the network's reasons.",
        ("guided_backprop", "grad_cam"),
    ),
}
