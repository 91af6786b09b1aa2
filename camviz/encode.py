"""Pixels as files: PNG, JPEG, labeled grids and contact sheets."""

import functools
import io
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .errors import CamvizError

RGB = NDArray[np.uint8]


CELL, GAP, MARGIN, ROW_LABEL = 224, 12, 24, 150


BLACK, GRAY, PALE = "#111111", "#5a5f66", "#f1f2f4"


def png(rgb: RGB) -> bytes:
    """A picture (H, W, 3) uint8 as a PNG file."""
    return _file(_picture(rgb), "PNG")


def jpeg(rgb: RGB, quality: int = 90) -> bytes:
    """A picture (H, W, 3) uint8 as a JPEG file, many times faster to make than a PNG."""
    # A saliency map's color changes from pixel to pixel, so the colors keep their full resolution.
    return _file(_picture(rgb), "JPEG", quality=quality, subsampling=0)


def grid_png(
    cells: Sequence[Sequence[RGB | None]],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str = "",
    errors: Mapping[tuple[int, int], str] | None = None,
) -> bytes:
    """A grid of pictures as one labeled PNG on white.

    `cells[row][column]` is a picture (H, W, 3), or None for a cell without one, which then shows
    `errors[row, column]`, or "not computed". Pictures are fitted into squares, undistorted.
    """
    if len(cells) != len(row_labels) or any(len(row) != len(column_labels) for row in cells):
        raise CamvizError(
            "the grid needs {rows} rows of {columns} cells, as many as labels",
            rows=len(row_labels),
            columns=len(column_labels),
        )
    side = ROW_LABEL if any(row_labels) else 0
    left, width = MARGIN + side, len(column_labels) * (CELL + GAP) - GAP
    heading = wrap(title, side + width, 22, lines=3)
    columns = [wrap(label, CELL, 16, lines=3) for label in column_labels]
    header = max((len(lines) for lines in columns), default=0) * 20
    top = MARGIN + len(heading) * 28 + (8 if heading else 0) + header + (6 if header else 0)
    height = top + len(cells) * (CELL + GAP) - GAP + MARGIN
    canvas = Image.new("RGB", (left + max(width, CELL) + MARGIN, height), "white")
    draw = ImageDraw.Draw(canvas)
    _write(draw, heading, (MARGIN, MARGIN), 22, 28)
    for column, lines in enumerate(columns):
        _write(draw, lines, (left + column * (CELL + GAP), top - 6 - len(lines) * 20), 16, 20)
    for row, pictures in enumerate(cells):
        y = top + row * (CELL + GAP)
        lines = wrap(row_labels[row], ROW_LABEL - GAP, 16, lines=CELL // 20)
        _write(draw, lines, (MARGIN, y + (CELL - len(lines) * 20) // 2), 16, 20)
        for column, picture in enumerate(pictures):
            x = left + column * (CELL + GAP)
            if picture is not None:
                fitted = _fit(_picture(picture))
                canvas.paste(fitted, (x + (CELL - fitted.width) // 2, y + (CELL - fitted.height) // 2))
                continue
            draw.rectangle((x, y, x + CELL - 1, y + CELL - 1), fill=PALE)
            reason = (errors or {}).get((row, column), "not computed")
            lines = wrap(reason, CELL - 24, 14, lines=(CELL - 24) // 18)
            _write(draw, lines, (x + 12, y + (CELL - len(lines) * 18) // 2), 14, 18, GRAY)
    return _file(canvas, "PNG")


def sheet_jpeg(tiles: Sequence[tuple[RGB | None, str]], columns: int = 6) -> bytes:
    """Pictures with a caption of at most two lines under each, row by row, as one JPEG on white; None: left pale."""
    under = 2 * 18 + 8
    rows = max(1, math.ceil(len(tiles) / columns))
    size = (2 * MARGIN + columns * (CELL + GAP) - GAP, 2 * MARGIN + rows * (CELL + under))
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)
    for place, (picture, caption) in enumerate(tiles):
        x, y = MARGIN + place % columns * (CELL + GAP), MARGIN + place // columns * (CELL + under)
        draw.rectangle((x, y, x + CELL - 1, y + CELL - 1), fill=PALE)
        if picture is not None:
            fitted = _fit(_picture(picture))
            canvas.paste(fitted, (x + (CELL - fitted.width) // 2, y + (CELL - fitted.height) // 2))
        _write(draw, wrap(caption, CELL, 14, lines=2), (x, y + CELL + 2), 14, 18, GRAY)
    return _file(canvas, "JPEG", quality=85)


def wrap(text: str, width: float, size: int, lines: int | None = None) -> list[str]:
    """`text` broken into lines of at most `width` pixels in the built-in font; an ellipsis ends what exceeds `lines`.

    Breaks come after spaces and -._/, and inside a word only where it is too long for a line of its own.
    """
    font = _font(size)
    # The built-in font has no multiplication sign, which layer sizes are written with.
    words = re.split(r"(?<=[\s\-._/,])(?![\s\-._/,])", " ".join(text.replace("×", "x").split()))
    broken = [""]
    while words:
        word = words.pop(0)
        if font.getlength((broken[-1] + word).rstrip()) <= width:
            broken[-1] += word
        elif broken[-1] and font.getlength(word.rstrip()) <= width:
            broken.append(word)
        elif broken[-1]:
            broken.append("")
            words.insert(0, word)
        else:
            fits = max(1, sum(font.getlength(word[: end + 1]) <= width for end in range(len(word))))
            broken[-1] = word[:fits]
            words[:0] = [word[fits:]] if word[fits:] else []
    if lines is not None and len(broken) > lines:
        last = broken[lines - 1].rstrip()
        while last and font.getlength(last + "…") > width:
            last = last[:-1].rstrip()
        broken[lines - 1 :] = [last + "…"]
    return [line.rstrip() for line in broken if line.strip()]


def _picture(rgb: RGB) -> Image.Image:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise CamvizError(
            "a picture is uint8 of shape (H, W, 3); got {dtype} of shape {shape}", dtype=str(rgb.dtype), shape=rgb.shape
        )
    return Image.fromarray(rgb)


def _fit(picture: Image.Image) -> Image.Image:
    scale = CELL / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def _file(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _write(
    draw: ImageDraw.ImageDraw, lines: list[str], at: tuple[float, float], size: int, step: int, fill: str = BLACK
) -> None:
    for number, line in enumerate(lines):
        draw.text((at[0], at[1] + number * step), line, fill=fill, font=_font(size))
