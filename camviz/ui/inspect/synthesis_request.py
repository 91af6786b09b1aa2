"""Synthesis requests: cache key, queued computation, and the cache of finished images."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...feature_visualization import Synthesis, estimate, synthesize
from ...registry import SynthesisMethod
from ...scores import Score, contrast
from ..inputs.experiment import Experiment
from ..server.queue import ReportProgress, compute_queue
from ..server.store import result_store
from ..server.tasks import time_left
from ..session.language import tr, tr_message
from ..session.markdown import escaped

RGB = NDArray[np.uint8]


@dataclass(frozen=True)
class SynthesisRequest:
    """An image to be synthesized."""

    experiment: Experiment
    method: SynthesisMethod
    layer: str | None
    channel: int | None
    target: Score | None
    knobs: Mapping[str, Any]

    @property
    def key(self) -> tuple[Any, ...]:
        """Return the cache key: content and settings, no objects."""
        image = (self.experiment.image.digest, self.experiment.fit) if self.starts_from_image else None
        goal = (self.layer, self.channel, self.target)
        return "synthesis", self.experiment.model.key, self.method.key, image, goal, tuple(self.knobs.items())

    @property
    def starts_from_image(self) -> bool:
        """Return whether the synthesis starts from the chosen image."""
        return self.method.key in ("deep_dream", "inversion")

    @property
    def goal(self) -> str:
        """Return a description of the goal, safe in markdown."""
        names = self.experiment.model.categories
        if self.channel is not None:
            return tr("channel {number} of {layer}", number=self.channel, layer=escaped(str(self.layer)))
        if self.layer is not None:
            return tr("layer {name}", name=escaped(self.layer))
        if isinstance(self.target, contrast):
            label, rival = (escaped(tr_message(names[c])) for c in (self.target.a, self.target.b))
            return tr("{label} rather than {rival}", label=label, rival=rival)
        return escaped(tr_message(names[getattr(self.target, "c", 0)]))

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `synthesize` after model and method."""
        found = {"layer": self.layer, "channel": self.channel, "target": self.target, **self.knobs}
        if self.starts_from_image:
            found |= {"image": self.experiment.image.decoded, "fit": self.experiment.fit}
        return found


def known(request: SynthesisRequest) -> Synthesis | None:
    """Return the synthesis if it was computed before, for any visitor."""
    found: Synthesis | None = result_store().get(request.key)
    return found


def compute(
    request: SynthesisRequest,
    report: ReportProgress,
    show: Callable[[int, int, RGB], Any] = lambda *_: None,
    text: str = "{done} of {total}, {left}",
) -> Synthesis:
    """Return the image from the cache, or synthesize it; an exception in either callback cancels it.

    `show(done, total, frame)` is called with the image as it grows, `report` with `text`.
    """
    with compute_queue().turn(lambda ahead: report(0.0, ahead=ahead)) as yield_turn:
        started = time.monotonic()

        def progress(done: int, total: int, frame: RGB) -> None:
            yield_turn()
            show(done, total, frame)
            left = time_left((time.monotonic() - started) * (total - done) / max(1, done))
            report(done / total, tr(text, done=done, total=total, left=left))

        found = synthesize(request.experiment.model, request.method.key, progress=progress, **request.arguments)
    result_store().took(_duration_key(request), found.seconds)
    return found


def expected_seconds(request: SynthesisRequest) -> float:
    """Return the estimated seconds."""
    if known(request) is not None:
        return 0.0

    def measure() -> float:
        with compute_queue().turn(lambda _: None):
            return estimate(request.experiment.model, request.method.key, **request.arguments)

    return result_store().seconds(_duration_key(request), measure)


def _duration_key(request: SynthesisRequest) -> tuple[Any, ...]:
    return (
        "synthesis",
        request.experiment.model.key,
        request.method.key,
        request.layer,
        *sorted(request.knobs.items()),
    )
