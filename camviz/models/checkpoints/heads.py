"""Checkpoints with a replaced last layer: rename the same layer, or explain how to build the head."""

import re
from collections.abc import Mapping

from torch import Tensor, nn

from ...errors import WeightsFitError
from ...messages import Message


def fitting_heads(state: Mapping[str, Tensor], net: nn.Module, file: str) -> dict[str, Tensor]:
    """Return `state` with its last linear layer renamed to that of `net`.

    Dropout and Identity do nothing in a prediction, so nn.Sequential(Dropout, Linear) equals its linear layer. Raises
    CamvizError, with the Python code that builds the head, for a head of several layers with parameters.
    """
    renamed = dict(state)
    linear = [name for name, module in net.named_modules() if isinstance(module, nn.Linear)]
    name = linear[-1] if linear else ""
    if not name or f"{name}.weight" in state:
        return renamed
    wanted = net.state_dict()
    for part in (name, name.rpartition(".")[0]):
        if not part or any(key.startswith(f"{part}.") and not key.startswith(f"{name}.") for key in wanted):
            continue
        given = {key: value for key, value in state.items() if key.startswith(f"{part}.") and key not in wanted}
        weights = [key for key in given if key.endswith(".weight")]
        rest = {key: re.sub(r"\.?(weight|bias)$", "", key.removeprefix(f"{part}.")) for key in given}
        single = set(rest.values())
        if len(single) == 1 and len(weights) == 1 and given[weights[0]].ndim == 2 and _is_plain(next(iter(single))):
            for key in given:
                renamed[f"{name}.{key.rpartition('.')[2]}"] = renamed.pop(key)
            return renamed
        if len(single) > 1:
            raise WeightsFitError(
                "{weights} has another head than this network, with {count} layers under '{part}': build the same "
                "network in Python, net.{part} = nn.Sequential({layers}), and load it by "
                "camviz.load_model(net, weights=...)",
                weights=Message("the weights file {file}", file=file) if file else Message("the state dict"),
                count=len(single),
                part=part,
                layers=_layers(given, part),
            )
    return renamed


def _is_plain(rest: str) -> bool:
    """Return whether the name of a layer inside the head, such as "", "1" or "fc", allows only dropout before it."""
    return all(part in ("", "0", "1", "fc", "linear", "classifier") for part in rest.split("."))


def _layers(given: Mapping[str, Tensor], part: str) -> str:
    """Return Python code of the head's layers with parameters, with "..." for layers without."""
    layers, last = [], -1
    for key, value in given.items():
        rest = key.removeprefix(f"{part}.").removesuffix(".weight")
        if not key.endswith(".weight"):
            continue
        if rest.isdigit() and int(rest) > last + 1:
            layers.append("...")
        last = int(rest) if rest.isdigit() else last + 1
        if value.ndim == 2:
            layers.append(f"nn.Linear({value.shape[1]}, {value.shape[0]})")
        else:
            layers.append("...")
    return ", ".join(layers)
