"""A result as one HTML file that needs nothing else: pictures inside it, no script, and it prints well."""

import base64
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import jinja2
from markupsafe import Markup

from . import captions, encode, render
from .errors import CamvizError
from .explanation import recipe
from .explanation.explanation import Explanation
from .explanation.recipe import versions
from .models import Prediction
from .registry import METHODS
from .render import RGB
from .text import percent

Table = Sequence[Sequence[str]]  # the first row names the columns
Translator = Callable[[str], str]  # a text in the language of the report

HERE = Path(__file__).parent
STYLE = Markup((HERE / "report.css").read_text(encoding="utf-8"))  # not escaped: it is CamViz's own

PYTHON = ["In Python, with the picture's file beside it:"]
AGREEMENT = [
    "Rank correlation: 1 = same order of pixels, 0 = unrelated, -1 = opposite order. "
    "Heatmaps can agree and still be wrong."
]


@dataclass(frozen=True)
class ReportImage:
    """A picture, (H, W, 3) or a JPEG, with what it shows, for those who do not see it, and a caption for all."""

    rgb: RGB | bytes = field(repr=False)
    alt: str
    caption: str = ""

    @property
    def base64(self) -> str:
        """The image as a JPEG file in base64."""
        return base64.b64encode(self.rgb if isinstance(self.rgb, bytes) else encode.jpeg(self.rgb)).decode()


@dataclass(frozen=True)
class Chart:
    """Named lines of (x, y), x from 0 to 1; what the axes say, and what the chart shows in words."""

    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    across: str
    up: str
    alt: str

    @property
    def axes(self) -> str:
        """What both axes show."""
        return f"{self.up}, against {self.across}"

    @property
    def low(self) -> float:
        """The value at the bottom: 0, or the smallest one below it."""
        return min(0.0, *(min(ys) for _, ys in self.lines.values()))

    @property
    def high(self) -> float:
        """The value at the top: 1, or the largest one above it."""
        return max(1.0, *(max(ys) for _, ys in self.lines.values()))

    @property
    def points(self) -> dict[str, str]:
        """Each line by its name as SVG points, in a plot from (40, 10) to (580, 230)."""
        low, high = self.low, self.high
        return {
            name: " ".join(
                f"{40 + 540 * x:.1f},{230 - 220 * (y - low) / (high - low):.1f}" for x, y in zip(xs, ys, strict=True)
            )
            for name, (xs, ys) in self.lines.items()
        }


@dataclass(frozen=True)
class Section:
    """A part of a report; what is empty is left out. All of it is plain text."""

    title: str
    text: Sequence[str] = ()
    pictures: Sequence[ReportImage] = ()
    charts: Sequence[Chart] = ()
    table: Table = ()
    code: Sequence[str] = ()


def to_html(
    title: str, sections: Sequence[Section], link: str = "", language: str = "en", translate: Translator = str
) -> str:
    """Return the report as HTML: the sections in their order, a link that shows the same result, and the versions.

    `translate` puts every English text except code into `language`, which is the value of HTML's `lang`.
    """
    made_with = ", ".join(f"{name} {version}" for name, version in versions().items())
    return _template().render(
        title=title,
        sections=sections,
        link=link,
        link_label="Shown again by",
        made_with=f"Made with {made_with}.",
        language=language,
        tr=translate,
        style=STYLE,
    )


def explanation_sections(
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
            [ReportImage(overlay, f"{method.title} of {e.label} over the image", method.tooltip)],
        ),
        Section(
            "Other views",
            pictures=[ReportImage(rgb, f"{name}: {described[name]}", name) for name, rgb in views.items()],
        ),
        Section("Settings and numbers", [f"Paper: {method.paper}"], table=[("setting", "value"), *facts(e).items()]),
        _reproduction(lambda: [recipe.snippet(e.question, image_name), recipe.recipe_json(e.question, image_name)]),
    ]


def comparison_sections(
    maps: Mapping[str, Explanation], shown: Mapping[str, RGB], image_names: Mapping[str, str], agreement: Table = ()
) -> list[Section]:
    """The sections on several maps by their names: side by side, how far they agree, the settings of each.

    `shown` are the pictures of the maps, `image_names` the files that they explain, `agreement` a table with names.
    """
    pictures = [
        ReportImage(shown[name], f"{name}: heatmap of {e.label} over the image", f"{name}: {_chance(e)}")
        for name, e in maps.items()
    ]
    cautions = list(dict.fromkeys(f"{METHODS[e.method].title}: {captions.caution(e)}" for e in maps.values()))
    settings = {name: facts(e) for name, e in maps.items()}
    keys = dict.fromkeys(key for found in settings.values() for key in found)
    values = {key: [found.get(key, "") for found in settings.values()] for key in keys}
    alike = [(key, found[0]) for key, found in values.items() if len(set(found)) == 1]
    apart = {key: found for key, found in values.items() if len(set(found)) > 1}
    rows = zip(settings, *apart.values(), strict=True)
    return [
        Section("The maps", pictures=pictures),
        Section("What they do not say", cautions),
        *([Section("How far they agree", AGREEMENT, table=agreement)] if agreement else []),
        Section("In all of them", table=[("setting", "value"), *alike]),
        Section("In each of them", table=[("map", *apart), *rows]),
        _reproduction(
            lambda: list(dict.fromkeys(recipe.snippet(e.question, image_names[name]) for name, e in maps.items()))
        ),
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


def _reproduction(code: Callable[[], list[str]]) -> Section:
    """Return the section with the code, or with the reason why a score cannot be written as code."""
    try:
        return Section("Compute it again", PYTHON, code=code())
    except CamvizError as error:
        return Section("Compute it again", [error.message])


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2")
