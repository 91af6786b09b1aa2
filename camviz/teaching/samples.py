"""The heatmap of each method and the number of each metric for one sample image, stored for the reference pages."""

import json
from pathlib import Path
from typing import Any

from .. import encode, render
from ..evaluation.registry import METRICS
from ..explanation.explain import explain
from ..explanation.explanation import Explanation
from ..measurement import measure
from ..models import Model, load_model
from ..registry import METHODS
from ..runtime.installation import SAMPLES
from ..text import passes_text

SAMPLE, MODEL = "koala.jpg", "efficientnet_lite0"
QUALITY = 75  # of JPEG
EXPLAINED, CONTROL = "grad_cam", "center_gaussian"  # whose maps the metrics measure


def write_samples(folder: Path) -> None:
    """Write the missing files of a folder: `<key>.jpg` of each method, and facts.json."""
    file = folder / "facts.json"
    facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    methods = [key for key in METHODS if key not in facts or not (folder / f"{key}.jpg").exists()]
    metrics = [key for key, metric in METRICS.items() if key not in facts and not metric.of_mosaics]
    if not methods and not metrics:
        return
    folder.mkdir(parents=True, exist_ok=True)
    model = load_model(MODEL)
    for key in methods:
        explanation = explain(model, SAMPLES / SAMPLE, key)
        (folder / f"{key}.jpg").write_bytes(encode.jpeg(overlay_of(explanation), quality=QUALITY))
        facts[key] = facts_of(explanation, model)
        _write(file, facts)
    maps = {key: explain(model, SAMPLES / SAMPLE, key) for key in (EXPLAINED, CONTROL)}
    for key in metrics:
        facts[key] = {name: round(float(measure(one, key)), 6) for name, one in maps.items()}
        _write(file, facts)


def overlay_of(explanation: Explanation) -> render.RGB:
    """Return the heatmap over the image as the network saw it."""
    return render.overlay(explanation.view, explanation.heatmap)


def facts_of(explanation: Explanation, model: Model) -> dict[str, Any]:
    """Return the facts on a map that the page of its method shows."""
    return {
        "model": model.title,
        "label": explanation.label,
        "layer": explanation.layer,
        "passes": str(passes_text(explanation.forward_passes, explanation.backward_passes)),
    }


def _write(file: Path, facts: dict[str, Any]) -> None:
    file.write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")
