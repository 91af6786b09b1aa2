"""Reference pages of all methods and metrics in Markdown, made from their signatures and docstrings."""

from collections.abc import Callable, Iterable, Mapping

from .. import methods as _methods  # noqa: F401  # fills METHODS
from ..evaluation.registry import METRICS, Metric
from ..feature_visualization import SYNTHESES
from ..registry import FAMILIES, METHODS, Entry, Knob, Method

GENERATED = "<!-- Written by `make docs` from the docstrings of camviz/{folder}/. Edit those instead. -->"


def methods_table() -> str:
    """Return all methods as a Markdown table, by family."""
    rows = ["| key | method | what it shows | family | layer | passes |", "|---|---|---|---|---|---|"]
    for method in _by_family():
        passes = "many" if method.many_passes else "one or two"
        rows.append(
            f"| `{method.key}` | [{method.title}]({method.paper}) | {method.tooltip} | {method.family} "
            f"| {method.layer} | {passes} |"
        )
    return "\n".join(rows)


def metrics_table() -> str:
    """Return all metrics as a Markdown table, by title."""
    rows = ["| key | metric | what it measures | better | what it cannot tell |", "|---|---|---|---|---|"]
    for metric in sorted(METRICS.values(), key=lambda metric: metric.title):
        rows.append(
            f"| `{metric.key}` | [{metric.title}]({metric.paper}) | {metric.tooltip} | {metric.better} "
            f"| {metric.limitation} |"
        )
    return "\n".join(rows)


def syntheses_table() -> str:
    """Return all methods of feature visualization as a Markdown table, by title."""
    rows = ["| key | method | what it makes |", "|---|---|---|"]
    for method in sorted(SYNTHESES.values(), key=lambda method: method.title):
        rows.append(f"| `{method.key}` | [{method.title}]({method.paper}) | {method.tooltip} |")
    return "\n".join(rows)


def methods_page() -> str:
    """Return docs/methods.md: the tables, then the formula and the settings of every method."""
    syntheses = sorted(SYNTHESES.values(), key=lambda method: method.title)
    return _page(
        GENERATED.format(folder="methods"),
        "# Methods",
        "All attribution methods, by family. The key is the `method` of `camviz.explain`.",
        methods_table(),
        "## Feature visualization",
        syntheses_table(),
        "## Formulas and settings",
        *map(_entry, [*_by_family(), *syntheses]),
    )


def metrics_page() -> str:
    """Return docs/metrics.md: the table, then the formula and the settings of every metric."""
    metrics = sorted(METRICS.values(), key=lambda metric: metric.title)
    return _page(
        GENERATED.format(folder="evaluation/metrics"),
        "# Metrics",
        "All metrics. The key is the `metric` of `camviz.measure`.",
        metrics_table(),
        *map(_entry, metrics),
    )


PAGES: Mapping[str, Callable[[], str]] = {"methods.md": methods_page, "metrics.md": metrics_page}


def _by_family() -> Iterable[Method]:
    order = list(FAMILIES)
    return sorted(METHODS.values(), key=lambda method: (order.index(method.family), method.title))


def _page(*blocks: str) -> str:
    return "\n\n".join(blocks) + "\n"


def _entry(record: Entry | Metric) -> str:
    """Return the section of a method or a metric: its docstring in fixed pitch, and its settings."""
    blocks = [f"### {record.title}", f"```text\n{record.doc}\n```"]
    if record.knobs:
        blocks.append(settings_table(record))
    return "\n\n".join(blocks)


def settings_table(record: Entry | Metric) -> str:
    """Return the settings of a method or a metric as a Markdown table."""
    rows = ["| setting | default | values | meaning |", "|---|---|---|---|"]
    return "\n".join([*rows, *map(_setting, record.knobs.values())])


def _setting(knob: Knob) -> str:
    if knob.choices:
        values = ", ".join(f"`{choice}`" for choice in knob.choices)
    elif knob.range:
        values = f"{knob.range.low:g} to {knob.range.high:g}"
    else:
        values = f"`{knob.type.__name__}`"
    return f"| `{knob.name}` | `{knob.default}` | {values} | {knob.help} |"
