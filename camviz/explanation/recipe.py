"""A recipe: a question as JSON data; `camviz.explain(**recipe)` answers it again."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from .. import images
from ..edits.edit import Edit
from ..errors import CamvizError, LayerError, RecipeError, unknown
from ..images import DecodedImage, ImageSource
from ..messages import Message
from ..models import Layer, Model, Weights, loaded_once, offered_models, origin_of, shared_model
from ..scores import Score, contrast, logit, probability
from ..version import __version__
from .explanation import Explanation
from .question import Question

ModelInput = Model | nn.Module | str | Mapping[str, Any]
LayerInput = str | nn.Module | Layer | Sequence[str | nn.Module | Layer] | None

LONGEST = 2000  # characters of a text in a recipe
CUSTOM_MODEL = Message(
    "this recipe is for your own network '{name}', which a recipe cannot contain: load it, and give it instead of the "
    "name, camviz.explain(**{{**recipe, 'model': model}})"
)


def versions() -> dict[str, str]:
    """Return the versions of the packages on which the numbers depend."""
    return {"camviz": __version__, "torch": str(torch.__version__)}


# ------------------------------------------------------------------------------------------------------ writing one


def to_recipe(question: Question, image_name: str) -> dict[str, Any]:
    """Return a question as data for JSON: `camviz.explain(**recipe)` gives the same numbers.

    `image_name` is the path of the image, relative to the working directory; its pixels are checked when the recipe is
    read. So is a file of weights. Raises CamvizError for a custom score, which is not data.
    """
    name, classes = _named(question.score)
    return {
        "model": {
            "name": _loaded_name(question.model),
            "weights": question.model.weights.argument,
            "made_with": versions(),
        },
        "image": {"file": image_name, "sha256": question.image.digest},
        "method": question.method.key,
        "target": classes[0] if name == "logit" else {name: classes if len(classes) > 1 else classes[0]},
        "layer": list(question.layers) if len(question.layers) > 1 else next(iter(question.layers), None),
        "fit": question.fit,
        "fuse": question.fusion,
        **({"edit": _edit(question.edit)} if question.edit else {}),
        **question.settings,
    }


def _edit(edit: Edit) -> dict[str, Any]:
    """Return the fields of an edit that differ from their default, as data."""
    found: dict[str, Any] = {"mask": edit.mask}
    if edit.pasted is not None:
        found["paste"] = {"file": edit.pasted.name, "sha256": edit.pasted.digest}
    elif edit.fill != "blur":
        found["fill"] = edit.fill
    if edit.keep:
        found["keep"] = True
    if edit.seed:
        found["seed"] = edit.seed
    return found


def recipe_json(question: Question, image_name: str) -> str:
    """Return the recipe as JSON text."""
    return json.dumps(to_recipe(question, image_name), indent=2, ensure_ascii=False)


def settings(explanation: Explanation) -> dict[str, Any]:
    """Return everything that determines an explanation, its result and its cost, as data for JSON."""
    question = explanation.question
    return {
        **versions(),
        "image_sha256": question.image.digest,
        "fit": question.fit,
        "model": question.model.name,
        "weights": str(question.model.weights),
        "method": question.method.key,
        "layer": explanation.layer,
        "fuse": question.fusion if len(question.layers) > 1 else None,
        "edit": _edit(question.edit) if question.edit else None,
        "target": explanation.target,
        "label": explanation.label,
        "score": repr(explanation.score),
        # JSON has no NaN, which is the probability of a score without a class.
        "probability": float(explanation.probability) if math.isfinite(explanation.probability) else None,
        **({} if question.model.has_probabilities else {"value": _value(explanation), "unit": question.model.unit}),
        "knobs": dict(question.settings),
        "seconds": float(explanation.seconds),
        "forward_passes": explanation.forward_passes,
        "backward_passes": explanation.backward_passes,
        "notes": [str(note) for note in explanation.notes],
    }


def _value(explanation: Explanation) -> float | None:
    value = float(explanation.result.value)
    return value if math.isfinite(value) else None


def settings_json(explanation: Explanation) -> str:
    """Return the settings as JSON text."""
    return json.dumps(settings(explanation), indent=2, ensure_ascii=False)


def snippet(question: Question, image_name: str) -> str:
    """Return the lines of Python that answer a question again; `image_name` is the path of the image."""
    return (
        "import camviz\n\n"
        f"model = camviz.load_model({model_arguments(question.model)})\n"
        f"explanation = camviz.explain({explain_arguments(question, repr(image_name))})\n"
        "print(explanation.label, explanation.shown)\n"
        "explanation  # a notebook shows the image with the heatmap on it\n"
    )


def explain_arguments(question: Question, image: str) -> str:
    """Return the arguments of `explain` that ask a question, as Python code; `image` is the code of its image."""
    name, classes = _named(question.score)
    target = str(classes[0]) if name == "logit" else f"camviz.scores.{name}({', '.join(map(str, classes))})"
    call = ["model", image, repr(question.method.key), f"target={target}"]
    if question.layers:
        call.append(f"layer={question.layers[0]!r}" if len(question.layers) == 1 else f"layer={[*question.layers]!r}")
    if question.fit != "crop":
        call.append(f"fit={question.fit!r}")
    if len(question.layers) > 1 and question.fusion != "mean":
        call.append(f"fuse={question.fusion!r}")
    if question.edit:
        data = _edit(question.edit)
        if "paste" in data:
            data["paste"] = data["paste"]["file"]
        call.append(f"edit={data!r}")
    knobs = question.method.knobs
    call += [f"{key}={value!r}" for key, value in question.settings.items() if value != knobs[key].default]
    return ", ".join(call)


def model_arguments(model: Model) -> str:
    """Return the arguments of load_model that load a model, as Python code."""
    if model.weights.is_custom:
        given = ["network", f"name={model.name!r}"]
        given += ["head='none'"] if model.head == "none" else []
        given += [f"unit={model.unit!r}"] if model.unit else []
        return ", ".join(given)
    weights = model.weights.argument
    return repr(_loaded_name(model)) + (f", weights={weights!r}" if weights != "default" else "")


def _loaded_name(model: Model) -> str:
    """Return the argument of load_model: a name of the catalog, or the path of a program file."""
    return model.weights.name if model.weights.kind == "program" else model.name


def _named(score: Score | None) -> tuple[str, list[int]]:
    """Return the name and the classes of a score. Raises CamvizError for a custom score."""
    if isinstance(score, contrast):
        return "contrast", [score.a, score.b]
    if isinstance(score, logit | probability):
        return type(score).__name__, [score.c]
    if score is None:
        raise RecipeError("this question has no class yet: answer it first, or give it a target")
    raise RecipeError("'{text}' is your own score, so only your own code can compute it again", text=repr(score))


# ------------------------------------------------------------------------------------------------------ reading one


def read_model(given: ModelInput) -> tuple[Model, tuple[Message, ...]]:
    """Return the model of a recipe, one copy for the whole process, and notes on differing versions.

    `given`: a Model, a name of the catalog, or {"name": ..., "weights": ..., "made_with": versions}.
    """
    if isinstance(given, Model):
        return given, ()
    if isinstance(given, nn.Module):
        return loaded_once(given), ()
    if not isinstance(given, str | Mapping):
        raise CamvizError(
            "a model is what camviz.load_model returns, an nn.Module, or a name of the catalog; got {kind}",
            kind=type(given).__name__,
        )
    named = {"name": given} if isinstance(given, str) else fields("model", given, ("name", "weights", "made_with"))
    name, weights = (
        text("model", "name", named.get("name", "")),
        text("model", "weights", named.get("weights", "default")),
    )
    known = [entry.name for entry in offered_models() if entry.source == "custom"]
    if Weights.parse(weights).is_custom and name not in known:
        raise RecipeError(CUSTOM_MODEL, name=name)
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


def read_image(given: ImageSource | Mapping[str, Any]) -> DecodedImage:
    """Return the decoded image. Raises CamvizError if its pixels differ from the recipe's digest, "sha256"."""
    if not isinstance(given, Mapping):
        return images.decode_image(given)
    named = fields("image", given, ("file", "sha256"))
    file = text("image", "file", named.get("file", ""))
    found = images.decode_image(file)
    if named.get("sha256", found.digest) != found.digest:
        raise RecipeError(
            "the pixels of '{file}' differ from those of the recipe's image: use the same file", file=file
        )
    return found


def read_layers(given: LayerInput, model: Model | None = None) -> tuple[str, ...] | None:
    """Return the dotted names of layers, given as text (several separated by commas), as modules, or as a list of them.

    A module belongs to the model's network, or to the network that this is a copy of. Without `model`, only names are
    accepted.
    """
    if given is None:
        return None
    if isinstance(given, str):
        return tuple((text("recipe", "layer", given) if given != "" else given).split(","))
    several = given if isinstance(given, list | tuple) else [given]
    if not several:
        raise LayerError("the list of layers is empty: name one, or leave it out for the model's default layer")
    return tuple(_layer_name(one, model) for one in several)


def _layer_name(given: Any, model: Model | None) -> str:
    if isinstance(given, str) or model is None:
        name: str = text("recipe", "layer", given)
        return name
    if isinstance(given, Layer):
        return str(given.name)
    if isinstance(given, nn.Module):
        for net in (model.net, origin_of(model.net)):
            for name, module in () if net is None else net.named_modules():
                if module is given:
                    return name
        raise LayerError(
            "this layer ({kind}) is not a module of {model}: give one of model.net, or its dotted name",
            kind=type(given).__name__,
            model=model.name,
        )
    raise LayerError(
        "a layer is a dotted name, such as {example}, or a module of the network; got {given}",
        example=repr(model.default_layer),
        given=repr(given)[:60],
    )


def fields(what: str, given: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    """Return a part of a recipe if it is a mapping with known fields only. Raises CamvizError otherwise."""
    if not isinstance(given, Mapping):
        raise RecipeError(
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
    """Return a value of a recipe if it is text. Raises CamvizError otherwise."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        whose = Message("the recipe") if what == "recipe" else Message("the {part} of a recipe", part=Message(what))
        raise RecipeError(
            "{whose} needs a '{key}', as text; got {value}", whose=whose, key=key, value=repr(str(value)[:60])
        )
    return value
