"""A recipe: an explanation's settings as data (`export.recipe`), which `camviz.explain(**recipe)` computes again."""

from collections.abc import Mapping
from typing import Any

import torch
from PIL import Image

from . import images
from .errors import CamvizError, unknown
from .models import Model, is_own, offered, shared
from .models.model import Picture

Network = Model | str | Mapping[str, Any]

LONGEST = 2000  # characters of a value, as of several layers' names
OWN = (
    "this recipe is of a network of your own, '{name}', which data cannot hold: load it, and give it in place of the "
    "name, camviz.explain(**{{**recipe, 'model': model}})"
)


def versions() -> dict[str, str]:
    """What the numbers were computed with."""
    from . import __version__  # the package imports this module before it sets its version

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
    if is_own(weights) and name not in [entry.name for entry in offered() if entry.source == "own"]:
        raise CamvizError(OWN.format(name=name))
    made_with = fields("made_with", named.get("made_with", {}), tuple(versions()))
    notes = [
        f"This recipe was made with {which} {made_with[which]}, and this is {now}: "
        "the numbers may differ in their last digits."
        for which, now in versions().items()
        if made_with.get(which, now) != now
    ]
    return shared(name, weights, str(torch.get_default_device())), tuple(notes)


def picture(given: Picture | Mapping[str, Any]) -> Image.Image:
    """The picture that a recipe names: {"file": ..., "sha256": its `images.digest`}, which must be that of the file."""
    if not isinstance(given, Mapping):
        return images.decode(given)
    named = fields("image", given, ("file", "sha256"))
    file = text("image", "file", named.get("file", ""))
    found = images.decode(file)
    if named.get("sha256", images.digest(found)) != images.digest(found):
        raise CamvizError(f"the picture '{file}' is not the one that the recipe was made of: its pixels differ")
    return found


def fields(what: str, given: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    """A part of a recipe that has fields, none but the known ones. Raises CamvizError."""
    if not isinstance(given, Mapping):
        raise CamvizError(f"the {what} of a recipe has the fields {', '.join(known)}; got {str(given)[:60]!r}")
    for key in given:
        if key not in known:
            raise unknown("field", str(key), known, f"the {what} of a recipe")
    return given


def text(what: str, key: str, value: Any) -> str:
    """A value of a recipe that must be text. Raises CamvizError."""
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        whose = "the recipe" if what == "recipe" else f"the {what} of a recipe"
        raise CamvizError(f"{whose} needs a '{key}', as text; got {str(value)[:60]!r}")
    return value
