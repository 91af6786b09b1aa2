"""The report on an attack: images, predictions, heatmaps before and after, the size of the change."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import render
from ...adversarial import ATTACKS, Attack
from ...explanation.explanation import Explanation
from ...explanation.recipe import to_recipe
from ...images import decode_image
from ...messages import Message
from ...report import HEAD, ReportImage, Section
from ...stage.look import Look
from ...text import percent
from . import conclusions, downloads
from .attack_request import NORMS, AttackRequest
from .class_image import ClassImage

Titled = tuple[str, Explanation]  # the title of a heatmap, and the heatmap


def sections(
    attack: Attack, noise: Attack, wanted: str, factor: int, maps: Sequence[Titled], look: Look, made: ClassImage | None
) -> list[Section]:
    """Return the sections on an attack. `factor`: by how much the perturbation is amplified; `wanted`: the target."""
    after = Message("Fooled image") if attack.success else Message("Perturbed image")
    control = Message("Image with noise of the same size")
    amplified = Message("Perturbation, amplified {factor} times", factor=factor)
    found = [
        Section(
            Message("Attack: {name}", name=ATTACKS[attack.method].title),
            [
                conclusions.attack(attack, wanted),
                conclusions.control(attack, noise),
                Message("Limitations: {caution}", caution=conclusions.ONE_MODEL),
            ],
            [
                _image(attack.pixels, Message("Image"), attack.before),
                _image(attack.perturbed_pixels, after, attack.after),
                ReportImage(attack.amplified(factor), amplified, amplified),
                _image(noise.perturbed_pixels, control, noise.after),
            ],
            table=[
                (Message("Image"), after, control),
                *(
                    tuple(Message("{label} {share}", label=one.label, share=one.shown()) for one in row)
                    for row in zip(attack.before, attack.after, noise.after, strict=True)
                ),
            ],
        ),
        Section(Message("Size of the change"), table=_sizes(attack, noise, after, control)),
    ]
    if maps:
        method = maps[0][1].question.method.title
        title = Message("Heatmaps before and after: {method}", method=method)
        found.append(Section(title, images=[_heatmap(name, e, look) for name, e in maps]))
    if made is not None:
        found.append(_class_image(made))
    return found


def asked(request: AttackRequest, attack: Attack, maps: Sequence[Titled], file: str) -> dict[str, Any]:
    """Return the attack, and the recipes of the heatmaps, as data; `file` is that of the perturbed image."""
    image = request.experiment.image
    names = {image.digest: image.name, decode_image(attack.perturbed_pixels).digest: file}
    questions = [e.question for _, e in maps if e.question.image.digest in names]  # that of the noise has no file
    return {
        "attack": {**request.arguments, **request.knobs, "norm": attack.norm, "epsilon": attack.epsilon},
        "heatmaps": [to_recipe(question, names[question.image.digest]) for question in questions],
    }


def numbers(attack: Attack, noise: Attack) -> dict[str, Any]:
    """Return the numbers of an attack as data."""

    def about(one: Attack) -> dict[str, Any]:
        return {
            "success": bool(one.success),
            "largest_change": float(np.abs(one.perturbation).max()),
            "l2_norm": float(np.linalg.norm(one.perturbation)),
            "after": [downloads.prediction_data(prediction) for prediction in one.after],
        }

    return {
        "before": [downloads.prediction_data(prediction) for prediction in attack.before],
        **about(attack),
        "forward_passes": attack.forward_passes,
        "backward_passes": attack.backward_passes,
        "seconds": attack.seconds,
        "noise_of_the_same_size": about(noise),
    }


def _image(pixels: Any, title: str, predictions: Any) -> ReportImage:
    best = predictions[0]
    said = Message("{title}: {label}, {share}", title=title, label=best.label, share=best.shown(0))
    return ReportImage(pixels, said, said)


def _heatmap(title: str, e: Explanation, look: Look) -> ReportImage:
    overlay = render.overlay(e.view, e.heatmap, look.strength, look.colors)
    said = Message("{title}: heatmap of {label}", title=title, label=e.label)
    return ReportImage(overlay, said, said)


def _sizes(attack: Attack, noise: Attack, after: str, control: str) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        (
            Message("epsilon"),
            *[f"{round(255 * attack.epsilon)}/255" if attack.norm == "linf" else f"{attack.epsilon:g}"] * 2,
        ),
        (Message("norm"), *[Message(NORMS[attack.norm])] * 2),
    ]
    changes = [np.abs(one.perturbation) for one in (attack, noise)]
    rows += [
        (Message("largest change of a color value"), *(f"{round(255 * float(one.max()))}/255" for one in changes)),
        (Message("L2 norm of the change"), *(f"{float(np.linalg.norm(one)):.3f}" for one in changes)),
        (
            Message("color values that change"),
            *(percent(float((one > 0).mean()), 0, exact=True) for one in changes),
        ),
        (
            Message("passes"),
            Message(
                "{forward} forward, {backward} backward", forward=attack.forward_passes, backward=attack.backward_passes
            ),
            "",
        ),
    ]
    return [(HEAD[0], after, control), *rows]


def _class_image(made: ClassImage) -> Section:
    first = made.predictions[0]
    said = Message("The model predicts {label} with {share}.", label=first.label, share=first.shown())
    return Section(
        Message("An image that only the model takes for {label}", label=made.label),
        [said],
        [ReportImage(made.pixels, said, said)],
    )
