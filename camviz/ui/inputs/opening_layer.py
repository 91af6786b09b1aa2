"""The layer at which the page Inspect opens."""

from ...images import DecodedImage
from ...inspection import opening_layer as rule
from ...models import Model
from ...models.geometry import Fit
from ..server.queue import compute_queue
from ..server.store import result_store


def opening_layer(model: Model, image: DecodedImage, fit: Fit) -> str:
    """Return the deepest main layer whose strongest feature maps differ in their maximum; "" if there is no layer."""
    layers = [(layer.name, model.module(layer.name)) for layer in model.layers if layer.main]
    if not layers:
        return ""

    def find() -> str:
        with compute_queue().turn(lambda _: None):
            return rule.opening_layer(model.net, model.normalize(model.view(image, fit)), layers)

    return result_store().once(("opening layer", image.digest, fit, model.key), find)
