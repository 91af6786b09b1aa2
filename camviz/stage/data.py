"""The data for the script of a stage: the map, the image, the look, the color tables and all texts."""

import base64
import functools
from collections.abc import Callable, Mapping
from typing import Any

from .. import render
from ..messages import Message
from .look import Look
from .stage_map import Cells, StageMap

Translate = Callable[[str], str]


def stage_data(
    shown: StageMap | None,
    image: str,
    size: tuple[int, int],
    look: Look,
    alt: str,
    translate: Translate = str,
    *,
    group: str,
    name: str = "",
    peak: str = "",
    small: bool = False,
) -> dict[str, Any]:
    """Return the data of a stage: a heatmap over the image at an address, or the image alone.

    `size` is (height, width) of the area that map and image cover. Stages of one `group` share pointer, zoom and look;
    `name` identifies each of them. A `small` stage shows its tools only in full screen. `peak` is a text after the
    value at the upper end of the color bar.
    """
    values: dict[str, Any] = {"rows": 0, "columns": 0, "top": 0.0, "signed": False, "low": "", "high": ""}
    if shown is not None:
        values = {
            "values": shown.encoded,
            "bits": shown.bits,
            "rows": shown.values.shape[0],
            "columns": shown.values.shape[1],
            "top": shown.top,
            "signed": shown.signed,
            "low": f"{-shown.top:.3g}" if shown.signed else "0",
            "high": f"{shown.top:.3g}{peak}",
            "fields": _fields(shown.cells),
        }
    return {
        **values,
        "image": image,
        "height": size[0],
        "width": size[1],
        "group": group,
        "name": name,
        "small": small,
        "alt": alt,
        **_drawn(look, translate, shown),
    }


def tools_data(
    look: Look, group: str, relations: Mapping[str, Mapping[str, str]], translate: Translate = str
) -> dict[str, Any]:
    """Return the data of the tools of a group of stages: view, strength and color map.

    `relations[a][b]` is the text that stage b shows while the pointer is on stage a.
    """
    data: dict[str, Any] = dict.fromkeys(("image", "alt", "low", "high"), "")
    return data | {
        "rows": 0,
        "columns": 0,
        "height": 1,
        "width": 1,
        "group": group,
        "relations": relations,
        "tools_only": True,
        **_drawn(look, translate),
    }


def _drawn(look: Look, translate: Translate, shown: StageMap | None = None) -> dict[str, Any]:
    words = {
        "image": Message("Image"),
        "overlay": Message("Overlay"),
        "contour": Message("Contour"),
        "spotlight": Message("Spotlight"),
        "heatmap": Message("Heatmap"),
        "view": Message("View"),
        "strength": Message("Strength"),
        "threshold": Message("Threshold: hide weaker values"),
        "colors": Message("Color map"),
        "full": Message("Full screen"),
        "keys": Message("Arrow keys: read values. + and -: zoom. [ and ]: swipe. F: full screen."),
    }
    texts: dict[str, Any] = {key: translate(word) for key, word in words.items()}
    texts["readout"] = {kind: translate(text) for kind, text in _readout(shown.cells if shown else None).items()}
    tables = _tables(bool(shown and shown.signed), translate)
    return {"look": dict(look.__dict__), "reset": str(look), "tables": tables, "words": texts}


def _fields(cells: Cells | None) -> dict[str, Any] | None:
    if cells is None or cells.fields is None:
        return None
    return {"rows": cells.fields.rows, "columns": cells.fields.columns, "size": cells.fields.size}


def _readout(cells: Cells | None) -> dict[str, Message]:
    """Return the templates for a value: with a receptive field, with the whole image as receptive field, and short."""
    filled = {name: f"{{{name}}}" for name in ("value", "share", "row", "column", "height", "width")}
    short = Message("Value {value} ({share}), row {row}, column {column}", **filled)
    if cells is None:
        other = Message("Value {value}, {share} of the scale; row {row}, column {column}", **filled)
        return {"field": other, "whole": other, "short": short}
    filled["layer"] = cells.layer
    if cells.fields is None:
        other = Message(
            "Value {value}, {share} of the scale; row {row}, column {column} of {layer}; receptive field not known",
            **filled,
        )
        return {"field": other, "whole": other, "short": short}
    return {
        "short": short,
        "field": Message(
            "Value {value}, {share} of the scale; row {row}, column {column} of {layer}; receptive field "
            "{height} x {width} pixels",
            **filled,
        ),
        "whole": Message(
            "Value {value}, {share} of the scale; row {row}, column {column} of {layer}; receptive field: whole image",
            **filled,
        ),
    }


def _tables(signed: bool, translate: Translate) -> dict[str, dict[str, str]]:
    names = ["blue-red"] if signed else [name for name in render.COLOR_MAPS if name != "blue-red"]
    return {name: {"label": translate(name), "colors": _table(name)} for name in names}


@functools.cache
def _table(name: str) -> str:
    return base64.b64encode(render.color_table(name).tobytes()).decode()
