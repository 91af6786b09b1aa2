"""A result as one HTML file that needs nothing else: pictures inside it, no script, and it prints well."""

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from . import captions, encode, render
from .explanation import recipe
from .explanation.explanation import Explanation
from .explanation.recipe import versions
from .models import Prediction
from .registry import METHODS
from .render import RGB
from .text import percent

Table = Sequence[Sequence[str]]  # the first row names the columns
Translator = Callable[[str], str]  # a text in the language of the report

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
.chart { width: 100%; max-width: 42rem; } .chart text { font-size: 11px; fill: #50555c; text-anchor: middle; }
polyline, path { fill: none; stroke-width: 2; stroke: #2e6f95; } .tick { stroke: #d8dbe0; stroke-width: 1; }
.line-0 { stroke: #d55e00; stroke-width: 3; } .line-1 { stroke-dasharray: 2 4; } .line-2 { stroke-dasharray: 8 5; }
.line-3 { stroke-dasharray: 10 4 2 4; } .line-4 { stroke-dasharray: 16 6; } figcaption span { margin-right: 1rem; }
@media print { body { margin: 0; max-width: none; font-size: 11pt; } h2 { break-after: avoid; }
  pre { border: 1px solid #d8dbe0; background: none; } a { color: inherit; } }
"""

PYTHON = ["In Python, with the picture's file beside it:"]
AGREEMENT = ["Rank correlation: 1 = the same order of pixels, 0 = unrelated, -1 = opposite. Agreement is not truth."]


@dataclass(frozen=True)
class ReportImage:
    """A picture, (H, W, 3) or a JPEG, with what it shows, for those who do not see it, and a caption for all."""

    rgb: RGB | bytes = field(repr=False)
    alt: str
    caption: str = ""


@dataclass(frozen=True)
class Chart:
    """Named lines of (x, y), x from 0 to 1; what the axes say, and what the chart shows in words."""

    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    across: str
    up: str
    alt: str


@dataclass(frozen=True)
class Section:
    """A part of a report; what is empty is left out. All of it is plain text."""

    title: str
    text: Sequence[str] = ()
    pictures: Sequence[ReportImage] = ()
    charts: Sequence[Chart] = ()
    table: Table = ()
    code: Sequence[str] = ()


def write(title: str, sections: Sequence[Section], link: str = "", language: str = "en", say: Translator = str) -> str:
    """The report as HTML: `sections` in their order, then the link that shows the same, and the versions.

    `say` puts all but code, which the sections hold in English, into another `language` (its code in HTML).
    """

    def told(text: str) -> str:
        return _safe(say(text))

    made_with = ", ".join(f"{name} {version}" for name, version in versions().items())
    shown = f'<p>{told("Shown again by")} <a href="{_safe(link)}">{_safe(link)}</a></p>' if link else ""
    return (
        '<!DOCTYPE html>\n<html lang="' + _safe(language) + '">\n<head>\n<meta charset="utf-8">\n'
        # Whatever a browser is made to find in it, nothing of it is fetched or run.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{told(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{told(title)}</h1>\n"
        f"{''.join(_section(section, told) for section in sections)}"
        f"<footer>{shown}<p>{told(f'Made with {made_with}.')}</p></footer>\n"
        "</body>\n</html>\n"
    )


def of_explanation(
    e: Explanation,
    predictions: Sequence[Prediction],
    image_name: str,
    color_map: str = "cividis",
    opacity: float = 0.5,
    percentile: float = 99.0,
) -> list[Section]:
    """The sections on one explanation: what the network sees and says, the map, how to read it, how to get it again."""
    first = predictions[0]
    views = render.views(e.attribution, e.view, opacity, color_map, percentile)
    described = render.VIEWS[render.kind(e.attribution)]
    overlay = views.pop("Overlay")
    method = METHODS[e.method]
    return [
        Section(
            "What the network says",
            pictures=[
                ReportImage(e.view, f"{image_name}, as the network sees it", f"{image_name}, as {e.model} sees it")
            ],
            table=[("class", "probability"), *((one.label, percent(one.probability)) for one in predictions)],
        ),
        Section(
            f"Why: {method.title} of {e.label}",
            [
                captions.reading(e, first.label, first.probability),
                f"What it does not say. {captions.caution(e)}",
                *e.notes,
            ],
            [ReportImage(overlay, f"{method.title} of {e.label} over the picture", method.tooltip)],
        ),
        Section(
            "Other views",
            pictures=[ReportImage(rgb, f"{name}: {described[name]}", name) for name, rgb in views.items()],
        ),
        Section("Settings and numbers", [f"Paper: {method.paper}"], table=[("setting", "value"), *facts(e).items()]),
        Section(
            "Compute it again",
            PYTHON,
            code=[recipe.snippet(e.question, image_name), recipe.recipe_json(e.question, image_name)],
        ),
    ]


def of_maps(
    maps: Mapping[str, Explanation], shown: Mapping[str, RGB], image_names: Mapping[str, str], agreement: Table = ()
) -> list[Section]:
    """The sections on several maps by their names: side by side, how far they agree, the settings of each.

    `shown` are the pictures of the maps, `image_names` the files that they explain, `agreement` a table with names.
    """
    pictures = [
        ReportImage(shown[name], f"{name}: map of {e.label} over the picture", f"{name}: {_chance(e)}")
        for name, e in maps.items()
    ]
    cautions = list(dict.fromkeys(f"{METHODS[e.method].title}: {captions.caution(e)}" for e in maps.values()))
    settings = {name: facts(e) for name, e in maps.items()}
    keys = dict.fromkeys(key for found in settings.values() for key in found)
    values = {key: [found.get(key, "") for found in settings.values()] for key in keys}
    alike = [(key, found[0]) for key, found in values.items() if len(set(found)) == 1]
    apart = {key: found for key, found in values.items() if len(set(found)) > 1}
    rows = zip(settings, *apart.values(), strict=True)
    snippets = dict.fromkeys(recipe.snippet(e.question, image_names[name]) for name, e in maps.items())
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
        "network": f"{e.model} ({e.question.model.weights})",
        "method": METHODS[e.method].title,
        "explained": f"{e.label} ({e.score})",
        "probability": percent(e.probability) if e.target is not None else "",
        "layer": e.layer or "",
        "layers fused by": e.question.fusion if len(e.question.layers) > 1 else "",
        "picture fitted by": e.question.fit,
        "method's settings": "; ".join(knobs),
        "largest value": f"{e.attribution.max():.6g}",
        "smallest value": f"{e.attribution.min():.6g}",
        "sum": f"{e.attribution.sum(dtype=float):.6g}",
        "seconds": f"{e.seconds:.2f}",
        "passes": f"{e.forward_passes} forward, {e.backward_passes} backward",
        "picture's sha256": e.question.image.digest,
    }
    return {name: value for name, value in found.items() if value}


def _chance(e: Explanation) -> str:
    return e.label if e.target is None else f"{e.label} {percent(e.probability)}"


def _section(section: Section, told: Translator) -> str:
    parts = [f"<p>{told(text)}</p>" for text in section.text]
    if section.pictures:
        parts.append(f'<div class="pictures">{"".join(_picture(one, told) for one in section.pictures)}</div>')
    parts += [_chart(chart, told) for chart in section.charts]
    if section.table:
        names, *rows = section.table
        head = "".join(f"<th>{told(name)}</th>" for name in names)
        body = "".join(f"<tr>{''.join(f'<td>{told(cell)}</td>' for cell in row)}</tr>" for row in rows)
        parts.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    parts += [f"<pre>{_safe(text)}</pre>" for text in section.code]
    return f"<section><h2>{told(section.title)}</h2>\n{''.join(parts)}</section>\n"


def _picture(picture: ReportImage, told: Translator) -> str:
    jpeg = picture.rgb if isinstance(picture.rgb, bytes) else encode.jpeg(picture.rgb)
    data = base64.b64encode(jpeg).decode()
    caption = f"<figcaption>{told(picture.caption)}</figcaption>" if picture.caption else ""
    return f'<figure><img src="data:image/jpeg;base64,{data}" alt="{told(picture.alt)}">{caption}</figure>'


def _chart(chart: Chart, told: Translator) -> str:
    """The lines as SVG: the first one thick, the others told apart by their dashes, each named in the legend."""
    low = min(0.0, *(min(ys) for _, ys in chart.lines.values()))
    high = max(1.0, *(max(ys) for _, ys in chart.lines.values()))
    drawn, legend = [], []
    for number, (name, (xs, ys)) in enumerate(chart.lines.items()):
        places = ((40 + 540 * x, 230 - 220 * (y - low) / (high - low)) for x, y in zip(xs, ys, strict=True))
        points = " ".join(f"{across:.1f},{down:.1f}" for across, down in places)
        line = f'class="line-{min(number, 4)}"'
        drawn.append(f'<polyline {line} points="{points}"/>')
        legend.append(f'<span><svg width="40" height="10"><path {line} d="M0 5h40"/></svg> {told(name)}</span>')
    ticks = "".join(
        f'<path class="tick" d="M{left} 10v220"/><text x="{left}" y="246">{share}%</text>'
        for share, left in zip(range(0, 101, 20), range(40, 581, 108), strict=True)
    )
    axes = told(f"{chart.up}, against {chart.across}")
    ends = f'<text x="18" y="18">{high:.2g}</text><text x="18" y="234">{low:.2g}</text>'
    return (
        f'<figure><svg class="chart" viewBox="0 0 620 252" role="img" aria-label="{told(chart.alt)}">{ticks}{ends}'
        f"{''.join(drawn)}</svg><figcaption>{' '.join(legend)}<br>{axes}</figcaption></figure>"
    )


def _safe(text: str) -> str:
    return html.escape(text, quote=True)
