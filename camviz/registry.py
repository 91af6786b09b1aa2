"""The tables of attribution methods and synthesis methods, filled by the decorators `method` and `synthesis`."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from .errors import ExtensionError, UnknownKeyError, unknown
from .messages import Message
from .method_call import Choices as Choices
from .method_call import Knob as Knob
from .method_call import Range as Range
from .method_call import checked_settings, finite_map, method_arguments
from .runtime.precision import MODES, computing, current_mode
from .runtime.progress import heartbeat

Family = Literal["gradient", "cam", "perturbation", "relevance", "control"]
LayerUse = Literal["none", "optional", "required"]
FAMILIES: dict[Family, str] = {
    "gradient": Message("gradients at the pixels"),
    "cam": Message("class activation maps"),
    "perturbation": Message("what happens when parts are hidden"),
    "relevance": Message("relevance propagation"),
    "control": Message("controls that ignore the prediction"),
}
Function = TypeVar("Function", bound=Callable[..., Any])
Record = TypeVar("Record", bound="Entry")


MODE = Knob(
    name="mode",
    type=str,
    default="exact",
    help="Fast computes with fewer bits where that is quicker: bfloat16 in passes without gradients, TF32 on CUDA",
    accepted=MODES,
)


@dataclass(frozen=True)
class Entry:
    """One function of a table, with its title, paper and settings; callable as the function."""

    key: str
    title: str
    paper: str
    function: Callable[..., Any] = field(repr=False)
    knobs: Mapping[str, Knob] = field(repr=False)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    @property
    def tooltip(self) -> str:
        """The first line of the docstring."""
        return self.doc.partition("\n")[0]

    @property
    def doc(self) -> str:
        """The whole docstring: formula, symbols, strengths and weaknesses."""
        return inspect.getdoc(self.function) or ""

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the value of every knob: the given ones checked, the others at their default."""
        for name in given:
            if name not in self.knobs:
                raise unknown(Message("setting"), name, self.knobs, Message("the settings of {owner}", owner=self.key))
        return {name: knob.check(given.get(name, knob.default), self.key) for name, knob in self.knobs.items()}


@dataclass(frozen=True)
class Method(Entry):
    """An attribution method of METHODS: it explains an image."""

    family: Family
    layer: LayerUse = "none"
    many_passes: bool = False
    requires: str = ""
    class_specific: bool = True
    pixels: bool = False
    reads: str = ""
    caution: str = ""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        mode = current_mode()
        if self.knobs.get(MODE.name) == MODE:
            mode = MODE.check(kwargs.pop(MODE.name, mode), self.key)
        given = method_arguments(self.title, self.function, args, kwargs)
        checked_settings(self.knobs, given, self.key)
        if not self.many_passes:
            return finite_map(self.title, self.function(*given.args, **given.kwargs))
        with computing(mode), heartbeat(given.arguments.get("progress")) as given.arguments["progress"]:
            return finite_map(self.title, self.function(*given.args, **given.kwargs))


@dataclass(frozen=True)
class SynthesisMethod(Entry):
    """A method of SYNTHESES: it makes an image."""

    layer: LayerUse = "none"
    starts_from_image: bool = False


class Table(dict[str, Record]):
    """The entries of one kind by their keys. An unknown key raises a KeyError that names the nearest one."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind

    def __getitem__(self, key: object) -> Record:
        if isinstance(key, str) and key in self:
            return super().__getitem__(key)
        raise UnknownKeyError(unknown(self.kind, str(key)[:60], self, "CamViz").message)


METHODS: Table[Method]
SYNTHESES: Table[SynthesisMethod]
_METHODS, _SYNTHESES = Table[Method](Message("method")), Table[SynthesisMethod](Message("synthesis"))
_FILLED_BY = {"METHODS": ("camviz.methods", _METHODS), "SYNTHESES": ("camviz.feature_visualization", _SYNTHESES)}


def __getattr__(name: str) -> Any:
    """Return a table, after importing the package whose files fill it."""
    if (found := _FILLED_BY.get(name)) is None:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    import_module(found[0])
    return found[1]


def method(
    title: str,
    *,
    family: Family,
    paper: str,
    requires: str = "",
    class_specific: bool = True,
    pixels: bool = False,
    reads: str = "",
    caution: str = "",
) -> Callable[[Function], Function]:
    """Add the decorated function to METHODS under its own name, and return it unchanged.

    The signature is the declaration: a parameter `layer` makes it a layer method (with a default: optional),
    `progress` a method of many passes, which has the knob MODE too; the other keyword-only parameters are its knobs.
    `requires`: what a network must have, if not every network has it. `class_specific=False`: the map is the same for
    every class.
    `pixels=True`: the map is signed and has a value for each color of each pixel, (B, C, H, W). `reads`: what the
    heatmap shows, with {score}, {label} and {where} (the layer); by default the tooltip. `caution`: what it does not
    show.
    """

    def add(function: Function) -> Function:
        fields, many_passes = declared(function, title, paper), "progress" in inspect.signature(function).parameters
        if many_passes:
            fields["knobs"].setdefault(MODE.name, MODE)
        entry = Method(
            **fields,
            family=family,
            layer=_layer_use(function),
            many_passes=many_passes,
            requires=Message(requires),
            class_specific=class_specific,
            pixels=pixels,
            reads=Message(reads),
            caution=Message(caution),
        )
        register(_METHODS, entry)
        return function

    return add


def synthesis(title: str, *, paper: str) -> Callable[[Function], Function]:
    """Add the decorated function to SYNTHESES under its own name, and return it unchanged.

    The signature is the declaration: a parameter `layer` makes it use a layer (with a default: optional), `image`
    makes it start from an image; the keyword-only parameters except `progress` are its knobs.
    """

    def add(function: Function) -> Function:
        entry = SynthesisMethod(
            **declared(function, title, paper),
            layer=_layer_use(function),
            starts_from_image="image" in inspect.signature(function).parameters,
        )
        register(_SYNTHESES, entry)
        return function

    return add


def declared(function: Callable[..., Any], title: str, paper: str) -> dict[str, Any]:
    """Return the fields of Entry for a function; its name becomes the key."""
    return {
        "key": function.__name__,
        "title": Message(title),
        "paper": paper,
        "function": function,
        "knobs": knobs_of(function),
    }


def register(table: dict[str, Record], entry: Record) -> None:
    """Add an entry to its table. Raises CamvizError if a function of another file has the same name."""
    if (before := table.get(entry.key)) and before.function.__module__ != entry.function.__module__:
        raise ExtensionError(
            "two functions have the name '{key}', one in {first} and one in {second}: rename one of them",
            key=entry.key,
            first=before.function.__module__,
            second=entry.function.__module__,
        )
    table[entry.key] = entry


def _layer_use(function: Callable[..., Any]) -> LayerUse:
    if (layer := inspect.signature(function).parameters.get("layer")) is None:
        return "none"
    return "required" if layer.default is layer.empty else "optional"


def knobs_of(function: Callable[..., Any]) -> dict[str, Knob]:
    """Return the knobs that a signature declares: its keyword-only parameters except `progress`."""
    hints = get_type_hints(function, include_extras=True)
    return {
        name: _knob(name, hints[name], parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and name != "progress"
    }


def _knob(name: str, hint: Any, default: Any) -> Knob:
    hint, *extras = get_args(hint) if get_origin(hint) is Annotated else (hint,)
    if optional := type(None) in get_args(hint):
        hint = next(part for part in get_args(hint) if part is not type(None))
    literal = get_origin(hint) is Literal
    found = next((extra for extra in extras if isinstance(extra, Choices)), None) if hint is str else None
    if default is inspect.Parameter.empty or not (literal or found or hint in (bool, int, float)):
        raise ExtensionError(
            "the knob '{name}' needs a default and must be bool, int, float, a Literal or a str with Choices; "
            "it is {hint}",
            name=name,
            hint=str(hint),
        )
    return Knob(
        name=name,
        type=str if literal else hint,
        default=default,
        help=next((extra for extra in extras if isinstance(extra, str)), ""),
        range=next((extra for extra in extras if isinstance(extra, Range)), None),
        accepted=found or (tuple(get_args(hint)) if literal else ()),
        optional=optional,
    )
