"""What a network that a user brings may do that its results depend on, found by a few passes as it is loaded."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ..errors import CamvizError
from ..messages import Message, listed
from ..tape import broken_weights, forward, mark_batches_of_one, needs_batches_of_one
from .model import Model

MAX_RELATIVE_DIFFERENCE = 1e-4  # of the class scores; rounding differs between batches by about 1e-6
_REDUCED = (torch.float16, torch.bfloat16)


def prepare(net: nn.Module) -> tuple[Message, ...]:
    """Put a network into evaluation mode, float32 if it has fewer digits, and freeze it; return notes about it.

    Raises CamvizError for weights that have no values, or that are nan or infinite.
    """
    tensors = dict(net.named_parameters()) | dict(net.named_buffers())
    for name, tensor in tensors.items():
        if is_lazy(tensor):
            raise CamvizError(
                "the weights of this network have no shape yet ('{name}'): call it once on a batch of images, and "
                "then load it",
                name=name,
            )
        if tensor.is_meta:
            raise CamvizError(
                "the weights of this network are on the meta device ('{name}'), so they have no values: build it on "
                "the CPU, or call net.to_empty(device='cpu') and then net.load_state_dict(...)",
                name=name,
            )
    with suppress(TypeError):  # a train() of its own that takes no mode
        net.eval()
    for module in net.modules():
        if module.training:  # its train() leaves it so
            module.training = False
    for parameter in net.parameters():
        parameter.grad = None
        parameter.requires_grad_(False)
    if error := next(broken_weights(net, at_load=True), None):
        raise error
    reduced = {tensor.dtype for tensor in tensors.values() if tensor.dtype in _REDUCED}
    if not reduced:
        return ()
    net.to(torch.float32)
    return (
        Message(
            "The network's weights are {dtype}; CamViz computes with them in float32.",
            dtype=listed(sorted(str(dtype).removeprefix("torch.") for dtype in reduced)),
        ),
    )


@contextmanager
def one_input(net: nn.Module) -> Iterator[None]:
    """Raise CamvizError about a network that does not run on an image alone, whatever it raises inside."""
    names, several = _inputs(net)
    if several:
        raise _several_inputs(net, names)
    try:
        yield
    except CamvizError as error:
        if len(names) > 1 and error.__cause__ is not None:
            raise _several_inputs(net, names) from error
        raise
    except (ValueError, LookupError, AttributeError, ArithmeticError, OSError) as error:
        if len(names) > 1:
            raise _several_inputs(net, names) from error
        raise CamvizError(
            "{kind} does not run on a batch of one image: {reason}",
            kind=type(net).__name__,
            reason=(str(error) or type(error).__name__).splitlines()[0],
        ) from error


def _inputs(net: nn.Module) -> tuple[list[str], bool]:
    """Return the names of what `forward` takes, and whether it needs more than one argument."""
    try:
        parameters = inspect.signature(net.forward).parameters.values()
    except (TypeError, ValueError):  # a compiled network has no signature
        return [], False
    starred = {parameter.name: parameter for parameter in parameters}
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    required = [one for one in starred.values() if one.default is one.empty and one.kind not in variadic]
    needs_name = any(one.kind is one.KEYWORD_ONLY for one in required)
    names = [f"*{one.name}" if one.kind is one.VAR_POSITIONAL else one.name for one in starred.values()]
    if any(one.kind is one.VAR_POSITIONAL for one in starred.values()):
        names.append("...")
    return names, len(required) > 1 or needs_name


def _several_inputs(net: nn.Module, names: list[str]) -> CamvizError:
    plain = [name for name in names if name.isidentifier()]
    other = f"{plain[1]}=torch.zeros(1, 3)" if len(plain) > 1 else "torch.zeros(1, 3)"
    return CamvizError(
        "{kind} takes several inputs ({names}), and CamViz gives it the image alone: fix the others by a wrapper, such "
        "as camviz.load_model(camviz.models.FixedInputs(net, {other})), or by an nn.Module of your own whose "
        "forward(self, image) calls the network with them",
        kind=type(net).__name__,
        names=", ".join(names),
        other=other,
    )


def checked(model: Model) -> Model:
    """Return the model with notes on what was found by passes of two random images, alone and as a batch.

    A network whose samples depend on their batch, or that takes no batch, runs on one image at a time from then on.
    Raises CamvizError where class scores are not finite, or `preprocess` gives sizes that the network does not take.
    """
    random = np.random.default_rng(0).integers(0, 256, (2, *model.input_size, 3), dtype=np.uint8)
    both = torch.cat([model.normalize(view) for view in random])
    notes: list[Message] = []
    with torch.no_grad():
        one = forward(model.net, both[:1])
        draws = not _near(forward(model.net, both[:1]), one)
        if draws:
            notes.append(
                Message(
                    "This network's forward pass draws random numbers, such as dropout that stays on: CamViz seeds "
                    "those of torch, so that results repeat, but they are of one draw among many."
                )
            )
        batch = forward(model.net, both)
        if not draws and not needs_batches_of_one(model.net):
            alone = torch.cat([one, forward(model.net, both[1:])])
            if not _near(batch, alone):
                mark_batches_of_one(model.net)
    _check_sizes(model)
    return replace(model, notes=(*model.notes, *notes), draws_random_numbers=draws)


def _near(found: Tensor, expected: Tensor) -> bool:
    return bool((found - expected).abs().max() <= MAX_RELATIVE_DIFFERENCE * expected.abs().max())


def _check_sizes(model: Model) -> None:
    """Raise CamvizError if the network does not run on the sizes that the model's own `preprocess` gives."""
    if model.transform is None:
        return
    height, width = model.input_size
    x = model.preprocess(Image.new("RGB", (640, 320), (90, 120, 150)))
    if x.shape[2:] == (height, width):
        return
    try:
        with torch.no_grad():
            forward(model.net, x)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise CamvizError(
            "preprocess keeps the image's aspect ratio, so its result has no fixed size ({found} for a wide image, "
            "{square} for a square one), and this network takes one size only: add CenterCrop(({height}, {width})) "
            "after the resizing, or use Resize(({height}, {width}))",
            found=tuple(x.shape[2:]),
            square=(height, width),
            height=height,
            width=width,
        ) from error
