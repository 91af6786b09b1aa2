"""Find the class scores in the output of a network, and how they become probabilities."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.export.unflatten import InterpreterModule

from ...errors import OutputError, choice
from ...messages import Message, listed
from ...tape import (
    LastSteps,
    OutputReading,
    as_matrix,
    candidates_of,
    choose_output,
    described_output,
    ends_in_sigmoid,
    independent_outputs,
    is_compiled,
    output_at,
    raw_output,
    set_reading,
)
from ..layers import running_on

Head = Literal["softmax", "sigmoid", "none"]
Output = int | str | tuple[int | str, ...]

HIDDEN_SOFTMAX = Message(
    "This network returns probabilities, and CamViz cannot reach the class scores before them: the gradient is that of "
    "the squashed score, which is small wherever a probability is near 0% or 100%."
)
ATOL = 1e-3  # of a probability: a network may clamp its own
_MOVES = ("squeeze", "flatten", "view", "reshape", "unsqueeze", "contiguous", "clone", "transpose", "permute", "t")


@dataclass(frozen=True)
class Answers:
    """The meaning of the class scores of a network: the head, whether it gives probabilities, and notes about it."""

    head: Head
    are_probabilities: bool = True
    notes: tuple[Message, ...] = ()


def read_output(
    net: nn.Module,
    shape: tuple[int, int, int],
    head: str | None = None,
    output: Output | None = None,
    names: int | None = None,
    unit: str = "",
) -> Answers:
    """Find the class scores of a network among its outputs, and remember how they are read.

    `shape`: (C, H, W) of the input. `names`: the number of given class names. With a `unit`, a single output is a
    number and no probability. Raises CamvizError if the class scores cannot be identified, and for a `head` that
    contradicts the network's last step.
    """
    if head is not None:
        choice(head, get_args(Head), Message("head"))
    result, steps, images = _some_outputs(net, shape)
    path = _path(output) if output is not None else ()
    if isinstance(result, Tensor) and path in ((0,), (-1,)):  # the only output
        path = ()
    notes: tuple[Message, ...] = ()
    if not path and not isinstance(result, Tensor):
        path = choose_output(result, names, images)
        rivals = independent_outputs(candidates_of(result, names, images))
        if len(rivals) > 1:
            notes = (
                Message(
                    "The network returns several outputs that may be its class scores ({outputs}); the first of them "
                    "is explained. load_model(net, output=...) chooses another.",
                    outputs=listed([described_output(*one) for one in rivals]),
                ),
            )
    found = output_at(result, path)
    values = as_matrix(found, images).detach().float()
    squash, hidden = _last_step(net, path, found, values, steps)
    one, shares = values.shape[1] == 1, bool(((values >= 0) & (values <= 1)).all())
    if squash and head in ("softmax", "sigmoid") and head != squash:
        raise OutputError(
            "this network ends in {step}, so its head cannot be '{head}': leave head out to show its own numbers",
            step=squash,
            head=head,
        )
    all_of_one = not one and shares and bool(((values.sum(dim=1) - 1).abs() < 1e-4).all())
    unseen = not squash and not hidden and shares and not all_of_one and head in (None, "sigmoid")
    if unseen and ends_in_sigmoid(found):
        squash, hidden = "sigmoid", True
    if one and shares and not unit and (hidden or (head == "none" and not squash)):
        squash, hidden = "sigmoid", True  # a single number of 0 to 1 is read as a probability
    two = one and names == 2
    if not hidden or squash == "sigmoid":
        set_reading(net, OutputReading(path, squash, computed_back=hidden, two_answers=two))
        if squash:
            return Answers(squash, notes=notes)
    else:
        set_reading(net, OutputReading(path))
    if head in ("softmax", "sigmoid"):
        return Answers("softmax" if head == "softmax" else "sigmoid", notes=notes)
    if hidden or all_of_one or (head == "none" and shares and not one):
        return Answers("none", notes=(*notes, HIDDEN_SOFTMAX))
    if head == "none":
        return Answers("none", are_probabilities=False, notes=notes)
    if not one:
        return Answers("softmax", notes=notes)
    certain = bool(((values.sigmoid() == 0) | (values.sigmoid() == 1)).all())
    if certain and not two:
        return Answers("none", are_probabilities=False, notes=notes)
    return Answers("sigmoid", notes=notes)


def _path(output: Output) -> tuple[int | str, ...]:
    path = output if isinstance(output, tuple) else (output,)
    if not path or not all(isinstance(step, int | str) and not isinstance(step, bool) for step in path):
        raise OutputError(
            "output must be the index or the name of one of the network's outputs, or a path of both; got {output}",
            output=repr(output)[:60],
        )
    return path


def _some_outputs(net: nn.Module, shape: tuple[int, int, int]) -> tuple[Any, LastSteps, int]:
    """Return what a network returns for two random images, or for one if it takes no batch: output, steps, images."""
    reference = next((weight for weight in net.parameters() if weight.is_floating_point()), torch.empty(0))
    random = np.random.default_rng(0).random((2, *shape), np.float32)
    x = torch.from_numpy(random).to(reference.device, reference.dtype)
    try:
        return *raw_output(net, x), 2
    except (RuntimeError, ValueError, TypeError, AssertionError, LookupError, AttributeError):  # perhaps for two images
        with running_on(net, x[:1]):
            return *raw_output(net, x[:1]), 1


def _last_step(
    net: nn.Module, path: tuple[int | str, ...], found: Tensor, values: Tensor, steps: LastSteps
) -> tuple[Literal["softmax", "sigmoid"] | None, bool]:
    """Return the softmax or sigmoid that a network ends in, if any, and whether its input is hidden.

    It is hidden in a compiled network, and if the network continues with a part of the result.
    """
    if (kept := steps.before(found)) is not None:
        before, kind = as_matrix(kept[0], len(values)).detach().float(), kept[1]
        squashed = before.softmax(dim=1) if kind == "softmax" else before.sigmoid()
        same = squashed.shape == values.shape
        reached = same and any(torch.allclose(one, values, atol=ATOL) for one in (squashed, squashed.log()))
        return (kind, False) if reached else (None, True)
    if not is_compiled(net):
        return None, False
    name = _scripted_end(net, path) if isinstance(net, torch.jit.ScriptModule) else _exported_end(net, path)
    return ("sigmoid", True) if name == "sigmoid" else (None, name == "softmax")


def _scripted_end(net: torch.jit.ScriptModule, path: tuple[int | str, ...]) -> str:
    """Return the name of the last operation of a TorchScript network, except those that only move values."""
    value = next(iter(net.inlined_graph.outputs()))
    for step in path:
        inputs = list(value.node().inputs())
        if not isinstance(step, int) or step >= len(inputs):
            return ""
        value = inputs[step]
    while True:
        name = value.node().kind().rpartition("::")[2].rstrip("_")
        inputs = list(value.node().inputs())
        if name not in _MOVES or not inputs:
            return str(name)
        value = inputs[0]


def _exported_end(net: nn.Module, path: tuple[int | str, ...]) -> str:
    """Return the name of the last operation of a torch.export network, except those that only move values."""
    if not isinstance(net, InterpreterModule) and not hasattr(net, "graph"):
        return ""
    node = next(iter(reversed(net.graph.nodes)))  # type: ignore[union-attr, arg-type]
    outputs = node.args[0]
    for step in path or (0,):
        if not isinstance(outputs, tuple | list) or not isinstance(step, int) or step >= len(outputs):
            break
        outputs = outputs[step]
    node = outputs
    while getattr(node, "op", "") == "call_function":
        name = str(node.target).removeprefix("aten.").partition(".")[0].strip("_")
        if name not in _MOVES:
            return "softmax" if name == "_softmax" else name
        node = node.args[0]
    if getattr(node, "op", "") == "call_module":
        return _exported_end(net.get_submodule(str(node.target)), ())
    return ""
