"""A result as one HTML file that needs nothing else: pictures inside it, no script, and it prints well."""

import base64
import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from . import export, render, words
from .explanation import Explanation
from .figures import percent
from .models import Prediction
from .recipe import versions
from .registry import METHODS
from .render import RGB

Table = Sequence[Sequence[str]]  # the first row names the columns

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1c1e21; background: #fff; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.7rem; } h2 { font-size: 1.25rem; margin-top: 2rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1rem; }
figure { margin: 0; break-inside: avoid; } img { width: 100%; border-radius: 4px; }
figcaption, footer { color: #50555c; font-size: 0.9rem; }
table { border-collapse: collapse; font-size: 0.9rem; margin-top: 1rem; } tr { break-inside: avoid; }
th, td { text-align: left; padding: 0.2rem 1rem 0.2rem 0; border-bottom: 1px solid #d8dbe0; vertical-align: top;
  overflow-wrap: anywhere; }
pre { background: #f3f4f6; padding: 0.8rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.85rem; }
@media print { body { margin: 0; max-width: none; font-size: 11pt; } h2 { break-after: avoid; }
  pre { border: 1px solid #d8dbe0; background: none; } a { color: inherit; } }
"""

PYTHON = ["In Python, with the picture's file beside it:"]
AGREEMENT = ["Rank correlation: 1 = the same order of pixels, 0 = unrelated, -1 = opposite. Agreement is not truth."]


@dataclass(frozen=True)
class Picture:
    """A picture (H, W, 3) with what it shows, for those who do not see it, and a caption for all."""

    rgb: RGB = field(repr=False)
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a report; what is empty is left out. All of it is plain text."""

    title: str
    text: Sequence[str] = ()
    pictures: Sequence[Picture] = ()
    table: Table = ()
    code: Sequence[str] = ()


def write(title: str, sections: Sequence[Section], link: str = "") -> str:
    """The report as HTML: `sections` in their order, then the link that shows the same, and the versions."""
    made_with = ", ".join(f"{name} {version}" for name, version in versions().items())
    shown = f'<p>Shown again by <a href="{_safe(link)}">{_safe(link)}</a></p>' if link else ""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        # Whatever a browser is made to find in it, nothing of it is fetched or run.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_safe(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{_safe(title)}</h1>\n"
        f"{''.join(map(_section, sections))}<footer>{shown}<p>Made with {_safe(made_with)}.</p></footer>\n"
        "</body>\n</html>\n"
    )


def of_explanation(
    e: Explanation,
    predictions: Sequence[Prediction],
    image_name: str,
    colour_map: str = "cividis",
    opacity: float = 0.5,
    percentile: float = 99.0,
) -> list[Section]:
    """The sections on one explanation: what the network sees and says, the map, how to read it, how to get it again."""
    first = predictions[0]
    views = render.views(e.attribution, e.view, opacity, colour_map, percentile)
    described = render.VIEWS[render.kind(e.attribution)]
    overlay = views.pop("Overlay")
    method = METHODS[e.method]
    return [
        Section(
            "What the network says",
            pictures=[Picture(e.view, f"{image_name}, as the network sees it", f"{image_name}, as {e.model} sees it")],
            table=[("class", "probability"), *((one.label, percent(one.probability)) for one in predictions)],
        ),
        Section(
            f"Why: {method.title} of {e.label}",
            [words.reading(e, first.label, first.probability), f"What it does not say. {words.caution(e)}", *e.notes],
            [Picture(overlay, f"{method.title} of {e.label} over the picture", method.tooltip)],
        ),
        Section(
            "Other views", pictures=[Picture(rgb, f"{name}: {described[name]}", name) for name, rgb in views.items()]
        ),
        Section("Settings and numbers", [f"Paper: {method.paper}"], table=[("setting", "value"), *facts(e).items()]),
        Section("Compute it again", PYTHON, code=[export.snippet(e, image_name), export.recipe_json(e, image_name)]),
    ]


def of_maps(
    maps: Mapping[str, Explanation], shown: Mapping[str, RGB], image_names: Mapping[str, str], agreement: Table = ()
) -> list[Section]:
    """The sections on several maps by their names: side by side, how far they agree, the settings of each.

    `shown` are the pictures of the maps, `image_names` the files that they explain, `agreement` a table with names.
    """
    pictures = [
        Picture(shown[name], f"{name}: map of {e.label} over the picture", f"{name}: {_chance(e)}")
        for name, e in maps.items()
    ]
    cautions = list(dict.fromkeys(f"{METHODS[e.method].title}: {words.caution(e)}" for e in maps.values()))
    settings = {name: facts(e) for name, e in maps.items()}
    keys = dict.fromkeys(key for found in settings.values() for key in found)
    values = {key: [found.get(key, "") for found in settings.values()] for key in keys}
    alike = [(key, found[0]) for key, found in values.items() if len(set(found)) == 1]
    apart = {key: found for key, found in values.items() if len(set(found)) > 1}
    rows = zip(settings, *apart.values(), strict=True)
    snippets = dict.fromkeys(export.snippet(e, image_names[name]) for name, e in maps.items())
    return [
        Section("The maps", pictures=pictures),
        Section("What they do not say", cautions),
        *([Section("How far they agree", AGREEMENT, table=agreement)] if agreement else []),
        Section("In all of them", table=[("setting", "value"), *alike]),
        Section("In each of them", table=[("map", *apart), *rows]),
        Section("Compute it again", PYTHON, code=list(snippets)),
    ]


def facts(e: Explanation) -> dict[str, str]:
    """What an explanation is, what came out and what it cost, as a report names it."""
    knobs = [f"{name.replace('_', ' ')}: {value}" for name, value in e.knobs.items() if value is not None]
    found = {
        "network": f"{e.model} ({e.weights})",
        "method": METHODS[e.method].title,
        "explained": f"{e.label} ({e.score})",
        "probability": percent(e.probability) if e.target is not None else "",
        "layer": e.layer or "",
        "layers fused by": e.fuse or "",
        "picture fitted by": e.fit,
        "method's settings": ", ".join(knobs),
        "largest value": f"{e.attribution.max():.6g}",
        "smallest value": f"{e.attribution.min():.6g}",
        "sum": f"{e.attribution.sum(dtype=float):.6g}",
        "seconds": f"{e.seconds:.2f}",
        "passes": f"{e.forward_passes} forward, {e.backward_passes} backward",
        "picture's sha256": e.image_digest,
    }
    return {name: value for name, value in found.items() if value}


def _chance(e: Explanation) -> str:
    return e.label if e.target is None else f"{e.label} {percent(e.probability)}"


def _section(section: Section) -> str:
    parts = [f"<p>{_safe(text)}</p>" for text in section.text]
    if section.pictures:
        parts.append(f'<div class="pictures">{"".join(map(_picture, section.pictures))}</div>')
    if section.table:
        names, *rows = section.table
        head = "".join(f"<th>{_safe(name)}</th>" for name in names)
        body = "".join(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in row)}</tr>" for row in rows)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    parts += [f"<pre>{_safe(text)}</pre>" for text in section.code]
    return f"<section><h2>{_safe(section.title)}</h2>\n{''.join(parts)}</section>\n"


def _picture(picture: Picture) -> str:
    data = base64.b64encode(export.jpeg(picture.rgb)).decode()
    caption = f"<figcaption>{_safe(picture.caption)}</figcaption>" if picture.caption else ""
    return f'<figure><img src="data:image/jpeg;base64,{data}" alt="{_safe(picture.alt)}">{caption}</figure>'


def _safe(text: str) -> str:
    return html.escape(text, quote=True)
