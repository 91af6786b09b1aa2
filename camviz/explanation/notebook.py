"""The display of an explanation in a notebook: the stage of the dashboard as a widget, or an image without widgets."""

import base64
import html
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from weakref import WeakKeyDictionary

import numpy as np
from torch import nn

from .. import encode, render
from ..messages import Message
from ..stage.data import stage_data
from ..stage.look import Look
from ..stage.stage_map import Cells, StageMap, layer_of

if TYPE_CHECKING:
    from .explanation import Explanation

LONGEST = 600  # pixels of the longer side of the image, because a saved notebook contains it once for each widget
SHORTEST = 224  # pixels of the longer side, to which the image of a smaller input is enlarged

_CELLS: WeakKeyDictionary[nn.Module, dict[str, Cells]] = WeakKeyDictionary()


def mime_bundle(e: "Explanation") -> dict[str, Any] | None:
    """Return the widget of an explanation and its replacements elsewhere, by MIME type; None without anywidget."""
    if find_spec("anywidget") is None:
        return None
    image = e.question.original_view(LONGEST)
    jpeg = "data:image/jpeg;base64," + base64.b64encode(encode.jpeg(np.asarray(image), quality=80)).decode()
    alt = Message("{method} of {label} over the image", method=e.question.method.title, label=e.label)
    shown = StageMap.of(e.attribution, cells=_cells(e))
    data = stage_data(shown, jpeg, (e.view.shape[0], e.view.shape[1]), Look(), alt, group=uuid4().hex)
    facts = " ".join((e.facts, *e.notes))
    # This imports anywidget, an optional package.
    widget = import_module("camviz.stage.widget").StageWidget(data, facts)
    bundle, _ = widget._repr_mimebundle_()
    both = encode.montage((e.view, render.overlay(e.view, e.heatmap)), 2, gap=8)
    times = max(1, SHORTEST // max(e.view.shape[:2]))
    both = both.repeat(times, axis=0).repeat(times, axis=1)
    encoded = base64.b64encode(encode.jpeg(both)).decode()
    tag = f'<img alt="{html.escape(alt)}" src="data:image/jpeg;base64,{encoded}">'
    return {
        **bundle,
        "text/plain": str(e.facts),
        "text/html": f"<div>{tag}<p>{html.escape(facts)}</p></div>",  # in place of the two images of _repr_html_
        "image/png": base64.b64encode(encode.png(both)).decode(),
    }


def _cells(e: "Explanation") -> Cells | None:
    model = e.question.model
    name = layer_of(model, e.question.layers, e.attribution.shape)
    if name is None:
        return None
    known = _CELLS.setdefault(model.net, {})
    if name not in known:
        known[name] = Cells.measured(model, name)
    return known[name]
