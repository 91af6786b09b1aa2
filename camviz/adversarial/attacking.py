"""Fool a model: change an image so little that a person sees no difference, and the model predicts another class."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, SupportsIndex, get_args

import numpy as np
from numpy.typing import NDArray

from ..edits.answers import answers_of, predictions_of
from ..errors import CamvizError, choice
from ..images import ImageSource
from ..messages import Message
from ..models import Model, Prediction
from ..models.channels import is_gray
from ..models.geometry import Fit
from ..runtime.progress import Progress, check_progress, heartbeat
from ..runtime.rng import Rng
from ..tape import counting_passes
from .ball import RGB, Ball, Norm, Perturbation
from .objective import AttackLoss, Loss, Objective
from .registry import ATTACKS

Float = NDArray[np.float64]
NOISE = "noise"


@dataclass(frozen=True, eq=False)
class Attack:
    """A view before and after a perturbation, with the predictions of the model.

    `pixels` and `perturbed_pixels`: (H, W, 3) in uint8. `method`: a key of ATTACKS, or "noise". `target`: the index of
    the wanted class, None for any other class. `success`: the target is predicted, or another class than before.
    `before` and `after`: the five most probable classes.
    """

    pixels: RGB = field(repr=False)
    perturbed_pixels: RGB = field(repr=False)
    before: tuple[Prediction, ...]
    after: tuple[Prediction, ...]
    success: bool
    method: str
    norm: Norm
    epsilon: float
    target: int | None = None
    seconds: float = 0.0
    forward_passes: int = 0
    backward_passes: int = 0

    @property
    def view(self) -> Float:
        """The image as the model sees it, (H, W, 3) in [0, 1]."""
        return self.pixels / 255.0

    @property
    def perturbed(self) -> Float:
        """The perturbed view, (H, W, 3) in [0, 1], in whole 8-bit levels.

        `model.predict(attack.perturbed, fit="stretch")` is `after`, and so is that of a PNG file of it.
        """
        return self.perturbed_pixels / 255.0

    @property
    def perturbation(self) -> Float:
        """The perturbed view minus the view, (H, W, 3) in [-epsilon, epsilon]."""
        return (self.perturbed_pixels.astype(np.int16) - self.pixels) / 255.0

    def amplified(self, factor: float) -> RGB:
        """Return the perturbation as an image (H, W, 3): gray where nothing changes, `factor` times as strong."""
        return np.rint(127.5 + 255 * factor * self.perturbation).clip(0, 255).astype(np.uint8)


def attack(
    model: Model,
    image: ImageSource,
    target: str | SupportsIndex | None = None,
    *,
    method: str = "pgd",
    norm: Norm = "linf",
    epsilon: float = 4 / 255,
    steps: int = 10,
    seed: int = 0,
    loss: Loss = "margin",
    jpeg_copies: int = 0,
    fit: Fit = "crop",
    progress: Progress | None = None,
    **settings: Any,
) -> Attack:
    """Return an image that the model gets wrong, within `epsilon` of the view.

    `target`: None = any class but the predicted one; an index or a label = this class. `method`: a key of ATTACKS;
    "fgsm" takes one step and ignores `steps`. `norm`: "linf" = no value of a pixel changes by more than epsilon
    (rounded down to whole 8-bit levels); "l2" = the root of the summed squares of all changes is at most epsilon, for
    example 0.5 to 3. `loss`: "margin" or "cross-entropy", see AttackLoss. `jpeg_copies`: average each step over this
    number of JPEG copies of random quality, so that the result survives compression. `settings`: other settings of the
    method. `progress(done, total)` is called after each step; an exception from it ends the attack. Raises CamvizError
    for invalid input, and for a network without a second class.
    """
    check_progress(progress)
    entry = ATTACKS[method]
    name = choice(loss, get_args(Loss), Message("loss"))
    if isinstance(jpeg_copies, bool) or not isinstance(jpeg_copies, int) or not 0 <= jpeg_copies <= 16:
        raise CamvizError("jpeg_copies must be a whole number of 0 to 16; got {given}", given=repr(jpeg_copies)[:60])
    shared = {key: value for key, value in (("steps", steps), ("seed", seed)) if key in entry.knobs}
    chosen = entry.settings(shared | settings)
    ball = _ball(model, image, fit, norm, epsilon)
    before = answers_of(model, [ball.view])[0]
    predicted = int(before.argmax())
    index = None if target is None else model.class_index(target)
    if index == predicted:
        raise CamvizError(
            "the model already predicts {label}: choose another target, or None for any other class",
            label=model.categories[predicted],
        )
    objective = Objective(model, _loss(model, predicted, index, name), jpeg_copies, seed)

    def find() -> Perturbation:
        with heartbeat(progress) as reported:
            found: Perturbation = entry(objective, ball, progress=reported, **chosen)
            return found

    return _attacked(model, ball, find, before, entry.key, index)


def noise(
    model: Model,
    image: ImageSource,
    *,
    norm: Norm = "linf",
    epsilon: float = 4 / 255,
    seed: int = 0,
    fit: Fit = "crop",
) -> Attack:
    """Return the view with random noise as large as an attack's perturbation: a control, which rarely fools the model.

    "linf": each value of a pixel changes by a uniformly random number of -epsilon to epsilon; its L2 norm is about that
    of an attack by PGD. "l2": normal noise of the norm epsilon. An undecided prediction may change. Raises CamvizError
    for invalid input.
    """
    ball = _ball(model, image, fit, norm, epsilon)
    before = answers_of(model, [ball.view])[0]
    return _attacked(model, ball, lambda: ball.random_point(Rng(seed), longest=True), before, NOISE, None)


def _attacked(
    model: Model,
    ball: Ball,
    find: Callable[[], Perturbation],
    before: NDArray[np.float32],
    method: str,
    target: int | None,
) -> Attack:
    started = time.perf_counter()
    with model.running(), counting_passes() as counts:
        perturbed = ball.stored(find())
    after = answers_of(model, [perturbed])[0]
    best = int(after.argmax())
    return Attack(
        pixels=ball.view,
        perturbed_pixels=perturbed,
        before=predictions_of(model, before),
        after=predictions_of(model, after),
        success=best != int(before.argmax()) if target is None else best == target,
        method=method,
        norm=ball.norm,
        epsilon=ball.epsilon,
        target=target,
        seconds=time.perf_counter() - started,
        forward_passes=counts.forward_passes,
        backward_passes=counts.backward_passes,
    )


def _ball(model: Any, image: ImageSource, fit: Fit, norm: Any, epsilon: Any) -> Ball:
    if not isinstance(model, Model):
        raise CamvizError(
            "attack takes a Model, as camviz.load_model returns it; got {kind}", kind=type(model).__name__
        )
    checked: Norm = choice(norm, get_args(Norm), Message("norm"))  # type: ignore[assignment]
    try:
        size = float(epsilon)
    except (TypeError, ValueError):
        size = math.nan
    most = 1.0 if checked == "linf" else math.sqrt(math.prod(model.input_size) * 3)
    if isinstance(epsilon, bool | str) or not 1 / 255 - 1e-9 <= size <= most:
        raise CamvizError(
            "epsilon must be a number of 1/255, the smallest change of a pixel, to {most:g} in this norm; got {given}",
            most=most,
            given=repr(epsilon)[:60],
        )
    if checked == "linf":
        size = math.floor(255 * size + 1e-6) / 255
    return Ball(model.view(image, fit), checked, size, is_gray(model.input_channels))


def _loss(model: Model, predicted: int, target: int | None, loss: str) -> AttackLoss:
    if not model.has_probabilities:
        raise CamvizError(
            "{model} returns a number and no classes, so there is no class to change: hide or corrupt parts of the "
            "image instead, with camviz.edits",
            model=model.name,
        )
    if len(model.categories) < 2:
        raise CamvizError(
            "{model} has one class, so there is no other class to predict: load it with two names, as in "
            "load_model(net, categories=('no', 'yes'))",
            model=model.name,
        )
    if loss == "cross-entropy" and model.head != "softmax":
        raise CamvizError(
            "cross-entropy needs a network whose scores become probabilities by softmax; {model} has the head "
            "'{head}': use loss='margin'",
            model=model.name,
            head=model.head,
        )
    return AttackLoss(predicted if target is None else target, target is not None, loss)  # type: ignore[arg-type]
