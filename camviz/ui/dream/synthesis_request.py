"""Pictures that are to be made: what identifies one, making it in turn, and where the finished ones are kept."""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...feature_visualization import Synthesis, estimate, synthesize
from ...registry import SynthesisMethod
from ...scores import Score, contrast
from ..inputs.experiment import Experiment
from ..server import queue, singletons, store
from ..session.language import tr, tr_message
from ..session.markdown import escaped

RGB = NDArray[np.uint8]
KEPT = 16  # pictures with their growth, some 5 MB each


@dataclass(frozen=True)
class SynthesisRequest:
    """One picture that is to be made."""

    experiment: Experiment
    method: SynthesisMethod
    layer: str | None
    channel: int | None
    target: Score | None
    knobs: Mapping[str, Any]

    @property
    def key(self) -> tuple[Any, ...]:
        """What identifies its result: content and settings, never an object."""
        model = self.experiment.model
        picture = (self.experiment.picture.digest, self.experiment.fit) if self.of_picture else None
        goal = (self.layer, self.channel, repr(self.target))
        return "dream", model.name, model.weights, self.method.key, picture, goal, tuple(self.knobs.items())

    @property
    def of_picture(self) -> bool:
        """Whether it starts from the chosen picture."""
        return self.method.key in ("deep_dream", "inversion")

    @property
    def goal(self) -> str:
        """What it is made for, in words, safe in markdown."""
        names = self.experiment.model.categories
        if self.channel is not None:
            return tr("channel {number} of {layer}", number=self.channel, layer=escaped(str(self.layer)))
        if self.layer is not None:
            return tr("layer {name}", name=escaped(self.layer))
        if isinstance(self.target, contrast):
            label, rival = escaped(names[self.target.a]), escaped(names[self.target.b])
            return tr("{label} rather than {rival}", label=label, rival=rival)
        return escaped(tr_message(names[getattr(self.target, "c", 0)]))

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of `synthesize` after model and method."""
        found = {"layer": self.layer, "channel": self.channel, "target": self.target, **self.knobs}
        if self.of_picture:
            found |= {"image": self.experiment.picture.image, "fit": self.experiment.fit}
        return found


def compute(
    wish: SynthesisRequest, show: Callable[[int, int, RGB, float], Any], waiting: Callable[[int], Any]
) -> Synthesis:
    """Make the picture, or take it from the shelf; both functions are where a rerun of the page ends it."""
    made = finished_syntheses()
    with store.result_store().claim(wish.key, waiting):
        if (found := made.get(wish.key)) is not None:
            return found
        with queue.compute_queue().turn(waiting) as let_others:
            started = time.monotonic()

            def progress(done: int, total: int, frame: RGB) -> None:
                let_others()
                show(done, total, frame, (time.monotonic() - started) * (total - done) / max(1, done))

            found = synthesize(wish.experiment.model, wish.method.key, progress=progress, **wish.arguments)
    store.result_store().took(_duration_key(wish), found.seconds)
    made[wish.key] = found
    while len(made) > KEPT:
        made.popitem(last=False)
    return found


def expected(wish: SynthesisRequest) -> float:
    """The seconds that it will take: 0 where it is on the shelf."""
    if wish.key in finished_syntheses():
        return 0.0

    def measure() -> float:
        with queue.compute_queue().turn(lambda _: None):
            return estimate(wish.experiment.model, wish.method.key, **wish.arguments)

    return store.result_store().seconds(_duration_key(wish), measure)


def _duration_key(wish: SynthesisRequest) -> tuple[Any, ...]:
    model = wish.experiment.model
    return ("dream seconds", model.name, model.weights, wish.method.key, wish.layer, tuple(wish.knobs.items()))


@singletons.process_singleton
def finished_syntheses() -> OrderedDict[Any, Synthesis]:
    """The finished pictures of everybody on this server, by what identifies them; the oldest go."""
    return OrderedDict()
