"""The numbers of all images as a table, and the downloads of the page Dataset."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import streamlit as st

from ... import export
from ...registry import Method
from ..session.language import tr, tr_class
from .tiles import Found


def table(found: Sequence[Found]) -> None:
    """Show all values as a table."""
    st.dataframe(
        [
            {
                tr("Image"): image.name,
                tr("Predicted class"): tr_class(tile.predicted),
                tr("Probability"): tile.probability,
                tr("Explained class"): tr_class(tile.explained),
                tr("Probability of the explained class"): tile.explained_probability,
                tr("Sparseness"): tile.sparseness,
            }
            for image, tile in found
        ],
        hide_index=True,
        width="stretch",
    )


def show_downloads(found: Sequence[Found], method: Method) -> None:
    """Draw the downloads: values and overlays."""
    buttons = st.container(horizontal=True)
    buttons.download_button(
        tr("Table (CSV)"), lambda: to_csv(found), "camviz-dataset.csv", "text/csv", on_click="ignore"
    )
    buttons.download_button(
        tr("Heatmaps (ZIP)"), lambda: _zip(found, method), "camviz-dataset.zip", "application/zip", on_click="ignore"
    )


def to_csv(found: Sequence[Found]) -> str:
    """Return the values as CSV; no cell is a spreadsheet formula."""
    file = io.StringIO()
    rows = _rows(found)
    writer = csv.DictWriter(file, rows[0])
    writer.writeheader()
    writer.writerows({key: _plain(value) for key, value in row.items()} for row in rows)
    return file.getvalue()


def _rows(found: Sequence[Found]) -> list[dict[str, Any]]:
    left_out = ("overlay", "shown_map", "cells", "reading", "caution")
    return [
        {"file": image.name, **{key: value for key, value in asdict(tile).items() if key not in left_out}}
        for image, tile in found
    ]


def _plain(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _zip(found: Sequence[Found], method: Method) -> bytes:
    files = {f"{image.name}-{method.key}.jpg": tile.overlay for image, tile in found if tile.overlay}
    return export.grid_zip(files, _rows(found))
