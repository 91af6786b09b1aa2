"""The lines of Python that compute what the page Perturb shows."""

from typing import Any

import streamlit as st

from ...edits.corruptions import Corruption
from ...explanation import recipe
from ...explanation.question import Question
from ...scores import logit
from ..inputs.experiment import Experiment
from ..session.language import tr
from .attack_request import AttackRequest
from .class_image import SETTINGS


def show(code: str) -> None:
    """Draw the code in an expander."""
    box = st.expander(tr("Python code"), key="code", on_change="rerun")
    if box.open:  # the browser loads 1.5 MB to highlight code
        box.code(code, language="python")


def of_corruption(experiment: Experiment, kind: Corruption, question: Question | None) -> str:
    """Return the code of a corruption, with the heatmaps of a question."""
    image, fit = repr(experiment.image.name), _fit(experiment)
    lines = [
        *_start(experiment),
        f"curve = camviz.edits.corruption_curve(model, {image}, {kind!r}{fit})",
        "print(curve.breaks_at, [best[0] for best in curve.predictions])",
    ]
    if question is not None:
        lines += [
            f"explanation = camviz.explain({recipe.explain_arguments(question, image)})",
            f"heatmaps = camviz.heatmap_curve(explanation, {kind!r})",
            "print(heatmaps.breaks_at, heatmaps.similarities)",
            "heatmaps.explanations[3]  # level 3; a notebook shows the image with the heatmap on it",
        ]
    return "\n".join(lines) + "\n"


def of_attack(request: AttackRequest, question: Question | None, predicted: int, class_image: int | None) -> str:
    """Return the code of an attack, with the heatmaps of a question and the image of a class that the page shows.

    `predicted` is the class that the attack led to, `class_image` the class of the image, None without one.
    """
    experiment = request.experiment
    given = "".join(f", {key}={_value(key, value)}" for key, value in request.arguments.items())
    size = "".join(
        f", {key}={_value(key, value)}" for key, value in request.arguments.items() if key in ("norm", "epsilon", "fit")
    )
    image = repr(experiment.image.name)
    lines = [
        *_start(experiment),
        f"attack = camviz.adversarial.attack(model, {image}{given})",
        "print(attack.success, attack.before[0], attack.after[0])",
        f"noise = camviz.adversarial.noise(model, {image}{size})",
        "print(noise.after[0])",
    ]
    if question is not None:
        changed = question.replace(fit="stretch", edit=None)
        asked = [(question, image), (changed, "attack.perturbed")]
        if predicted != question.class_index:
            asked.append((changed.replace(score=logit(predicted)), "attack.perturbed"))
        asked.append((changed, "noise.perturbed"))
        calls = [f"    camviz.explain({recipe.explain_arguments(one, source)})," for one, source in asked]
        lines += ["heatmaps = [", *calls, "]", "heatmaps[1]  # a notebook shows the image with the heatmap on it"]
    if class_image is not None:
        settings = "".join(f", {key}={value!r}" for key, value in {"target": class_image, **SETTINGS}.items())
        lines += [
            f"class_image = camviz.feature_visualization.synthesize(model, 'class_image'{settings})",
            "print(model.predict(class_image.image, 3, 'stretch'))",
        ]
    return "\n".join(lines) + "\n"


def _start(experiment: Experiment) -> list[str]:
    return ["import camviz", "", f"model = camviz.load_model({recipe.model_arguments(experiment.model)})"]


def _fit(experiment: Experiment) -> str:
    return f", fit={experiment.fit!r}" if experiment.fit != "crop" else ""


def _value(key: str, value: Any) -> str:
    return (
        f"{round(255 * value)}/255"
        if key == "epsilon" and abs(255 * value - round(255 * value)) < 1e-6 and value < 0.2
        else repr(value)
    )
