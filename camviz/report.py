"""A result as one HTML file that needs nothing else: pictures inside it, no script, and it prints well."""

import base64
import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from . import captions, encode, render
from .explanation import recipe
from .explanation.explanation import Explanation
from .explanation.recipe import versions
from .messages import SEMICOLON, Message, Value, join
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

HEAD = (Message("setting"), Message("value"))
AGAIN = Message("Compute it again")
PYTHON = [Message("In Python, with the picture's file beside it:")]
AGREEMENT = [
    Message("Rank correlation: 1 = the same order of pixels, 0 = unrelated, -1 = opposite. Agreement is not truth.")
]


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
    shown = f'<p>{told(Message("Shown again by"))} <a href="{_safe(link)}">{_safe(link)}</a></p>' if link else ""
    return (
        '<!DOCTYPE html>\n<html lang="' + _safe(language) + '">\n<head>\n<meta charset="utf-8">\n'
        # Whatever a browser is made to find in it, nothing of it is fetched or run.
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{told(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{told(title)}</h1>\n"
        f"{''.join(_section(section, told) for section in sections)}"
        f"<footer>{shown}<p>{told(Message('Made with {versions}.', versions=made_with))}</p></footer>\n"
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
            Message("What the network says"),
            pictures=[
                ReportImage(
                    e.view,
                    Message("{picture}, as the network sees it", picture=image_name),
                    Message("{picture}, as {model} sees it", picture=image_name, model=e.model),
                )
            ],
            table=[
                (Message("class"), Message("probability")),
                *((one.label, percent(one.probability)) for one in predictions),
            ],
        ),
        Section(
            Message("Why: {method} of {label}", method=method.title, label=e.label),
            [
                captions.reading(e, first.label, first.probability),
                Message("What it does not say. {caution}", caution=captions.caution(e)),
                *e.notes,
            ],
            [
                ReportImage(
                    overlay,
                    Message("{method} of {label} over the picture", method=method.title, label=e.label),
                    Message(method.tooltip),
                )
            ],
        ),
        Section(
            Message("Other views"),
            pictures=[
                ReportImage(
                    rgb,
                    Message("{first}: {second}", first=Message(name), second=Message(described[name])),
                    Message(name),
                )
                for name, rgb in views.items()
            ],
        ),
        Section(
            Message("Settings and numbers"),
            [Message("Paper: {link}", link=method.paper)],
            table=[HEAD, *facts(e).items()],
        ),
        Section(AGAIN, PYTHON, code=[recipe.snippet(e, image_name), recipe.recipe_json(e, image_name)]),
    ]


def of_maps(
    maps: Mapping[str, Explanation], shown: Mapping[str, RGB], image_names: Mapping[str, str], agreement: Table = ()
) -> list[Section]:
    """The sections on several maps by their names: side by side, how far they agree, the settings of each.

    `shown` are the pictures of the maps, `image_names` the files that they explain, `agreement` a table with names.
    """
    pictures = [
        ReportImage(
            shown[name],
            Message("{name}: map of {label} over the picture", name=name, label=e.label),
            Message("{first}: {second}", first=name, second=_chance(e)),
        )
        for name, e in maps.items()
    ]
    cautions = list(
        dict.fromkeys(
            Message("{first}: {second}", first=METHODS[e.method].title, second=captions.caution(e))
            for e in maps.values()
        )
    )
    settings = {name: facts(e) for name, e in maps.items()}
    keys = dict.fromkeys(key for found in settings.values() for key in found)
    values = {key: [found.get(key, "") for found in settings.values()] for key in keys}
    alike = [(key, found[0]) for key, found in values.items() if len(set(found)) == 1]
    apart = {key: found for key, found in values.items() if len(set(found)) > 1}
    rows = zip(settings, *apart.values(), strict=True)
    snippets = dict.fromkeys(recipe.snippet(e, image_names[name]) for name, e in maps.items())
    return [
        Section(Message("The maps"), pictures=pictures),
        Section(Message("What they do not say"), cautions),
        *([Section(Message("How far they agree"), AGREEMENT, table=agreement)] if agreement else []),
        Section(Message("In all of them"), table=[HEAD, *alike]),
        Section(Message("In each of them"), table=[(Message("map"), *apart), *rows]),
        Section(AGAIN, PYTHON, code=list(snippets)),
    ]


def facts(e: Explanation) -> dict[str, str]:
    """What an explanation is, what came out and what it cost, as a report names it."""
    knobs: list[str] = [
        Message("{first}: {second}", first=Message(name.replace("_", " ")), second=_value(value))
        for name, value in e.knobs.items()
        if value is not None
    ]
    found: dict[str, str] = {
        Message("network"): f"{e.model} ({e.weights})",
        Message("method"): METHODS[e.method].title,
        Message("explained"): Message("{label} ({score})", label=e.label, score=e.score),
        Message("probability"): percent(e.probability) if e.target is not None else "",
        Message("layer"): e.layer or "",
        Message("layers fused by"): e.fuse or "",
        Message("picture fitted by"): e.fit,
        Message("method's settings"): join(knobs, SEMICOLON) if knobs else "",
        Message("largest value"): f"{e.attribution.max():.6g}",
        Message("smallest value"): f"{e.attribution.min():.6g}",
        Message("sum"): f"{e.attribution.sum(dtype=float):.6g}",
        Message("seconds"): f"{e.seconds:.2f}",
        Message("passes"): Message(
            "{forward} forward, {backward} backward", forward=e.forward_passes, backward=e.backward_passes
        ),
        Message("picture's sha256"): e.image_digest,
    }
    return {name: value for name, value in found.items() if value}


def _value(value: Value) -> Value:
    """Return a setting's value: a choice by its name, a number as it is."""
    return Message(value) if isinstance(value, str) else value


def _chance(e: Explanation) -> str:
    return e.label if e.target is None else Message("{label} {share}", label=e.label, share=percent(e.probability))


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
    axes = told(Message("{up}, against {across}", up=chart.up, across=chart.across))
    ends = f'<text x="18" y="18">{high:.2g}</text><text x="18" y="234">{low:.2g}</text>'
    return (
        f'<figure><svg class="chart" viewBox="0 0 620 252" role="img" aria-label="{told(chart.alt)}">{ticks}{ends}'
        f"{''.join(drawn)}</svg><figcaption>{' '.join(legend)}<br>{axes}</figcaption></figure>"
    )


def _safe(text: str) -> str:
    return html.escape(text, quote=True)
