"""The feature visualizations of the embedded networks that are shipped in one file, and the function that writes it.

The file contains a WebP image for each channel that is among the strongest of the opening layer in any sample image.
"""

import io
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ..inspection.feature_maps import feature_maps
from ..inspection.opening_layer import opening_layer
from ..models import Model, load_model
from ..models.catalog import EMBEDDED
from ..runtime.installation import ASSETS, SAMPLES
from ..scores import logit
from .synthesis import RGB, synthesize

FILE = ASSETS / "feature_visualizations.zip"
SIZE = 160  # pixels of height and width
STEPS = 64
STRONGEST = 4  # channels of each sample image
QUALITY = 60  # of the WebP images


def stored_image(model: Model, layer: str, channel: int, file: Path = FILE) -> RGB | None:
    """Return the stored image (H, W, 3) of a channel; None if the file contains none for it."""
    if model.name not in EMBEDDED or model.weights.kind != "default" or not file.is_file():
        return None
    with zipfile.ZipFile(file) as archive:
        try:
            data = archive.read(_name(model.name, layer, channel))
        except KeyError:
            return None
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def write(file: Path = FILE, report: Callable[[str], object] = print) -> None:
    """Synthesize the images that the file lacks and add them; `report` is called with a line for each.

    The strongest channel of each sample image comes first, for each network, then the next strongest.
    """
    with zipfile.ZipFile(file, "a") as archive:
        there = set(archive.namelist())
    models = [load_model(name) for name in EMBEDDED]
    images = sorted(SAMPLES.glob("*.jpg"))
    todo = [(one, model) for model in models for one in chosen_channels(model, images)]
    for (_, layer, channel), model in sorted(todo, key=lambda item: item[0][0]):
        if (member := _name(model.name, layer, channel)) in there:
            continue
        small = replace(model, geometry=replace(model.geometry, size=(SIZE, SIZE)))
        made = synthesize(small, "activation_maximization", layer=layer, channel=channel, steps=STEPS)
        with zipfile.ZipFile(file, "a") as archive:  # closed after each image, so that an interrupted run keeps it
            archive.writestr(zipfile.ZipInfo(member), _webp(made.image))
        report(f"{member}: {made.seconds:.1f} s")


def chosen_channels(
    model: Model, images: Sequence[Path], strongest: int = STRONGEST
) -> tuple[tuple[int, str, int], ...]:
    """Return rank, layer and channel of the strongest channels of each image at its opening layer, each channel once.

    Rank 0 is the strongest of an image; the channels are ordered by their best rank.
    """
    main = [(layer.name, model.module(layer.name)) for layer in model.layers if layer.main]
    best: dict[tuple[str, int], int] = {}
    for image in images:
        x = model.preprocess(image)
        layer = opening_layer(model.net, x, main)
        maps = feature_maps(model.net, x, logit(0), model.module(layer))
        for rank, channel in enumerate(maps.order("strength")[:strongest].tolist()):
            best[layer, channel] = min(rank, best.get((layer, channel), rank))
    return tuple(sorted((rank, *place) for place, rank in best.items()))


def _name(model: str, layer: str, channel: int) -> str:
    return f"{model}/{layer}/{channel}.webp"


def _webp(image: RGB) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "WEBP", quality=QUALITY, method=6)
    return buffer.getvalue()
