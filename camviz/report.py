"""Reports: a result as one self-contained HTML file, with its images, without scripts, suitable for printing."""

import base64
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from . import captions, encode, render
from .edits.edit import describe
from .errors import CamvizError
from .explanation import recipe
from .explanation.explanation import Explanation
from .explanation.recipe import versions
from .messages import SEMICOLON, Message, Value, join
from .models import Model, Prediction
from .registry import METHODS
from .render import RGB

Table = Sequence[Sequence[str]]  # the first row names the columns
Translator = Callable[[str], str]  # a text in the language of the report

HERE = Path(__file__).parent
STYLE = Markup((HERE / "report.css").read_text(encoding="utf-8"))  # trusted, so it is not escaped

HEAD = (Message("setting"), Message("value"))
AGAIN = Message("Compute it again")
PYTHON = [Message("In Python, with the image file in the working directory:")]
AGREEMENT = [
    Message(
        "Rank correlation: 1 = same order of pixels, 0 = unrelated, -1 = opposite order. "
        "Heatmaps can agree and still be wrong."
    )
]


@dataclass(frozen=True)
class ReportImage:
    """An image, (H, W, 3) or a JPEG, with its alternative text and a caption."""

    rgb: RGB | bytes = field(repr=False)
    alt: str
    caption: str = ""

    @property
    def base64(self) -> str:
        """The image as a JPEG file in base64."""
        return base64.b64encode(self.rgb if isinstance(self.rgb, bytes) else encode.jpeg(self.rgb)).decode()


@dataclass(frozen=True)
class Chart:
    """Named lines of (x, y), x from 0 to 1, with the titles of the axes and an alternative text."""

    lines: Mapping[str, tuple[Sequence[float], Sequence[float]]]
    across: str
    up: str
    alt: str

    @property
    def axes(self) -> Message:
        """The titles of both axes in one sentence."""
        return Message("{up}, against {across}", up=self.up, across=self.across)

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
    """A part of a report, in plain text. Empty fields are left out."""

    title: str
    text: Sequence[str] = ()
    images: Sequence[ReportImage] = ()
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
        link_label=Message("Shown again by"),
        made_with=Message("Made with {versions}.", versions=made_with),
        language=language,
        tr=translate,
        style=STYLE,
    )


def prediction_section(model: Model, view: RGB, image_name: str, predictions: Sequence[Prediction]) -> Section:
    """Return the section that shows the input and lists the predictions."""
    given = ReportImage(
        view,
        Message("{image}, as the model sees it", image=image_name),
        Message("{image}, as {model} sees it", image=image_name, model=model.name),
    )
    table = [(Message("class"), _answer_name(model)), *((one.label, one.shown()) for one in predictions)]
    return Section(Message("Input and predictions"), images=[given], table=table)


def explanation_sections(
    e: Explanation,
    predictions: Sequence[Prediction],
    image_name: str,
    color_map: str = "inferno",
    opacity: float = 0.8,
    percentile: float = 99.0,
    untouched: Explanation | None = None,
) -> list[Section]:
    """Return the sections on one explanation: input and predictions, heatmap, other views, settings, reproduction.

    `untouched`: the explanation of the image without its edit.
    """
    views = render.views(e.attribution, e.view, opacity, color_map, percentile)
    described = render.VIEWS[render.kind(e.attribution)]
    overlay = views.pop("Overlay")
    method = METHODS[e.method]
    return [
        prediction_section(e.question.model, e.view, image_name, predictions),
        Section(
            Message("Why: {method} of {label}", method=method.title, label=e.label),
            [
                captions.reading(e, predictions[0]),
                Message("Limitations: {caution}", caution=captions.caution(e)),
                *e.notes,
            ],
            [
                ReportImage(
                    overlay,
                    Message("{method} of {label} over the image", method=method.title, label=e.label),
                    Message(method.tooltip),
                )
            ],
        ),
        *([_edit_section(untouched, e, opacity, color_map, percentile)] if untouched else []),
        Section(
            Message("Other views"),
            images=[
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
        _reproduction(lambda: [recipe.snippet(e.question, image_name), recipe.recipe_json(e.question, image_name)]),
    ]


def comparison_sections(
    maps: Mapping[str, Explanation], shown: Mapping[str, RGB], image_names: Mapping[str, str], agreement: Table = ()
) -> list[Section]:
    """Return the sections on several heatmaps by name: side by side, their agreement, the settings of each.

    `shown`: the overlays. `image_names`: the files of the explained images. `agreement`: a table with names.
    """
    images = [
        ReportImage(
            shown[name],
            Message("{name}: heatmap of {label} over the image", name=name, label=e.label),
            Message("{first}: {second}", first=name, second=_label_with_answer(e)),
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
    return [
        Section(Message("Heatmaps"), images=images),
        Section(Message("Limitations"), cautions),
        *([Section(Message("Agreement of the heatmaps"), AGREEMENT, table=agreement)] if agreement else []),
        Section(Message("Common settings"), table=[HEAD, *alike]),
        Section(Message("Settings of each heatmap"), table=[(Message("heatmap"), *apart), *rows]),
        _reproduction(
            lambda: list(dict.fromkeys(recipe.snippet(e.question, image_names[name]) for name, e in maps.items()))
        ),
    ]


def _edit_section(before: Explanation, after: Explanation, *style: Any) -> Section:
    """Return the section on an edit: the heatmaps before and after it. `style`: arguments of render.views."""
    assert after.question.edit is not None
    images = []
    for title, one in ((Message("Before"), before), (Message("After"), after)):
        alt = Message("{title}: heatmap of {label}", title=title, label=one.label)
        overlay = render.views(one.attribution, one.view, *style)["Overlay"]
        caption = Message("{first}: {second}", first=title, second=_label_with_answer(one))
        images.append(ReportImage(overlay, alt, caption))
    return Section(Message("Edit"), [describe(after.question.edit)], images)


def facts(e: Explanation) -> dict[str, str]:
    """Return the question, the result and the cost of an explanation, as rows of a table."""
    knobs: list[str] = [
        Message("{first}: {second}", first=Message(name.replace("_", " ")), second=_value(value))
        for name, value in e.knobs.items()
        if value is not None
    ]
    found: dict[str, str] = {
        Message("model"): f"{e.model} ({e.question.model.weights})",
        Message("method"): METHODS[e.method].title,
        Message("explained"): Message("{label} ({score})", label=e.label, score=str(e.score)),
        _answer_name(e.question.model): e.shown,
        Message("layer"): e.layer or "",
        Message("layers fused by"): e.question.fusion if len(e.question.layers) > 1 else "",
        Message("image fitted by"): e.question.fit,
        Message("edit"): describe(e.question.edit) if e.question.edit else "",
        Message("settings"): join(knobs, SEMICOLON) if knobs else "",
        Message("largest value"): f"{e.attribution.max():.6g}",
        Message("smallest value"): f"{e.attribution.min():.6g}",
        Message("sum"): f"{e.attribution.sum(dtype=float):.6g}",
        Message("seconds"): f"{e.seconds:.2f}",
        Message("passes"): Message(
            "{forward} forward, {backward} backward", forward=e.forward_passes, backward=e.backward_passes
        ),
        Message("image's sha256"): e.question.image.digest,
    }
    return {name: value for name, value in found.items() if value}


def _value(value: Value) -> Value:
    """Return the value of a setting; the name of a choice is a Message."""
    return Message(value) if isinstance(value, str) else value


def _answer_name(model: Model) -> Message:
    return Message("probability") if model.has_probabilities else Message("value")


def _label_with_answer(e: Explanation) -> str:
    return Message("{label} {share}", label=e.label, share=e.shown) if e.shown else e.label


def _reproduction(code: Callable[[], list[str]]) -> Section:
    """Return the section with the code, or with the reason why a score cannot be written as code."""
    try:
        return Section(AGAIN, PYTHON, code=code())
    except CamvizError as error:
        return Section(AGAIN, [error.message])


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
