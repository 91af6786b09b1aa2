"""What is to be done with every image."""

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
class Order:
    """What is to be done with every image: a network, methods and metrics, and their settings.

    `target`: None = the class that the network predicts for each image, an index or a label; `rather_than`: the class
    that it is held against. `knobs` are by the method or metric that they belong to; `batch` images are computed
    together by methods of one or two passes. Raises CamvizError where a name or a setting does not exist.
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
        for metric in self.measures:
            metric.settings(self.knobs.get(metric.key, {}))
        for key in self.knobs:
            if key not in (*self.methods, *self.metrics):
                raise CamvizError("a setting is for '{key}', which is not among what is to be computed", key=key)
        if not self.methods:
            raise CamvizError("there must be at least one method")
        if self.batch < 1:
            raise CamvizError("a batch holds at least 1 image; got {batch}", batch=self.batch)
        if self.rather_than is not None and self.target is None:
            raise CamvizError("'rather than' needs the class that it is held against: give the target too")

    @property
    def measures(self) -> list[Metric]:
        """The metrics, which are those that one image is enough for."""
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
        """The network, one copy for the whole process; raises CamvizError where it has no such layer or class."""
        model = shared_model(self.model, self.weights, self.device or str(torch.get_default_device()))
        for name in (self.layer or "").split(","):
            if name:
                model.layer(name)
        self.explained(model)
        return model

    def explained(self, model: Model) -> int | contrast | None:
        """The target as `explain` takes it."""
        if self.target is None:
            return None
        index = model.class_index(self.target)
        return index if self.rather_than is None else contrast(index, model.class_index(self.rather_than))

    def asked(self, method: str) -> str:
        """All that decides the numbers of a method, as JSON text: the same text, the same numbers."""
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
                "metrics": {one.key: one.settings(self.knobs.get(one.key, {})) for one in self.measures},
            }
        )


def setting(text: str) -> tuple[str, str, Any]:
    """What `score_cam.mode=fast` means: the method or metric, the setting, and its value. Raises CamvizError."""
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
    with suppress(ValueError):  # the check says better what is wrong
        value = knob.type(text)
    return knob.check(value, owner)


SWITCH = {"on": True, "off": False, "true": True, "false": False, "1": True, "0": False}
