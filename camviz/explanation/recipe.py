"""A recipe: an explanation's settings as data (`export.recipe`), which `camviz.explain(**recipe)` computes again."""

import json
import math
import re
from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image

from .. import images
from ..errors import CamvizError, unknown
from ..messages import Message
from ..models import Model, is_custom, offered_models, shared_model
from ..models.model import ImageInput
from ..registry import METHODS
from ..version import __version__
from .explanation import Explanation

Network = Model | str | Mapping[str, Any]

LONGEST = 2000  # characters of a value, as of several layers' names
OWN = Message(
    "this recipe is of a network of your own, '{name}', which data cannot hold: load it, and give it in place of the "
    "name, camviz.explain(**{{**recipe, 'model': model}})"
)


def versions() -> dict[str, str]:
    """What the numbers were computed with."""
    return {"camviz": __version__, "torch": str(torch.__version__)}


def network(given: Network) -> tuple[Model, tuple[str, ...]]:
    """The model that a recipe names, one copy for the whole process, and what there is to say about it.

    `given`: a Model, a name of the catalogue, or {"name": ..., "weights": ..., "made_with": versions}.
    """
    if isinstance(given, Model):
        return given, ()
    named = {"name": given} if isinstance(given, str) else fields("model", given, ("name", "weights", "made_with"))
    name, weights = (
        text("model", "name", named.get("name", "")),
        text("model", "weights", named.get("weights", "default")),
    )
    if is_custom(weights) and name not in [entry.name for entry in offered_models() if entry.source == "own"]:
        raise CamvizError(OWN, name=name)
    made_with = fields("made_with", named.get("made_with", {}), tuple(versions()))
    notes = [
        Message(
            "This recipe was made with {package} {version}, and this is {present}: "
            "the numbers may differ in their last digits.",
            package=which,
            version=str(made_with[which]),
            present=now,
        )
        for which, now in versions().items()
        if made_with.get(which, now) != now
    ]
    return shared_model(name, weights, str(torch.get_default_device())), tuple(notes)


def picture(given: ImageInput | Mapping[str, Any]) -> Image.Image:
    """The picture that a recipe names: {"file": ..., "sha256": its `images.digest`}, which must be that of the file."""
    if not isinstance(given, Mapping):
        return images.decode(given)
    named = fields("image", given, ("file", "sha256"))
    file = text("image", "file", named.get("file", ""))
    found = images.decode(file)
    if named.get("sha256", images.digest(found)) != images.digest(found):
        raise CamvizError(
            "the picture '{file}' is not the one that the recipe was made of: its pixels differ", file=file
        )
    return found


def fields(what: str, given: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    """A part of a recipe that has fields, none but the known ones. Raises CamvizError."""
    if not isinstance(given, Mapping):
        raise CamvizError(
            "the {part} of a recipe has the fields {fields}; got {given}",
            part=Message(what),
            fields=", ".join(known),
            given=repr(str(given)[:60]),
        )
    for key in given:
        if key not in known:
            raise unknown(Message("field"), str(key), known, Message("the {part} of a recipe", part=Message(what)))
    return given


def text(what: str, key: str, value: Any) -> str:
    """A value of a recipe that must be text. Raises CamvizError."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        whose = Message("the recipe") if what == "recipe" else Message("the {part} of a recipe", part=Message(what))
        raise CamvizError(
            "{whose} needs a '{key}', as text; got {value}", whose=whose, key=key, value=repr(str(value)[:60])
        )
    return value


def settings(explanation: Explanation) -> dict[str, Any]:
    """Everything that is needed to compute it again, and what came out and what it cost, ready for JSON."""
    return {
        **versions(),
        "image_sha256": explanation.image_digest,
        "fit": explanation.fit,
        "model": explanation.model,
        "weights": explanation.weights,
        "method": explanation.method,
        "layer": explanation.layer,
        "fuse": explanation.fuse,
        "target": explanation.target,
        "label": explanation.label,
        "score": explanation.score,
        # NaN, of a score without a class, is not JSON.
        "probability": float(explanation.probability) if math.isfinite(explanation.probability) else None,
        "knobs": dict(explanation.knobs),
        "seconds": float(explanation.seconds),
        "forward_passes": explanation.forward_passes,
        "backward_passes": explanation.backward_passes,
        "notes": list(explanation.notes),
    }


def settings_json(explanation: Explanation) -> str:
    """The settings as JSON text."""
    return json.dumps(settings(explanation), indent=2, ensure_ascii=False)


def to_recipe(explanation: Explanation, image_name: str) -> dict[str, Any]:
    """All that says how to compute it again, ready for JSON: `camviz.explain(**recipe)` gives the same numbers.

    `image_name` is the picture's file, which must lie beside; its pixels are checked. A file of weights must too.
    Raises CamvizError for a score of one's own, which is not data.
    """
    name, classes = _score(explanation.score)
    return {
        "model": {"name": explanation.model, "weights": _weights(explanation.weights), "made_with": versions()},
        "image": {"file": image_name, "sha256": explanation.image_digest},
        "method": explanation.method,
        "target": classes[0] if name == "logit" else {name: classes if len(classes) > 1 else classes[0]},
        "layer": explanation.layer,
        "fit": explanation.fit,
        "fuse": explanation.fuse or "mean",
        **explanation.knobs,
    }


def recipe_json(explanation: Explanation, image_name: str) -> str:
    """The recipe as JSON text."""
    return json.dumps(to_recipe(explanation, image_name), indent=2, ensure_ascii=False)


def snippet(explanation: Explanation, image_name: str) -> str:
    """The five lines of Python that compute it again; `image_name` is the picture's file, only quoted."""
    call = ["model", repr(image_name), repr(explanation.method), f"target={_target(explanation.score)}"]
    if explanation.layer is not None:
        call.append(f"layer={explanation.layer!r}")
    if explanation.fit != "crop":
        call.append(f"fit={explanation.fit!r}")
    if explanation.fuse == "max":
        call.append("fuse='max'")
    knobs = METHODS[explanation.method].knobs
    call += [f"{name}={value!r}" for name, value in explanation.knobs.items() if value != knobs[name].default]
    return (
        "import camviz\n\n"
        f"model = camviz.load_model({_network(explanation)})\n"
        f"explanation = camviz.explain({', '.join(call)})\n"
        'print(f"{explanation.label}: {explanation.probability:.1%}")\n'
        "explanation  # a notebook shows the picture with the map on it\n"
    )


def _network(explanation: Explanation) -> str:
    if is_custom(explanation.weights):
        return f"network, name={explanation.model!r}"
    weights = _weights(explanation.weights)
    return repr(explanation.model) + (f", weights={weights!r}" if weights != "default" else "")


def _weights(tag: str) -> str:
    """What load_model is given: of the weights only random ones, a file's name and one's own are not the default."""
    return tag if tag == "random" or is_custom(tag) or "." in tag else "default"


def _target(score: str) -> str:
    """A score's name as Python: the class index alone for a logit, since that is what an index as target means."""
    name, classes = _score(score)
    return str(classes[0]) if name == "logit" else f"camviz.scores.{name}({', '.join(map(str, classes))})"


def _score(text: str) -> tuple[str, list[int]]:
    """The name and the classes in a score's name."""
    known = re.fullmatch(r"(logit|probability|contrast)\(((?:[abc]=)?\d+(?:, (?:[abc]=)?\d+)*)\)", text)
    if not known:
        raise CamvizError("'{text}' is a score of your own, so only your own code can compute it again", text=text)
    return known[1], [int(index) for index in re.sub("[abc]=", "", known[2]).split(", ")]
