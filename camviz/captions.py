"""Captions of a heatmap: a sentence on how to read it and one on what it does not show, both from its method."""

from math import isnan

from .explanation.explanation import Explanation
from .messages import Message
from .models import Prediction
from .registry import METHODS, Method

UNDECIDED = 0.3  # probability below which the sentence says that the model is undecided
OF_ANY_METHOD = Message("It does not show how parts of the image work together.")


def reading(e: Explanation, predicted: Prediction) -> Message:
    """Return the prediction of the model and the meaning of the highlighted parts."""
    template = Message("The model predicts {label} ({share}). {meaning}")
    if not isnan(predicted.probability) and predicted.probability < UNDECIDED:
        template = Message("The model predicts {label} with only {share}: it is undecided. {meaning}")
    meaning = _meaning(e, predicted.label)
    return Message(template, label=predicted.label, share=predicted.shown(0), meaning=meaning)


def _meaning(e: Explanation, predicted: str) -> Message:
    method, layers = METHODS[e.method], ", ".join(e.question.layers)
    several = len(e.question.layers) > 1
    where = Message(" (layers {layers})" if several else " (layer {layers})", layers=layers) if layers else ""
    if e.knobs.get("feature_map") is not None:
        which = Message("feature map {number} of layer {layer}", number=e.knobs["feature_map"], layer=e.layer)
        if method.family == "perturbation":
            return Message("Hiding the highlighted places weakens {which} most.", which=which)
        return Message("The lines show the structures in the image that activate {which} most.", which=which)
    if e.knobs.get("counterfactual"):
        return Message("The highlighted region is evidence against {label}{where}.", label=e.label, where=where)
    score = Message("the score of {label}", label=e.label) if e.label != predicted else Message("this score")
    if e.knobs.get("statistic") == "variance":
        return Message("At the highlighted pixels the noise changes the gradient of {score} most.", score=score)
    label = e.label if e.question.model.has_probabilities else Message("a higher {label}", label=e.label)
    base = Message(_base(e).reads, score=score, label=label, where=where)
    found = Message(method.reads or Message(method.tooltip), score=score, label=label, where=where, base=base)
    if method.class_specific:
        return found
    return Message(
        "{reading} This heatmap is the same for every class, so it shows no evidence for this prediction.",
        reading=found,
    )


def caution(e: Explanation) -> Message:
    """Return what the heatmap does not show."""
    found = Message(METHODS[e.method].caution or OF_ANY_METHOD, base=_base(e).caution)
    if e.question.model.weights.is_random:
        return Message("This model is untrained, so nothing in the heatmap was learned. {caution}", caution=found)
    return found


def _base(e: Explanation) -> Method:
    """Return the method whose maps a method averages, or the method itself."""
    return METHODS[e.knobs.get("base", e.method)]
