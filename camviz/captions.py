"""What a result means, in plain words: one sentence of reading, one of caution."""

from .explanation.explanation import Explanation
from .messages import Message
from .registry import METHODS
from .text import percent

CAUTIONS = {
    "cam": Message(
        "It does not say that the region is enough for this answer, nor that the network would fail without it; "
        "its cells are as coarse as the layer's, and a sharp edge in the picture is not a sharp edge in the map."
    ),
    "gradient": Message(
        "It does not say which pixels the answer is made of, only to which ones the score reacts; "
        "edges light up whether or not they matter for this class."
    ),
    "perturbation": Message(
        "It does not say how parts work together: pictures with parts hidden are unlike those the network learned from."
    ),
    "relevance": Message(
        "It does not say what would happen if a part were missing: it shares the score out by rules that were chosen."
    ),
    "control": Message("It says nothing about the network: it is here so that other maps can be held against it."),
}


def reading(e: Explanation, first: str, sure: float) -> Message:
    """Return what the network says, and what the bright parts mean."""
    return Message(
        "The network is {share} sure this is {label}. {meaning}",
        share=percent(sure, 0),
        label=_with_article(first),
        meaning=_meaning(e, first),
    )


def _with_article(label: str) -> Message:
    return Message("an {label}" if label[:1].lower() in "aeiou" else "a {label}", label=label)


def _meaning(e: Explanation, first: str) -> Message:
    method = METHODS[e.method]
    if e.knobs.get("feature_map") is not None:
        which = Message("feature map {number} of layer {layer}", number=e.knobs["feature_map"], layer=e.layer)
        if method.family == "perturbation":
            return Message("Where it is bright, hiding the place weakens {which} most.", which=which)
        return Message("The lines show what in the picture excites {which} most.", which=which)
    if not method.class_specific:
        return Message("This map is the same whatever the class: it shows no reason for this answer.")
    score = Message("the score of {label}", label=e.label) if e.label != first else Message("that score")
    if method.family == "perturbation":
        return Message("Where it is bright, {score} depends most on the place being visible.", score=score)
    if method.family == "relevance":
        return Message("The bright pixels are those to which {score} is traced back most.", score=score)
    if e.attribution.ndim != 2:
        return Message("The bright pixels are those to which {score} reacts most.", score=score)
    layers = (e.layer or "").replace(",", ", ")
    where = Message(" at layers {layers}" if "," in layers else " at layer {layers}", layers=layers) if layers else ""
    if e.knobs.get("counterfactual"):
        return Message("The bright region is what spoke against {score} most{where}.", score=score, where=where)
    return Message("The bright region is what raised {score} most{where}.", score=score, where=where)


def caution(e: Explanation) -> Message:
    """Return what the picture does not say."""
    found = CAUTIONS[METHODS[e.method].family]
    if e.question.model.weights.is_random:
        return Message("This network is untrained, so whatever the map shows was not learned. {caution}", caution=found)
    return found
