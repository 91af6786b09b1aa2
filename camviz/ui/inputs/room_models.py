"""The models that people share in a room, which all people inside can choose until the room ends."""

from weakref import WeakKeyDictionary

import torch

from ...errors import RoomEndedError
from ...models import Entry, Model, shared_model
from ...training.head import head_of, with_classes
from ..server.rooms import Shared, SharedHead, rooms
from ..session.language import tr
from . import membership

PREFIX = "custom:room-"  # before the digest of a shared model, in the URL

_built: WeakKeyDictionary[SharedHead, dict[str, Model]] = WeakKeyDictionary()  # by device; gone with the room


def entries() -> dict[str, Entry]:
    """Return the models that are shared in this visitor's room, by name; none outside of a room."""
    return {name: Entry(name, title(one), "custom") for name, one in _shared().items()}


def load(name: str, device: str) -> Model | None:
    """Return a model of this visitor's room; None for any other name."""
    one = _shared().get(name)
    if one is None:
        return None
    models = _built.setdefault(one.head, {})
    if device not in models:
        base = shared_model(one.head.network, "default", device)
        weight, bias = torch.from_numpy(one.head.weight), torch.from_numpy(one.head.bias)
        models[device] = with_classes(base, one.head.class_names, weight, bias, title(one))
    return models[device]


def share(network: str, model: Model) -> None:
    """Share a model that was trained on the features of a network in this visitor's room. Raises RoomError."""
    held = membership.seat()
    if held is not None:
        weight, bias = head_of(model)
        rooms().share(held.token, SharedHead(network, model.categories, weight.numpy().copy(), bias.numpy().copy()))


def is_shared(network: str, model: Model) -> bool:
    """Return whether this very model, trained on the features of a network, is shared in this visitor's room."""
    asked = network, model.categories
    alike = [name for name, one in _shared().items() if (one.head.network, one.head.class_names) == asked]
    found = [load(name, str(model.device)) for name in alike]
    return any(one is not None and one.weights == model.weights for one in found)


def title(one: Shared) -> str:
    """Return the title in the list of models: the classes, and the student's nickname or, for a teacher, the code."""
    held = membership.seat()
    by = one.by or (held.code if held else "")
    text = f"{' - '.join(one.head.class_names)[:60]} ({by})"
    return "".join(letter for letter in text if letter.isalnum() or letter in " .-()")


def missing_text() -> str:
    """Return why a model of a room cannot be shown."""
    return tr(
        "This model is shared in a room, and only people inside can use it, until the room ends or another model "
        "replaces it."
    )


def _shared() -> dict[str, Shared]:
    held = membership.seat()
    if held is None:
        return {}
    try:
        return {PREFIX + one.head.digest: one for one in rooms().shared(held.token)}
    except RoomEndedError:  # the page Room shows a note on it
        return {}
