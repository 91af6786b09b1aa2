"""One reference page for each method and each metric in Markdown, made from its docstring and its settings."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..evaluation.registry import METRICS, Metric
from ..feature_visualization import SYNTHESES
from ..messages import Message
from ..registry import FAMILIES, METHODS, Entry, Method, SynthesisMethod
from .reference import settings_table
from .samples import CONTROL, EXPLAINED, SAMPLE

# The words for the score, the class and the layer in the sentence under a heatmap.
ANY = {"score": "the score", "label": "the class", "where": " at the layer"}
DIRECTION = {"low": "Low values are good.", "high": "High values are good."}


def record_pages(samples: Path) -> dict[str, str]:
    """Return all pages by their path below docs/reference/. `samples`: the folder of `write_samples`."""
    facts = samples / "facts.json"
    known = json.loads(facts.read_text(encoding="utf-8")) if facts.exists() else {}
    pages = {f"methods/{key}.md": method_page(one, known.get(key, {})) for key, one in METHODS.items()}
    pages |= {f"methods/{key}.md": synthesis_page(one) for key, one in SYNTHESES.items()}
    return pages | {f"metrics/{key}.md": metric_page(one, known.get(key, {})) for key, one in METRICS.items()}


def method_page(method: Method, facts: Mapping[str, Any]) -> str:
    """Return the page of an attribution method. `facts`: of its map of the sample; empty if that was not computed."""
    base = METHODS[method.knobs["base"].default] if "base" in method.knobs else method
    reads = _filled(method.reads or method.tooltip, base.reads)
    blocks = [f"# {method.title}", method.tooltip]
    if facts:
        where = f", layer `{facts['layer']}`" if facts["layer"] else ""
        blocks += [
            f"![The sample image and the heatmap of {method.title} over it](../samples/{method.key}.jpg)",
            f"*`{SAMPLE}`, {facts['model']}, class {facts['label']}{where}, the default settings.*",
        ]
    blocks += ["## Idea and formula", *_explained(method.doc), "## How to read it", reads]
    if not method.class_specific:
        blocks.append("The map is the same for every class.")
    blocks += [
        "## What it does not show",
        _filled(method.caution, base.caution) or "It does not show how parts of the image work together.",
        *_settings(method),
        "## Cost",
        _cost(method, facts),
        *([f"## What it needs\n\nA network with {method.requires}."] if method.requires else []),
        "## In Python",
        _code(
            f'e = camviz.explain(model, "assets/samples/{SAMPLE}", "{method.key}")',
            "print(e.attribution.shape, e.label)",
        ),
        _sources(method),
        f"Family: {FAMILIES[method.family]}. All methods: [table](../../methods.md).",
    ]
    return "\n\n".join(blocks) + "\n"


def synthesis_page(method: SynthesisMethod) -> str:
    """Return the page of a method of feature visualization."""
    image = f', image="assets/samples/{SAMPLE}"' if method.starts_from_image else ""
    what = "" if method.layer == "none" else ', layer="blocks.4"' + (", channel=3" if not image else "")
    what = what or ', target="koala"'
    example = (
        f'made = camviz.feature_visualization.synthesize(model, "{method.key}"{image}{what})',
        "print(made.image.shape)",
    )
    return f"{short_page(method, example)}\nAll methods: [table](../../methods.md).\n"


def short_page(record: Entry, example: Sequence[str]) -> str:
    """Return the page of a record that has no map of the sample. `example`: lines of Python after `model` is loaded."""
    blocks = [
        *(f"# {record.title}", record.tooltip, "## Idea and formula"),
        *_explained(record.doc),
        *_settings(record),
        "## In Python",
        _code(*example),
        _sources(record),
    ]
    return "\n\n".join(blocks) + "\n"


def metric_page(metric: Metric, facts: Mapping[str, Any]) -> str:
    """Return the page of a metric. `facts`: its numbers of the sample; empty if they were not computed."""
    unit = "explanations" if metric.explains_again else "forward passes"
    blocks = [f"# {metric.title}", metric.tooltip, "## Idea and formula", *_explained(metric.doc)]
    blocks += ["## How to read it", DIRECTION[metric.better]]
    if facts:
        one, other = METHODS[EXPLAINED].title, METHODS[CONTROL].title
        blocks.append(
            f"Of `{SAMPLE}` with the embedded EfficientNet-Lite0: {facts[EXPLAINED]:.3f} for {one}, "
            f"{facts[CONTROL]:.3f} for the control [{other}](../methods/{CONTROL}.md). One image proves nothing: "
            "compare over many images, with intervals, as the page Evaluate does."
        )
    blocks += [
        "## What it does not show",
        metric.limitation,
        *_settings(metric),
        "## Cost",
        f"{metric.cost} {unit} at the default settings." if metric.cost else "It needs no pass of the network.",
        "## In Python",
    ]
    if metric.of_mosaics:
        blocks.append("It is measured on mosaics of four images: see the page Evaluate, or `Subject` in the API.")
    else:
        blocks.append(
            _code(
                f'e = camviz.explain(model, "assets/samples/{SAMPLE}", "{EXPLAINED}")',
                f'print(float(camviz.measure(e, "{metric.key}")))',
            )
        )
    blocks += [_sources(metric), "All metrics: [table](../../metrics.md)."]
    return "\n\n".join(blocks) + "\n"


def _filled(sentence: str, base: str) -> str:
    """Return a sentence of a method with general words for the score, the class and the layer."""
    filled = str(Message(sentence, **ANY, base=str(Message(base, **ANY, base=""))))
    return filled.strip()


def _explained(doc: str) -> list[str]:
    """Return the paragraphs of a docstring after its first line, formulas in fixed pitch."""
    paragraphs = [part.strip() for part in doc.partition("\n")[2].split("\n\n") if part.strip()]
    return [f"```text\n{part}\n```" if " = " in part or ":=" in part else _escaped(part) for part in paragraphs]


def _escaped(text: str) -> str:
    return "".join("\\" + letter if letter in "*_<[]" else letter for letter in text)


def _settings(record: Entry) -> list[str]:
    return ["## Settings", settings_table(record)] if record.knobs else []


def _cost(method: Method, facts: Mapping[str, Any]) -> str:
    passes = "Many passes of the network" if method.many_passes else "One or two passes of the network"
    if facts:
        passes += f"; for the map above, {facts['passes']}"
    return f"{passes}. Time and memory beside other packages: [Speed and memory](../../speed.md)."


def _code(*lines: str) -> str:
    start = ("import camviz", "", 'model = camviz.load_model("efficientnet_lite0")')
    return "\n".join(("```python", *start, *lines, "```"))


def _sources(record: Entry) -> str:
    """Return the section with the paper and the source file. The hook of the site corrects the link to the file."""
    file = record.function.__module__.replace(".", "/") + ".py"
    code = f" Code: [{file}](../../../{file})." if file.startswith("camviz/") else ""
    return f"## Source\n\n[Paper]({record.paper}).{code}"
