"""How a map is put to the test on a page: what a metric is told, its time, and its number, kept once it is known."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from math import isnan
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import CamvizError
from ...evaluation.registry import Metric, Subject
from ...explanation.explain import fuse_maps
from ...explanation.explanation import Explanation
from ...registry import METHODS, Method
from ...scores import Score, contrast, headed, logit, probability
from ..inputs.experiment import Experiment
from ..server import singletons, tasks
from ..server.tasks import ReportProgress
from . import explanations

CONTROLS = ("random_cam", "edge_detector", "center_gaussian")  # what a method must beat
NUMBERS = 50_000  # that the server keeps

Beat = Callable[[], None]


def target(experiment: Experiment) -> int:
    """The class whose probability is watched: of "a rather than b" it is a."""
    score = experiment.score
    if isinstance(score, contrast):
        return score.a
    if isinstance(score, logit | probability):
        return score.c
    raise CamvizError("this score belongs to no class, so there is no probability to watch")


def controls_for(experiment: Experiment) -> list[Method]:
    """The controls that this network allows: one of them needs a layer."""
    return [METHODS[key] for key in CONTROLS if experiment.layer or METHODS[key].layer != "required"]


def picture(experiment: Experiment) -> Tensor:
    """The network's input, (1, 3, H, W)."""
    return experiment.model.preprocess(experiment.picture.image, experiment.fit)


def attribution(
    experiment: Experiment,
    method: Method,
    knobs: Mapping[str, Any],
    net: nn.Module,
    x: Tensor,
    score: Score,
    beat: Beat = lambda: None,
) -> Tensor:
    """What the method makes of any picture on any such network: (B, h, w) or (B, 3, H, W), layers fused.

    `beat` is called within methods of many passes, so that Cancel is heard there too.
    """
    names = experiment.layer.split(",") if method.layer != "none" and experiment.layer else [None]
    heard = {"progress": lambda *_: beat()} if method.many_passes else {}
    maps = [
        method(net, x, score, *([net.get_submodule(name)] if name else []), **knobs, **heard).detach() for name in names
    ]
    return maps[0] if len(maps) == 1 else fuse_maps(maps, experiment.fuse)


def subject(
    experiment: Experiment, method: Method, knobs: Mapping[str, Any], e: Explanation, beat: Beat = lambda: None
) -> Subject:
    """What the metrics are told of an explanation; the score that they watch is the class's probability."""
    x, index = picture(experiment), target(experiment)
    return Subject(
        net=experiment.model.net,
        x=x,
        score=probability(index),
        attribution=torch.from_numpy(e.attribution).to(x),
        explain=lambda net, x: attribution(experiment, method, knobs, net, x, experiment.score, beat),
        explain_class=lambda c: attribution(experiment, method, knobs, experiment.model.net, x, logit(c), beat),
        target=index,
    )


def measure(
    experiment: Experiment,
    method: Method,
    knobs: Mapping[str, Any],
    metric: Metric,
    report: ReportProgress,
    **settings: Any,
) -> Any:
    """A metric's result for the method's map of the present picture, computed now; `report` is where a rerun ends it.

    Raises CamvizError.
    """
    e = explanations.compute(experiment, method, knobs, report)
    with tasks.in_queue(report) as progress, headed(experiment.model.probabilities):
        last = [0, 1]

        def heard(done: int, total: int) -> None:
            last[:] = done, total
            progress(done, total)

        given = subject(experiment, method, knobs, e, lambda: progress(*last))
        result = metric.measure(given, progress=heard, **settings)
    if metric.settings(settings) == metric.settings({}):
        keep(experiment, method, knobs, metric, float(result))
    return result


def number_key(experiment: Experiment, method: Method, knobs: Mapping[str, Any], metric: Metric) -> Hashable:
    """What identifies a metric's number at its default settings: the picture's content and every setting."""
    return (metric.key, *explanations.key_of(experiment, method, knobs))


def known(experiment: Experiment, method: Method, knobs: Mapping[str, Any], metric: Metric) -> float | None:
    """A metric's number, if it was computed before. Not a number where the metric cannot be used on this map."""
    return _numbers().get(number_key(experiment, method, knobs, metric))


def number(
    experiment: Experiment, method: Method, knobs: Mapping[str, Any], metric: Metric, report: ReportProgress
) -> float:
    """A metric's number at its default settings, from the store or computed now. Raises CamvizError."""
    found = known(experiment, method, knobs, metric)
    if found is None or isnan(found):
        found = float(measure(experiment, method, knobs, metric, report))
    return found


def keep(experiment: Experiment, method: Method, knobs: Mapping[str, Any], metric: Metric, value: float) -> None:
    """Keep a number for everybody on this server; it is found only by the content of the picture."""
    numbers = _numbers()
    numbers[number_key(experiment, method, knobs, metric)] = value
    while len(numbers) > NUMBERS:
        numbers.popitem(last=False)


def seconds(
    experiment: Experiment, method: Method, knobs: Mapping[str, Any], metric: Metric, share: float = 1.0
) -> float:
    """About how long a metric takes here; `share` is that of its settings' work in the default settings'."""
    if not metric.explains_again:
        return metric.cost * share * tasks.seconds_of_pass(experiment.model)
    return metric.cost * share * explanations.duration(experiment, method, knobs)


@singletons.process_singleton
def _numbers() -> "OrderedDict[Hashable, float]":
    return OrderedDict()
