"""The tables of methods: `@method` fills them, everything else iterates them."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from .errors import CamvizError, unknown
from .messages import Message
from .runtime.progress import heartbeat

Family = Literal["gradient", "cam", "perturbation", "relevance", "control", "synthesis"]
FAMILIES: dict[Family, str] = {  # of the methods that explain a picture; those that make one stand in SYNTHESES
    "gradient": Message("gradients at the pixels"),
    "cam": Message("class activation maps"),
    "perturbation": Message("what happens when parts are hidden"),
    "relevance": Message("relevance propagation"),
    "control": Message("controls that look at no reasons"),
}
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Range:
    """The closed interval that a numeric knob may take, and the step of its slider."""

    low: float
    high: float
    step: float | None = None


@dataclass(frozen=True)
class Knob:
    """One keyword-only parameter of a method, as its signature declares it."""

    name: str
    type: type
    default: Any
    help: str = ""
    range: Range | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False

    def check(self, value: Any, owner: str) -> Any:
        """`value` converted to the knob's type; raises CamvizError where it does not fit."""
        if value is None and self.optional:
            return None
        if self.choices:
            if value not in self.choices:
                where = Message("the choices of {owner}", owner=owner)
                raise unknown(Message(self.name), str(value), self.choices, where)
            return value
        try:
            number = self.type(value)
        except (TypeError, ValueError, OverflowError):
            number = None
        whole = number is not None and (self.type is float or number == value)
        if not whole or (self.type is bool) != isinstance(value, bool):
            raise CamvizError(
                "{name} of {owner} must be {kind}; got {value}",
                name=self.name,
                owner=owner,
                kind=self.type.__name__,
                value=repr(value),
            )
        if self.range and not self.range.low <= number <= self.range.high:
            raise CamvizError(
                "{name} of {owner} must lie in {low:g} to {high:g}; got {value}",
                name=self.name,
                owner=owner,
                low=self.range.low,
                high=self.range.high,
                value=repr(value),
            )
        return number


@dataclass(frozen=True)
class Method:
    """What the pickers, tables and tests know of a method; callable as the bare function."""

    key: str
    title: str
    family: Family
    paper: str
    function: Callable[..., Any] = field(repr=False)
    knobs: Mapping[str, Knob] = field(repr=False)
    layer: Literal["none", "optional", "required"] = "none"
    many_passes: bool = False
    requires: str = ""
    class_specific: bool = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.family == "synthesis" or not self.many_passes:
            return self.function(*args, **kwargs)
        with heartbeat(kwargs.pop("progress", None)) as progress:
            return self.function(*args, **kwargs, progress=progress)

    @property
    def tooltip(self) -> str:
        """The first line of the docstring."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def doc(self) -> str:
        """The whole docstring: formula, symbols, strengths and weaknesses."""
        return inspect.getdoc(self.function) or ""

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Every knob's value: the given ones checked, the others at their default."""
        for name in given:
            if name not in self.knobs:
                raise unknown(Message("setting"), name, self.knobs, Message("the settings of {owner}", owner=self.key))
        return {name: knob.check(given.get(name, knob.default), self.key) for name, knob in self.knobs.items()}


METHODS: dict[str, Method] = {}
SYNTHESES: dict[str, Method] = {}


def method(
    title: str, *, family: Family, paper: str, requires: str = "", class_specific: bool = True
) -> Callable[[Function], Function]:
    """Add the decorated function to METHODS (family "synthesis": to SYNTHESES) by its name, and return it unchanged.

    The signature is the declaration: a parameter `layer` makes it a layer method (with a
    default: optional), `progress` one of many passes; the other keyword-only ones are its knobs.
    `requires` says what a network must have for it, where not every network has it. `class_specific` is False where the
    map is the same whatever the class.
    """

    def add(function: Function) -> Function:
        key, table = function.__name__, SYNTHESES if family == "synthesis" else METHODS
        if key in table and table[key].function.__module__ != function.__module__:
            raise CamvizError("two methods are called '{key}'", key=key)
        parameters = inspect.signature(function).parameters
        layer = parameters.get("layer")
        table[key] = Method(
            key=key,
            title=Message(title),
            family=family,
            paper=paper,
            function=function,
            knobs=knobs_of(function),
            layer="none" if layer is None else "required" if layer.default is layer.empty else "optional",
            many_passes="progress" in parameters,
            requires=Message(requires),
            class_specific=class_specific,
        )
        return function

    return add


def knobs_of(function: Callable[..., Any]) -> dict[str, Knob]:
    """The knobs that a signature declares: its keyword-only parameters but `progress`."""
    hints = get_type_hints(function, include_extras=True)
    keyword_only = inspect.Parameter.KEYWORD_ONLY
    return {
        name: _knob(name, hints[name], parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is keyword_only and name != "progress"
    }


def _knob(name: str, hint: Any, default: Any) -> Knob:
    extras: tuple[Any, ...] = ()
    if get_origin(hint) is Annotated:
        hint, *rest = get_args(hint)
        extras = tuple(rest)
    optional = type(None) in get_args(hint)
    if optional:
        hint = next(part for part in get_args(hint) if part is not type(None))
    choices = tuple(get_args(hint)) if get_origin(hint) is Literal else ()
    if default is inspect.Parameter.empty or not (choices or hint in (bool, int, float)):
        raise CamvizError(
            "the knob '{name}' needs a default and must be bool, int, float or a Literal; it is {hint}",
            name=name,
            hint=str(hint),
        )
    return Knob(
        name=name,
        type=str if choices else hint,
        default=default,
        help=next((extra for extra in extras if isinstance(extra, str)), ""),
        range=next((extra for extra in extras if isinstance(extra, Range)), None),
        choices=choices,
        optional=optional,
    )
