"""Find where a value that is not finite (nan, inf) begins: in the weights, in the input, or in a module."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from ...errors import CamvizError, NotFiniteError
from ...messages import Message
from ..hooks import is_listening, listening

Run = Callable[[], Tensor]


def value_not_finite(values: Any) -> str | None:
    """Return "nan", "inf" or "-inf" if a tensor contains it; None for finite values and for anything but a tensor."""
    if not isinstance(values, Tensor) or not values.is_floating_point() or values.is_meta:
        return None
    total = float(values.detach().sum())
    if math.isfinite(total) or bool(values.isfinite().all()):  # the sum of finite values may overflow
        return None
    return "nan" if values.isnan().any() else "inf" if (values == torch.inf).any() else "-inf"


def check_scores(net: nn.Module, x: Tensor, scores: Tensor, run: Run) -> None:
    """Raise CamvizError, which names the place where it begins, if class scores are nan or inf; `run` repeats the pass.

    A score of -inf is a class that the network excludes. Inputs with nan are used on purpose to measure receptive
    fields.
    """
    if (value := value_not_finite(scores)) in ("nan", "inf") and not (is_listening() and value_not_finite(x)):
        raise begins_at(net, x, run) or NotFiniteError(
            "the network's class scores hold {value}, which none of its modules returns: it begins in its own forward",
            value=value,
        )


def begins_at(net: nn.Module, x: Tensor, run: Run) -> CamvizError | None:
    """Return the error that names the place where values stop being finite in a pass of x; None if it is not found."""
    if value := value_not_finite(x):
        return input_not_finite(value)
    names = {module: name for name, module in net.named_modules()}
    found: list[tuple[nn.Module, str]] = []

    def see(module: nn.Module, output: Any) -> None:
        if not found and module in names and (value := value_not_finite(output)):
            found.append((module, value))

    with listening(see), torch.no_grad():
        run()
    if not found:
        return next(broken_weights(net), None)
    module, value = found[0]
    if error := next(broken_weights(module, names[module]), None):
        return error
    return NotFiniteError(
        "the network returns {value} for this input; it begins in {layer}, whose input and weights are finite: "
        "check its operations (a division by 0, a logarithm, an overflow)",
        value=value,
        layer=_described(names[module], module),
    )


def input_not_finite(value: str) -> CamvizError:
    """Return the error for an input that holds nan or inf."""
    return NotFiniteError(
        "the network's input holds {value}: check the image and its preprocessing, such as a division by 0", value=value
    )


def broken_weights(net: nn.Module, prefix: str = "", at_load: bool = False) -> Iterator[CamvizError]:
    """Yield an error for each parameter and running statistic that holds nan or inf, and for each buffer with nan.

    `at_load`: leave out the other buffers, because a network may never read them.
    """
    for kind, held in (
        (Message("parameter"), net.named_parameters(prefix)),
        (Message("buffer"), _buffers(net, prefix)),
    ):
        for name, values in held:
            weight = isinstance(values, nn.Parameter) or name.endswith(("running_mean", "running_var"))
            value = None if at_load and not weight else value_not_finite(values)
            if value and (weight or value == "nan"):
                yield NotFiniteError(
                    "the {kind} '{name}' of this network holds {value}, so its results mean nothing: load weights that "
                    "are finite, from before the training diverged",
                    kind=kind,
                    name=name,
                    value=value,
                )


def _buffers(net: nn.Module, prefix: str) -> Iterator[tuple[str, Tensor]]:
    """Yield the buffers of a network, and tensors that are plain attributes of its modules, such as pruned weights."""
    yield from net.named_buffers(prefix)
    for name, module in net.named_modules(prefix=prefix):
        for key, value in vars(module).items():
            if isinstance(value, Tensor):
                yield f"{name}.{key}".lstrip("."), value


def check_gradient(net: nn.Module, x: Tensor, gradient: Tensor, score_again: Callable[[Tensor], Tensor]) -> None:
    """Raise CamvizError, which names the module after which it begins, if a gradient is not finite.

    `score_again` computes the score (B,) of x once more.
    """
    if (value := value_not_finite(gradient)) is None:
        return
    if error := next(broken_weights(net), None):
        raise error
    if of_input := value_not_finite(x):
        raise input_not_finite(of_input)
    names = {module: name for name, module in net.named_modules()}
    found: list[nn.Module] = []

    def see(module: nn.Module, output: Any) -> None:
        def keep(arriving: Tensor) -> None:
            if not found and value_not_finite(arriving):
                found.append(module)

        if isinstance(output, Tensor) and output.requires_grad and module in names:
            output.register_hook(keep)  # type: ignore[no-untyped-call]  # of this pass only

    with listening(see), torch.enable_grad():
        x = x.detach().requires_grad_()
        explained = score_again(x)
    torch.autograd.grad(explained.sum(), x, allow_unused=True)
    if not found:
        raise NotFiniteError(
            "the gradient of the score holds {value}, although the scores are finite: look for a square root or "
            "a norm of 0, or a division by 0, in the network, or use a method without gradients, such as occlusion",
            value=value,
        )
    raise NotFiniteError(
        "the gradient of the score holds {value}, although the scores are finite: it begins in what follows {layer}, "
        "such as a square root or a norm of 0, or a division by 0; a method without gradients works, such as occlusion",
        value=value,
        layer=_described(names[found[0]], found[0]),
    )


def _described(name: str, module: nn.Module) -> str:
    if not name:
        return Message("the network's own forward ({kind})", kind=type(module).__name__)
    return Message("the layer '{name}' ({kind})", name=name, kind=type(module).__name__)
