"""The job of a run over many images: a network, methods and metrics with their settings."""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..errors import CamvizError, unknown
from ..evaluation.registry import METRICS, Metric
from ..explanation.explain import find_method
from ..explanation.question import Fusion
from ..messages import Message
from ..models import Model, shared_model
from ..models.geometry import Fit
from ..registry import METHODS, Knob
from ..scores import contrast


@dataclass(frozen=True)
class Job:
    """The explanations to compute for every image: a network, methods and metrics with their settings.

    `target`: None = the class that the network predicts for each image, an index or a label; `rather_than`: the class
    with which it is contrasted. `knobs`: settings by the key of their method or metric. `batch`: images in one pass of
    methods of one or two passes. Raises CamvizError for an unknown name or setting.
    """

    model: str = "efficientnet_lite0"
    methods: tuple[str, ...] = ("grad_cam",)
    metrics: tuple[str, ...] = ("sparseness",)
    target: int | str | None = None
    rather_than: int | str | None = None
    layer: str | None = None
    fit: Fit = "crop"
    fuse: Fusion = "mean"
    weights: str = "default"
    device: str | None = None
    batch: int = 8
    knobs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for key in self.methods:
            find_method(key).settings(self.knobs.get(key, {}))
        for metric in self.metric_entries:
            metric.settings(self.knobs.get(metric.key, {}))
        for key in self.knobs:
            if key not in (*self.methods, *self.metrics):
                raise CamvizError(
                    "a setting is for '{key}', which is not computed; add it to the methods or metrics, {chosen}",
                    key=key,
                    chosen=", ".join((*self.methods, *self.metrics)),
                )
        if not self.methods:
            raise CamvizError("there is no method to compute: name at least one, such as grad_cam")
        if self.batch < 1:
            raise CamvizError("a batch holds at least 1 image; got {batch}", batch=self.batch)
        if self.rather_than is not None and self.target is None:
            raise CamvizError("--rather-than needs a class to contrast with: give --target too")

    @property
    def metric_entries(self) -> list[Metric]:
        """The metrics. Raises CamvizError for one that is unknown, or needs more than one image."""
        for key in self.metrics:
            if key not in METRICS:
                raise unknown(Message("metric"), key, METRICS, "CamViz")
            if METRICS[key].of_mosaics:
                raise CamvizError(
                    "{metric} is measured on mosaics of four images, not on single ones",
                    metric=METRICS[key].title,
                )
        return [METRICS[key] for key in self.metrics]

    def load(self) -> Model:
        """Return the model, one copy for the whole process. Raises CamvizError if it lacks the layer or the class."""
        model = shared_model(self.model, self.weights, self.device or str(torch.get_default_device()))
        for name in (self.layer or "").split(","):
            if name:
                model.layer(name)
        self.target_of(model)
        return model

    def target_of(self, model: Model) -> int | contrast | None:
        """Return the target for `explain`."""
        if self.target is None:
            return None
        index = model.class_index(self.target)
        return index if self.rather_than is None else contrast(index, model.class_index(self.rather_than))

    def settings_of(self, method: str) -> str:
        """Return everything that determines the numbers of a method, as JSON: equal texts give equal numbers."""
        file = Path(self.weights)
        return json.dumps(
            {
                "model": self.model,
                "weights": [self.weights, file.stat().st_mtime_ns]
                if self.weights not in ("default", "random") and file.is_file()
                else self.weights,
                "method": method,
                "target": [self.target, self.rather_than],
                "layer": self.layer,
                "fit": self.fit,
                "fuse": self.fuse,
                "knobs": METHODS[method].settings(self.knobs.get(method, {})),
                "metrics": {one.key: one.settings(self.knobs.get(one.key, {})) for one in self.metric_entries},
            }
        )


def setting(text: str) -> tuple[str, str, Any]:
    """Return method or metric, setting and value of a text such as score_cam.mode=fast. Raises CamvizError."""
    path, equals, value = text.partition("=")
    owner, dot, name = path.partition(".")
    if not (equals and dot):
        raise CamvizError("a setting is given as method.setting=value; got '{text}'", text=text)
    table: Mapping[str, Any] = METHODS if owner in METHODS else METRICS
    if owner not in table:
        raise unknown(Message("method"), owner, [*METHODS, *METRICS], "CamViz")
    if name not in table[owner].knobs:
        raise unknown(Message("setting"), name, table[owner].knobs, Message("the settings of {owner}", owner=owner))
    return owner, name, _parsed(table[owner].knobs[name], value, owner)


def _parsed(knob: Knob, text: str, owner: str) -> Any:
    if knob.optional and text == "":
        return None
    if knob.type is bool:
        if text not in SWITCH:
            raise CamvizError(
                "{setting} of {owner} is one of {choices}; got '{text}'",
                setting=knob.name,
                owner=owner,
                choices=", ".join(SWITCH),
                text=text,
            )
        return SWITCH[text]
    value: Any = text
    with suppress(ValueError):  # the check below has the better error message
        value = knob.type(text)
    return knob.check(value, owner)


SWITCH = {"on": True, "off": False, "true": True, "false": False, "1": True, "0": False}
