"""PNG and JPEG files, montages and labeled contact sheets of images."""

import functools
import io
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .errors import CamvizError

RGB = NDArray[np.uint8]

# Pixels of a contact sheet.
CELL, GAP, MARGIN, ROW_LABEL, CAPTION = 224, 12, 24, 150, 44
BLACK, GRAY, PALE = "#111111", "#5a5f66", "#f1f2f4"


def png(rgb: RGB) -> bytes:
    """Return an image (H, W, 3) uint8 as a PNG file."""
    return _file(_image(rgb), "PNG")


def jpeg(rgb: RGB, quality: int = 90) -> bytes:
    """Return an image (H, W, 3) uint8 as a JPEG file, which is encoded many times faster than a PNG."""
    # The color of a saliency map changes from pixel to pixel, so the chroma is not subsampled.
    return _file(_image(rgb), "JPEG", quality=quality, subsampling=0)


def montage(images: Sequence[RGB], columns: int, gap: int = 0) -> RGB:
    """Return images (H, W, 3) of one size as one image, row by row, with white gaps."""
    height, width, _ = images[0].shape
    rows = math.ceil(len(images) / columns)
    whole = np.full((rows * (height + gap) - gap, min(len(images), columns) * (width + gap) - gap, 3), 255, np.uint8)
    for number, image in enumerate(images):
        top, left = number // columns * (height + gap), number % columns * (width + gap)
        whole[top : top + height, left : left + width] = image
    return whole


def contact_sheet(
    tiles: Sequence[RGB | str],
    columns: int,
    captions: Sequence[str] = (),
    *,
    title: str = "",
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
) -> RGB:
    """Return images of any size on one white sheet, row by row, with labels and a caption of two lines under each.

    A tile is an image (H, W, 3), fitted undistorted into a square, or the text of a square without an image. Raises
    CamvizError if the number of labels or captions differs from that of rows, columns or tiles.
    """
    rows = max(1, math.ceil(len(tiles) / columns))
    given = ((row_labels, rows), (column_labels, columns), (captions, len(tiles)))
    if any(labels and len(labels) != count for labels, count in given):
        raise CamvizError(
            "a contact sheet of {rows} rows, {columns} columns and {images} images cannot have {row_labels} row "
            "labels, {column_labels} column labels and {captions} captions",
            rows=rows,
            columns=columns,
            images=len(tiles),
            row_labels=len(row_labels),
            column_labels=len(column_labels),
            captions=len(captions),
        )
    side = ROW_LABEL if any(row_labels) else 0
    width = columns * (CELL + GAP) - GAP
    step = CELL + (CAPTION if captions else GAP)
    title_lines = wrap(title, side + width, 22, lines=3)
    column_lines = [wrap(label, CELL, 16, lines=3) for label in column_labels]
    header = max(map(len, column_lines), default=0) * 20
    top = MARGIN + (len(title_lines) * 28 + 8 if title_lines else 0) + (header + 6 if header else 0)
    left = MARGIN + side
    sheet = Image.new("RGB", (left + width + MARGIN, top + rows * step - (0 if captions else GAP) + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    _write(draw, title_lines, (MARGIN, MARGIN), 22, 28)
    for column, lines in enumerate(column_lines):
        _write(draw, lines, (left + column * (CELL + GAP), top - 6 - len(lines) * 20), 16, 20)
    for row, label in enumerate(row_labels):
        lines = wrap(label, ROW_LABEL - GAP, 16, lines=CELL // 20)
        _write(draw, lines, (MARGIN, top + row * step + (CELL - len(lines) * 20) // 2), 16, 20)
    for number, tile in enumerate(tiles):
        x, y = left + number % columns * (CELL + GAP), top + number // columns * step
        if isinstance(tile, str):
            draw.rectangle((x, y, x + CELL - 1, y + CELL - 1), fill=PALE)
            lines = wrap(tile, CELL - 24, 14, lines=(CELL - 24) // 18)
            _write(draw, lines, (x + 12, y + (CELL - len(lines) * 18) // 2), 14, 18, GRAY)
        else:
            fitted = _fit(_image(tile))
            sheet.paste(fitted, (x + (CELL - fitted.width) // 2, y + (CELL - fitted.height) // 2))
        if captions:
            _write(draw, wrap(captions[number], CELL, 14, lines=2), (x, y + CELL + 2), 14, 18, GRAY)
    return np.asarray(sheet)


def wrap(text: str, width: float, size: int, lines: int | None = None) -> list[str]:
    """Return the text in lines of at most `width` pixels in the built-in font; an ellipsis ends text beyond `lines`.

    A line ends after a space or one of -._/ and inside a word only if the word is longer than a line. Pillow's
    ImageText.wrap breaks at spaces only, and raises an error for words as long as some names of layers.
    """
    font = _font(size)
    # Sizes of layers contain a multiplication sign, which the built-in font lacks.
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


def _image(rgb: RGB) -> Image.Image:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise CamvizError(
            "an image is uint8 of shape (H, W, 3); got {dtype} of shape {shape}", dtype=str(rgb.dtype), shape=rgb.shape
        )
    return Image.fromarray(rgb)


def _fit(image: Image.Image) -> Image.Image:
    scale = CELL / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)


def _file(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _write(
    draw: ImageDraw.ImageDraw, lines: list[str], at: tuple[float, float], size: int, step: int, fill: str = BLACK
) -> None:
    for number, line in enumerate(lines):
        draw.text((at[0], at[1] + number * step), line, fill=fill, font=_font(size))
