"""What a result means, in plain words: one sentence of reading, one of caution."""

from .explanation.explanation import Explanation
from .registry import METHODS
from .text import article, percent

CAUTIONS = {
    "cam": "It does not say that the region is enough for this answer, nor that the network would fail without it; "
    "its cells are as coarse as the layer's, and a sharp edge in the picture is not a sharp edge in the map.",
    "gradient": "It does not say which pixels the answer is made of, only to which ones the score reacts; "
    "edges light up whether or not they matter for this class.",
    "perturbation": "It does not say how parts work together: "
    "pictures with parts hidden are unlike those the network learned from.",
    "relevance": "It does not say what would happen if a part were missing: "
    "it shares the score out by rules that were chosen.",
    "control": "It says nothing about the network: it is here so that other maps can be held against it.",
}


def reading(e: Explanation, first: str, sure: float) -> str:
    """What the network says, and what the bright parts mean."""
    says = f"The network is {percent(sure, 0)} sure this is {article(first)}."
    method = METHODS[e.method]
    if e.knobs.get("feature_map") is not None:
        which = f"feature map {e.knobs['feature_map']} of layer {e.layer}"
        if method.family == "perturbation":
            return f"{says} Where it is bright, hiding the place weakens {which} most."
        return f"{says} The lines show what in the picture excites {which} most."
    if not method.class_specific:
        return f"{says} This map is the same whatever the class: it shows no reason for this answer."
    what = f"the score of {e.label}" if e.label != first else "that score"
    if method.family == "perturbation":
        return f"{says} Where it is bright, {what} depends most on the place being visible."
    if method.family == "relevance":
        return f"{says} The bright pixels are those to which {what} is traced back most."
    if e.attribution.ndim == 2:
        effect = "spoke against" if e.knobs.get("counterfactual") else "raised"
        where = f" at {'layers' if ',' in e.layer else 'layer'} {e.layer.replace(',', ', ')}" if e.layer else ""
        return f"{says} The bright region is what {effect} {what} most{where}."
    return f"{says} The bright pixels are those to which {what} reacts most."


def caution(e: Explanation) -> str:
    """What the picture does not say."""
    text = CAUTIONS[METHODS[e.method].family]
    if e.question.model.weights.is_random:
        return f"This network is untrained, so whatever the map shows was not learned. {text}"
    return text
