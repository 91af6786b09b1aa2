"""The downloads of Compare: the grid as an image, all heatmaps, a report."""

from collections.abc import Callable, Mapping
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import streamlit as st

from ... import encode, export, report, text
from ...explanation import recipe
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ...messages import Message
from ..results.grid import Grid, Place, joined
from ..session import settings
from ..session.language import tr, translator
from . import agreement

DrawAll = Callable[[], Mapping[Place, Any]]  # the finished maps as they are drawn
IMAGE = Message("Image")


def show_downloads(
    grid: Grid, maps: Mapping[Place, Explanation], draw: DrawAll, name: str, image: Question | None
) -> None:
    """Draw the downloads of `maps`; `draw` returns them as images, `name` is the name of the image of the page.

    `image` is a question about the image that is drawn before the heatmaps of a single row.
    """
    st.header(tr("Download"))
    buttons = st.container(horizontal=True)
    buttons.download_button(
        tr("Grid (PNG)"),
        partial(_sheet, grid, draw, name, image),
        "camviz-grid.png",
        "image/png",
        on_click="ignore",
    )
    buttons.download_button(
        tr("All heatmaps (ZIP)"),
        partial(_archive, grid, maps, draw),
        "camviz-grid.zip",
        "application/zip",
        on_click="ignore",
    )
    buttons.download_button(
        tr("Report (HTML)"),
        partial(_report, grid, maps, draw, settings.link(), *translator()),
        "camviz-grid.html",
        "text/html",
        on_click="ignore",
        help=tr("One file with the images, settings, numbers and how to read them; print it to get a PDF."),
    )


def pixels_of(question: Question) -> Any:
    """Return the part of the image that the model sees, in its original pixels, uint8 (H, W, 3)."""
    return np.asarray(question.model.original_view(question.image, question.fit))


def _report(
    grid: Grid,
    maps: Mapping[Place, Explanation],
    draw: DrawAll,
    link: str,
    language: str,
    say: report.Translator,
) -> str:
    """Return the finished cells and their agreement as an HTML report."""
    images = draw()
    names = {
        (row, column): f"{number}. {joined(say(grid.rows[row]), say(grid.columns[column]))}"
        for number, (row, column) in enumerate(maps, 1)
    }
    found = agreement.correlations(maps)
    table: list[list[str]] = []
    if any(found.values()):
        table = [[Message("map"), *(str(number) for number in range(1, len(maps) + 1))]]
        for place, others in found.items():
            values = {place: 1.0, **others}
            table.append([names[place], *(f"{values[one]:.2f}" if one in values else "–" for one in maps)])
    sections = report.comparison_sections(
        {names[place]: e for place, e in maps.items()},
        {names[place]: images[place] for place in maps},
        {names[place]: grid.at(*place).image.name for place in maps},
        table,
    )
    return report.to_html(Message("Comparison of heatmaps"), sections, link, language, say)


def _sheet(grid: Grid, draw: DrawAll, title: str, image: Question | None) -> bytes:
    """Return the grid as a PNG file with its labels."""
    images = draw()
    places = product(range(len(grid.rows)), range(len(grid.columns)))
    tiles = [images.get(place, "not computed") for place in places]
    labels = list(grid.columns)
    if image is not None:
        tiles, labels = [pixels_of(image), *tiles], [IMAGE, *labels]
    sheet = encode.contact_sheet(tiles, len(labels), title=title, row_labels=grid.rows, column_labels=labels)
    return encode.png(sheet)


def _archive(grid: Grid, maps: Mapping[Place, Explanation], draw: DrawAll) -> bytes:
    """Return every finished cell as PNG and NPZ, with all settings, as a ZIP."""
    images = draw()
    files: dict[str, bytes] = {}
    settings = []
    for (row, column), e in maps.items():
        name = text.file_name(f"{row + 1}-{column + 1}", grid.rows[row], grid.columns[column])
        files[f"{name}.png"] = encode.png(images[row, column])
        files[f"{name}.npz"] = export.npz(e)
        settings.append({"file": name, **recipe.settings(e)})
    return export.grid_zip(files, settings)
