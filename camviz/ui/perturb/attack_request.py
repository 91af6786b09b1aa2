"""The request for an attack: its controls, its cache key, and its computation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from ...adversarial import ATTACKS, Attack, attack, noise
from ...adversarial.ball import Norm
from ...adversarial.registry import AttackMethod
from ...messages import Message
from ..inputs.experiment import Experiment
from ..results import cost
from ..server import tasks
from ..server.queue import ReportProgress, in_queue
from ..server.store import result_store
from ..session import settings
from ..session.language import sources, tr, tr_classes, tr_message
from ..widgets import method_picker

NORMS: dict[str, str] = {"linf": Message("L-infinity"), "l2": Message("L2")}
LARGEST, LARGEST_L2 = 32, 10.0  # epsilon: in 8-bit levels, and of the L2 norm
MOST_COPIES = 8
PASSES = 4  # duration of a step, in forward passes: a gradient, and the operations around it
PREFIX = "attack"


@dataclass(frozen=True)
class AttackRequest:
    """All settings of an attack."""

    experiment: Experiment
    method: AttackMethod
    norm: Norm
    epsilon: float
    target: int | None
    jpeg_copies: int
    knobs: Mapping[str, Any]

    @property
    def key(self) -> tuple[Any, ...]:
        """Return the cache key: content and settings, no objects."""
        given = (self.method.key, self.norm, self.epsilon, self.target, self.jpeg_copies)
        return "attack", *self.experiment.key, *given, tuple(sorted(self.knobs.items()))

    @property
    def seconds(self) -> float:
        """Return about how many seconds the attack takes here."""
        steps = int(self.knobs.get("steps", 1)) + 1
        return PASSES * steps * max(1, self.jpeg_copies) * cost.seconds_per_pass(self.experiment.model)

    @property
    def arguments(self) -> dict[str, Any]:
        """Return the arguments of `attack` after model and image that are not at their default."""
        found: dict[str, Any] = {} if self.target is None else {"target": self.target}
        found |= {"method": self.method.key}
        found |= {"norm": self.norm} if self.norm != "linf" else {}
        found |= {"epsilon": self.epsilon}
        found |= {"jpeg_copies": self.jpeg_copies} if self.jpeg_copies else {}
        found |= {"fit": self.experiment.fit} if self.experiment.fit != "crop" else {}
        defaults = self.method.settings({})
        return found | {key: value for key, value in self.knobs.items() if value != defaults[key]}


def choose(experiment: Experiment) -> AttackRequest:
    """Draw the controls and return the request."""
    method = ATTACKS[settings.setting(PREFIX, "pgd", ATTACKS)]
    st.segmented_control(
        tr("Attack"),
        ATTACKS,
        format_func=lambda key: tr_message(ATTACKS[key].title),
        key=PREFIX,
        required=True,
        persist_state="session",
        help=tr("The algorithm that finds the change. Each attack uses the weights of the model."),
    )
    st.caption(f"{tr_message(method.tooltip)} {sources(method)}")
    norm: Norm = settings.setting("attack.norm", "linf", NORMS)
    st.segmented_control(
        tr("Norm"),
        NORMS,
        format_func=lambda key: tr_message(NORMS[key]),
        key="attack.norm",
        required=True,
        persist_state="session",
        help=tr(
            "L-infinity: no color value of a pixel changes by more than epsilon. L2: the root of the summed squares of "
            "all changes is at most epsilon."
        ),
    )
    epsilon = _epsilon(norm)
    target = _target(experiment)
    knobs = method_picker.knobs(method)
    copies = settings.setting("attack.jpeg", 0, settings.Span(0, MOST_COPIES), int)
    st.slider(
        tr("JPEG copies"),
        0,
        MOST_COPIES,
        key="attack.jpeg",
        persist_state="session",
        help=tr(
            "Each step averages over this number of JPEG copies of random quality, so that the result survives "
            "compression (0: no copies). More copies take longer."
        ),
    )
    return AttackRequest(experiment, method, norm, epsilon, target, copies, knobs)


def _epsilon(norm: Norm) -> float:
    if norm == "linf":
        levels: int = settings.setting("attack.epsilon", 4, settings.Span(1, LARGEST), int)
        st.slider(
            tr("Epsilon (1/255)"),
            1,
            LARGEST,
            key="attack.epsilon",
            persist_state="session",
            help=tr("The largest change of a color value, in levels of an 8-bit image, of which there are 255."),
        )
        return levels / 255
    size: float = settings.setting("attack.l2", 1.0, settings.Span(0.25, LARGEST_L2), float)
    st.slider(
        tr("Epsilon (L2 norm)"),
        0.25,
        LARGEST_L2,
        step=0.25,
        key="attack.l2",
        persist_state="session",
        help=tr("The largest L2 norm of all changes together; 1 is the step from black to white of one color value."),
    )
    return size


def _target(experiment: Experiment) -> int | None:
    categories = experiment.model.categories
    classes, labels = range(-1, len(categories)), tr_classes(categories)
    target: int = settings.setting("attack.target", -1, classes, int)
    anything = tr("Any other class")
    st.selectbox(
        tr("Target"),
        classes,
        format_func=lambda index: anything if index < 0 else f"{labels[index]} · {index}",
        key="attack.target",
        persist_state="session",
        help=tr(
            "The class that the model should predict. A chosen class needs a larger change than 'Any other class'."
        ),
    )
    return None if target < 0 else target


def is_known(request: AttackRequest) -> bool:
    """Return whether the attack was computed before, for any visitor."""
    return result_store().get(request.key) is not None


def result(request: AttackRequest, place: Any) -> tuple[Attack, Attack] | None:
    """Return the attack and noise of its size, after a click in `place` if it is slow. None: not yet, or refused."""

    def work(report: ReportProgress) -> tuple[Attack, Attack]:
        model, image = request.experiment.model, request.experiment.image.decoded
        with in_queue(report) as progress:
            given = {**request.arguments, **request.knobs}
            found = attack(model, image, progress=progress, **given)
            control = noise(model, image, norm=request.norm, epsilon=request.epsilon, fit=request.experiment.fit)
        return found, control

    what = tr("Run {method}", method=tr_message(request.method.title))
    return tasks.run(PREFIX, request.key, request.seconds, what, work, place=place)
