"""Loading a recipe of an explanation on the page Explain."""

import json
from typing import Any

import streamlit as st

from ... import scores
from ...edits.edit import check_edit
from ...errors import CamvizError, RecipeError
from ...explanation.explain import find_method
from ...explanation.recipe import fields, read_layers, text
from ...models import Weights
from ...models.catalog import torchvision_names, torchvision_weights
from ...scores import contrast, logit
from ..session import settings as session_settings
from ..session.language import error_text, tr
from . import image_input, model_input

LARGEST = 1  # MB
LONGEST = 400  # characters of what is said of a file
PARTS = ("model", "image", "method", "target", "layer", "fit", "fuse", "edit")


def load() -> None:
    """Draw the uploader for a recipe, whose settings are then applied; show an error if that fails."""
    with st.expander(tr("Load a recipe")):
        st.file_uploader(
            tr("Recipe (JSON)"),
            type="json",
            key="recipe",
            max_upload_size=LARGEST,
            on_change=_take,
            help=tr("A file downloaded as 'Recipe (JSON)'. It sets the image, model, layer, class and method."),
        )
        if refused := st.session_state.get("recipe_refused"):
            st.error(error_text(refused))


def _take() -> None:
    st.session_state["recipe_refused"] = None
    held: Any = st.session_state.get("recipe")
    if held is None:
        return
    try:
        session_settings.follow("recipe", settings_of(held.getvalue()))
    except CamvizError as error:
        said = error.message  # a file that somebody made may name something of any length
        st.session_state["recipe_refused"] = said if len(said) <= LONGEST else said[:LONGEST]


def settings_of(data: bytes) -> dict[str, str]:
    """Return the settings of a recipe as a link writes them. Raises CamvizError."""
    if len(data) > LARGEST * 2**20:  # the browser's limit is no limit to who writes to the server without one
        raise RecipeError("this file is over {limit} MB, so it is no recipe", limit=LARGEST)
    try:
        return _asked(json.loads(data))
    except CamvizError:
        raise
    except (ValueError, RecursionError) as error:
        raise RecipeError("this file is not JSON, so it is no recipe") from error


def _asked(recipe: Any) -> dict[str, str]:
    if not isinstance(recipe, dict) or not {"model", "image", "method"} <= recipe.keys():
        raise RecipeError("this file is no recipe: it names no model, image and method")
    method = find_method(text("recipe", "method", recipe["method"]))
    knobs = method.settings({name: value for name, value in recipe.items() if name not in PARTS})
    asked = {
        "img": _image_id(recipe["image"]),
        **_network(recipe["model"]),
        **_target(recipe.get("target")),
        **_layer(recipe.get("layer")),
        "edit": _edit(recipe.get("edit")),
        "method": method.key,
        **{key: text("recipe", key, recipe[key]) for key in ("fit", "fuse") if key in recipe},
    }
    return asked | {f"{method.key}.{name}": _written(value) for name, value in knobs.items()}


def _image_id(given: Any) -> str:
    image = fields("image", given, ("file", "sha256"))
    name, digest = (text("image", key, image.get(key, "")) for key in ("file", "sha256"))
    for known in image_input.choices().values():
        if known.digest == digest:
            return known.id
    raise RecipeError(
        "this recipe is of the image '{name}', which is not here: load it under 'Your own "
        "image', and then the recipe again",
        name=name[:60],
    )


def _is_default(name: str, weights: Any) -> bool:
    """Return whether these are the weights that a network of the catalog has here."""
    return name in torchvision_names() and weights == torchvision_weights(name).name


def _network(given: Any) -> dict[str, str]:
    model = {"name": given} if isinstance(given, str) else fields("model", given, ("name", "weights", "made_with"))
    name, weights = text("model", "name", model.get("name", "")), model.get("weights", "default")
    if isinstance(weights, str) and Weights.parse(weights).is_custom:
        return {"model": model_input.same(name, Weights.parse(weights)), "untrained": "0"}
    if weights not in ("default", "random") and not _is_default(name, weights):
        raise RecipeError(
            "this recipe's network has weights of its own ('{weights}'), which only Python can load",
            weights=str(weights)[:60],
        )
    return {"model": name, "untrained": str(int(weights == "random"))}


def _target(given: Any) -> dict[str, str]:
    if given is None:
        return {"target": "-1", "rather_than": "-1"}
    score = scores.from_data(given if isinstance(given, dict) else {"logit": given})
    if isinstance(score, contrast):
        return {"target": str(score.a), "rather_than": str(score.b)}
    if isinstance(score, logit):
        return {"target": str(score.c), "rather_than": "-1"}
    raise RecipeError("this recipe explains a probability, which only Python does: camviz.explain(**recipe)")


def _layer(given: Any) -> dict[str, str]:
    names = read_layers(given)
    if not names:
        return {"several": "0"}
    if len(names) == 1:
        return {"layer": names[0], "several": "0"}
    # Of all layers, as only the main ones are offered otherwise.
    return {"layer": names[0], "several": "1", "layers": ",".join(names), "all_layers": "1"}


def _edit(given: Any) -> str:
    """Return an edit as the page Explain writes it into a link: tool, fill or image, and mask."""
    edit = check_edit(given, read_image=lambda image: image_input.choices()[_image_id(image)].decoded)
    if edit is None:
        return ""
    if edit.seed or (edit.keep and edit.pasted):
        raise RecipeError("this recipe's edit can be made in Python only: camviz.explain(**recipe)")
    tool = "paste" if edit.pasted else "keep" if edit.keep else "hide"
    return f"{tool}.{_image_id(given['paste']) if edit.pasted else edit.fill}.{edit.mask}"


def _written(value: Any) -> str:
    return str(int(value)) if isinstance(value, bool) else "" if value is None else str(value)
