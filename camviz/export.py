"""Take it home: PNG, JPEG, NPZ, settings, recipe, the Python that reproduces it, and many pictures as one or a ZIP."""

import functools
import io
import json
import math
import re
import unicodedata
import zipfile
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from .errors import CamvizError
from .models import is_own
from .recipe import versions
from .registry import METHODS

if TYPE_CHECKING:
    from .explanation import Explanation

RGB = NDArray[np.uint8]

CELL, GAP, MARGIN, ROW_LABEL = 224, 12, 24, 150
BLACK, GRAY, PALE = "#111111", "#5a5f66", "#f1f2f4"


def png(rgb: RGB) -> bytes:
    """A picture (H, W, 3) uint8 as a PNG file."""
    return _file(_picture(rgb), "PNG")


def jpeg(rgb: RGB, quality: int = 90) -> bytes:
    """A picture (H, W, 3) uint8 as a JPEG file, many times faster to make than a PNG."""
    # A saliency map's colour changes from pixel to pixel, so the colours keep their full resolution.
    return _file(_picture(rgb), "JPEG", quality=quality, subsampling=0)


def npz(explanation: "Explanation") -> bytes:
    """A NumPy archive: attribution (raw and signed), heatmap, view, and settings (JSON text)."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        attribution=explanation.attribution,
        heatmap=explanation.heatmap,
        view=explanation.view,
        settings=np.array(settings_json(explanation)),
    )
    return file.getvalue()


def settings(explanation: "Explanation") -> dict[str, Any]:
    """Everything that is needed to compute it again, and what came out and what it cost, ready for JSON."""
    return {
        **versions(),
        "image_sha256": explanation.image_digest,
        "fit": explanation.fit,
        "model": explanation.model,
        "weights": explanation.weights,
        "method": explanation.method,
        "layer": explanation.layer,
        "fuse": explanation.fuse,
        "target": explanation.target,
        "label": explanation.label,
        "score": explanation.score,
        # NaN, of a score without a class, is not JSON.
        "probability": float(explanation.probability) if math.isfinite(explanation.probability) else None,
        "knobs": dict(explanation.knobs),
        "seconds": float(explanation.seconds),
        "forward_passes": explanation.forward_passes,
        "backward_passes": explanation.backward_passes,
        "notes": list(explanation.notes),
    }


def settings_json(explanation: "Explanation") -> str:
    """The settings as JSON text."""
    return json.dumps(settings(explanation), indent=2, ensure_ascii=False)


def recipe(explanation: "Explanation", image_name: str) -> dict[str, Any]:
    """All that says how to compute it again, ready for JSON: `camviz.explain(**recipe)` gives the same numbers.

    `image_name` is the picture's file, which must lie beside; its pixels are checked. A file of weights must too.
    Raises CamvizError for a score of one's own, which is not data.
    """
    name, classes = _score(explanation.score)
    return {
        "model": {"name": explanation.model, "weights": _weights(explanation.weights), "made_with": versions()},
        "image": {"file": image_name, "sha256": explanation.image_digest},
        "method": explanation.method,
        "target": classes[0] if name == "logit" else {name: classes if len(classes) > 1 else classes[0]},
        "layer": explanation.layer,
        "fit": explanation.fit,
        "fuse": explanation.fuse or "mean",
        **explanation.knobs,
    }


def recipe_json(explanation: "Explanation", image_name: str) -> str:
    """The recipe as JSON text."""
    return json.dumps(recipe(explanation, image_name), indent=2, ensure_ascii=False)


def snippet(explanation: "Explanation", image_name: str) -> str:
    """The five lines of Python that compute it again; `image_name` is the picture's file, only quoted."""
    call = ["model", repr(image_name), repr(explanation.method), f"target={_target(explanation.score)}"]
    if explanation.layer is not None:
        call.append(f"layer={explanation.layer!r}")
    if explanation.fit != "crop":
        call.append(f"fit={explanation.fit!r}")
    if explanation.fuse == "max":
        call.append("fuse='max'")
    knobs = METHODS[explanation.method].knobs
    call += [f"{name}={value!r}" for name, value in explanation.knobs.items() if value != knobs[name].default]
    return (
        "import camviz\n\n"
        f"model = camviz.load_model({_network(explanation)})\n"
        f"explanation = camviz.explain({', '.join(call)})\n"
        'print(f"{explanation.label}: {explanation.probability:.1%}")\n'
        "explanation  # a notebook shows the picture with the map on it\n"
    )


def file_name(*parts: str) -> str:
    """A safe file name without ending: the parts joined by '-', of a-z, 0-9, '_' and '-' only, 1 to 64 characters.

    >>> file_name("Café au lait", "grad_cam", "blocks.6")
    'cafe-au-lait-grad_cam-blocks-6'
    """
    slugs = [_slug(part) for part in parts]
    slugs = [slug for slug in slugs if slug][:32] or ["camviz"]
    while len("-".join(slugs)) > 64:
        # The longest part loses most, so that a long picture name does not push out the method and the layer.
        longest = max(range(len(slugs)), key=lambda place: len(slugs[place]))
        slugs[longest] = slugs[longest][:-1]
    return "-".join(slugs)


def grid_png(
    cells: Sequence[Sequence[RGB | None]],
    row_labels: Sequence[str],
    column_labels: Sequence[str],
    title: str = "",
    errors: Mapping[tuple[int, int], str] | None = None,
) -> bytes:
    """A grid of pictures as one labelled PNG on white.

    `cells[row][column]` is a picture (H, W, 3), or None for a cell without one, which then shows
    `errors[row, column]`, or "not computed". Pictures are fitted into squares, undistorted.
    """
    if len(cells) != len(row_labels) or any(len(row) != len(column_labels) for row in cells):
        raise CamvizError(f"the grid needs {len(row_labels)} rows of {len(column_labels)} cells, as many as labels")
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


def grid_zip(named: Mapping[str, bytes], settings: Any) -> bytes:
    """A ZIP of files by name, and `settings` as settings.json; names are made safe and never overwrite each other."""
    file = io.BytesIO()
    taken = {"settings.json"}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in named.items():
            stem, dot, ending = name.rpartition(".") if "." in name else (name, "", "")
            safe = f"{file_name(stem)}{dot}{_slug(ending)}"
            number = 2
            while safe in taken:
                safe = f"{file_name(stem, str(number))}{dot}{_slug(ending)}"
                number += 1
            taken.add(safe)
            # A fixed date: the same results give the same file.
            archive.writestr(zipfile.ZipInfo(safe), content)
        text = json.dumps(settings, indent=2, ensure_ascii=False)
        archive.writestr(zipfile.ZipInfo("settings.json"), text, zipfile.ZIP_DEFLATED)
    return file.getvalue()


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


def _network(explanation: "Explanation") -> str:
    if is_own(explanation.weights):
        return f"network, name={explanation.model!r}"
    weights = _weights(explanation.weights)
    return repr(explanation.model) + (f", weights={weights!r}" if weights != "default" else "")


def _weights(tag: str) -> str:
    """What load_model is given: of the weights only random ones, a file's name and one's own are not the default."""
    return tag if tag == "random" or is_own(tag) or "." in tag else "default"


def _target(score: str) -> str:
    """A score's name as Python: the class index alone for a logit, since that is what an index as target means."""
    name, classes = _score(score)
    return str(classes[0]) if name == "logit" else f"camviz.scores.{name}({', '.join(map(str, classes))})"


def _score(text: str) -> tuple[str, list[int]]:
    """The name and the classes in a score's name."""
    known = re.fullmatch(r"(logit|probability|contrast)\(((?:[abc]=)?\d+(?:, (?:[abc]=)?\d+)*)\)", text)
    if not known:
        raise CamvizError(f"'{text}' is a score of your own, so only your own code can compute it again")
    return known[1], [int(index) for index in re.sub("[abc]=", "", known[2]).split(", ")]


def _slug(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")


def _picture(rgb: RGB) -> Image.Image:
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise CamvizError(f"a picture is uint8 of shape (H, W, 3); got {rgb.dtype} of shape {rgb.shape}")
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
