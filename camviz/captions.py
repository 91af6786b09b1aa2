"""What a result means, in plain words: one sentence of reading, one of caution."""

from .explanation.explanation import Explanation
from .messages import Message
from .models import Prediction
from .registry import METHODS

CAUTIONS = {
    "cam": Message(
        "The model may also use other parts of the image, and may predict the same without this region. The heatmap is "
        "only as fine as the cells of its layer; the smooth outline comes from interpolation."
    ),
    "gradient": Message(
        "It shows the pixels to which the score is sensitive, not those that the prediction is based on; edges are "
        "highlighted whether or not they matter for this class."
    ),
    "perturbation": Message(
        "It does not show how parts of the image work together, and images with hidden parts are unlike the training "
        "images."
    ),
    "relevance": Message(
        "It does not show what would happen without a part of the image: the score is distributed by rules that were "
        "chosen by hand."
    ),
    "control": Message("It shows nothing about the model: it is a baseline for the other heatmaps."),
}

# Methods whose heatmaps mean something else than those of their family.
_CONTRIBUTIONS = Message("The highlighted pixels contribute most to {score}.")
_LINES = Message("The lines show structures that activate the model; they are nearly the same for every class.")
READINGS = {
    "integrated_gradients": _CONTRIBUTIONS,
    "gradient_x_input": _CONTRIBUTIONS,
    "full_grad": _CONTRIBUTIONS,
    "guided_backprop": _LINES,
    "deconvnet": _LINES,
}
_REFERENCE = Message(
    "The contributions are relative to a reference image: pixels that equal it get none, whatever they mean for the "
    "class."
)
_ANY_CLASS = Message("It hardly depends on the class: do not read it as the reason for this prediction.")
METHOD_CAUTIONS = {
    "integrated_gradients": _REFERENCE,
    "gradient_x_input": _REFERENCE,
    "guided_backprop": _ANY_CLASS,
    "deconvnet": _ANY_CLASS,
}


def reading(e: Explanation, predicted: Prediction) -> Message:
    """Return what the model predicts, and what the highlighted parts mean."""
    return Message(
        "The model predicts {label} ({share}). {meaning}",
        label=predicted.label,
        share=predicted.shown(0),
        meaning=_meaning(e, predicted.label),
    )


def _meaning(e: Explanation, predicted: str) -> Message:
    method = METHODS[e.method]
    if e.knobs.get("feature_map") is not None:
        which = Message("feature map {number} of layer {layer}", number=e.knobs["feature_map"], layer=e.layer)
        if method.family == "perturbation":
            return Message("Hiding the highlighted places weakens {which} most.", which=which)
        return Message("The lines show the structures in the image that activate {which} most.", which=which)
    if not method.class_specific:
        return Message("This heatmap is the same for every class, so it shows no evidence for this prediction.")
    score = Message("the score of {label}", label=e.label) if e.label != predicted else Message("this score")
    if method.key in READINGS:
        return Message(READINGS[method.key], score=score)
    if method.family == "perturbation":
        return Message("Hiding the highlighted places lowers {score} most.", score=score)
    if method.family == "relevance":
        return Message("Most of {score} is assigned to the highlighted pixels.", score=score)
    if e.attribution.ndim != 2:
        return Message("Small changes of the highlighted pixels change {score} most.", score=score)
    layers = ", ".join(e.question.layers)
    several = len(e.question.layers) > 1
    where = Message(" (layers {layers})" if several else " (layer {layers})", layers=layers) if layers else ""
    if e.knobs.get("counterfactual"):
        return Message("The highlighted region is evidence against {label}{where}.", label=e.label, where=where)
    label = e.label if e.question.model.has_probabilities else Message("a higher {label}", label=e.label)
    return Message("The highlighted region is evidence for {label}{where}.", label=label, where=where)


def caution(e: Explanation) -> Message:
    """Return what the heatmap does not show."""
    found = METHOD_CAUTIONS.get(e.method, CAUTIONS[METHODS[e.method].family])
    if e.question.model.weights.is_random:
        return Message("This model is untrained, so nothing in the heatmap was learned. {caution}", caution=found)
    return found
