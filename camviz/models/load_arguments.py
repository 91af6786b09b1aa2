"""Check and convert the arguments of load_model."""

from decimal import Decimal
from numbers import Real
from operator import index
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram
from torchvision.models import WeightsEnum

from ..errors import CamvizError, PreprocessingError, WeightsError
from .sources import ModelSource

LONGEST = 200  # characters of a name or a unit
_CHANNELS = {
    "rgb": ("red", "green", "blue"),
    "bgr": ("blue", "green", "red"),
    **dict.fromkeys(("gray", "grayscale", "grey", "l"), ("gray",)),
}


def network_of(given: Any) -> str | Path | nn.Module | ExportedProgram:
    """Return a network as a name, a path or an object. Raises CamvizError for anything else."""
    if isinstance(given, str | nn.Module | ExportedProgram):
        return given
    if isinstance(given, PathLike):
        return Path(given)
    hint = ""
    if isinstance(given, type) and issubclass(given, nn.Module):
        hint = f": call it first, as in {given.__name__}()"
    elif isinstance(given, dict):
        hint = ": a state dict needs its architecture, as in load_model('resnet18', weights=state_dict)"
    raise CamvizError(
        "load_model takes a name of the catalog, an nn.Module, an ExportedProgram or the path of a program; got "
        "{kind}{hint}",
        kind=given.__name__ if isinstance(given, type) else type(given).__name__,
        hint=hint,
    )


def weights_of(given: Any, source: ModelSource) -> Any:
    """Return weights as "default", "random", a path or a state dict. None means random, as in torchvision.

    An entry of torchvision's enum, or its name, means the weights with this name in the catalog.
    """
    if given is None:
        return "random" if source.from_catalog else "default"
    name = given.name if isinstance(given, WeightsEnum) else given
    if isinstance(name, str) and source.from_catalog and name in (source.weights.name, "DEFAULT"):
        return "default"
    if isinstance(given, WeightsEnum):
        raise WeightsError(
            "{network} has the weights {known} in the catalog; for others give their state dict, "
            "weights={given}.get_state_dict()",
            network=source.name,
            known=source.weights.name,
            given=str(given),
        )
    if isinstance(given, PathLike):
        return Path(given)
    if isinstance(given, nn.Module):
        return given.state_dict()
    if not isinstance(given, str | dict) and not hasattr(given, "items"):
        raise WeightsError(
            "weights are 'default', 'random', the path of a checkpoint or a state dict; got {kind}",
            kind=type(given).__name__,
        )
    return given


def size_of(given: Any) -> tuple[int, int]:
    """Return an input size as (height, width); one number is the side of a square."""
    values = _plain(given)
    try:
        height, width = values if isinstance(values, list | tuple) else (values, values)
        if not isinstance(height, bool) and not isinstance(width, bool):
            return index(height), index(width)
    except (TypeError, ValueError, RuntimeError):
        pass
    raise PreprocessingError(
        "the input size must be (height, width), whole numbers, or one of them for a square; got {size}",
        size=repr(given)[:60],
    )


def device_of(given: Any) -> torch.device:
    """Return the device for a name, the number of a GPU or a torch.device. Raises CamvizError if it does not exist."""
    here = ["cpu"]
    if torch.accelerator.is_available():
        kind = torch.accelerator.current_accelerator()
        here += [f"{kind}:{number}" for number in range(torch.accelerator.device_count())]
    name = "cuda" if isinstance(given, str) and given.lower() == "gpu" else given
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, TypeError, ValueError, OverflowError, AssertionError) as error:
        raise CamvizError(
            "device {given} cannot be used on this machine: use one of {here}",
            given=repr(given)[:60],
            here=", ".join(here),
        ) from error
    return device


def per_channel(given: Any, count: int) -> Any:
    """Return numbers for `count` channels as a list; one number is repeated for every channel."""
    given = _plain(given)
    return [given] * count if isinstance(given, Real | Decimal) and not isinstance(given, bool | np.bool_) else given


def channels_of(given: Any) -> Any:
    """Return the input channels as a sequence of names, also for "rgb", "bgr" and "gray"."""
    return _CHANNELS.get(given.lower(), given) if isinstance(given, str) else _plain(given)


def text_of(given: Any, what: str) -> str | None:
    """Return a name or a unit unchanged, None if there is none. Raises CamvizError if it is no text of one line."""
    if given is not None and (not isinstance(given, str) or len(given) > LONGEST or not given.isprintable()):
        raise CamvizError(
            "{what} must be text of one line, of at most {limit} characters; got {given}",
            what=what,
            limit=LONGEST,
            given=repr(given)[:60],
        )
    return given


def _plain(given: Any) -> Any:
    """Return the numbers of an array or a tensor as a list, or as one number; return anything else unchanged."""
    if isinstance(given, Tensor):
        return given if given.is_meta or given.is_quantized or given.layout != torch.strided else given.tolist()
    return given.tolist() if isinstance(given, np.ndarray | np.generic) else given
