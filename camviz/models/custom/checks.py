"""Check a custom network by a few passes when it is loaded: training mode, several inputs, random numbers, batches."""

import inspect
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ...errors import CamvizError, ModelError, PreprocessingError
from ...messages import Message, listed
from ...runtime.rng import SeededOperations
from ...tape import StartAgainError, broken_weights, find_autocast, forward, is_compiled, mark_batches_of_one, near
from ..model import Model

_REDUCED = (torch.float16, torch.bfloat16)
TRIES = 8  # passes of an image through a network that can draw random numbers


def prepare(net: nn.Module) -> tuple[Message, ...]:
    """Put a network into evaluation mode, convert 16-bit weights to float32, and freeze it; return notes about it.

    Raises CamvizError for weights without values, and for weights that are nan or infinite.
    """
    tensors = dict(net.named_parameters()) | dict(net.named_buffers())
    for name, tensor in tensors.items():
        if is_lazy(tensor):
            raise ModelError(
                "the weights of this network have no shape yet ('{name}'): call it once on a batch of images, and "
                "then load it",
                name=name,
            )
        if tensor.is_meta:
            raise ModelError(
                "the weights of this network are on the meta device ('{name}'), so they have no values: build it on "
                "the CPU, or call net.to_empty(device='cpu') and then net.load_state_dict(...)",
                name=name,
            )
    with suppress(TypeError):  # the network may override train() without its parameter
        net.eval()
    for module in net.modules():
        if module.training:  # an overridden train() may leave it so
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
    """Raise CamvizError if a network does not run on one image alone, for any exception that is raised inside."""
    arguments = _arguments(net)
    required = [one for one in arguments if one.default is one.empty and one.kind not in _VARIADIC]
    if len(required) > 1 or any(one.kind is one.KEYWORD_ONLY for one in required):
        raise _several_inputs(net, arguments)
    try:
        with SeededOperations():
            yield
    except (CamvizError, ValueError, LookupError, AttributeError, ArithmeticError, OSError) as error:
        refused = isinstance(error, CamvizError) and error.__cause__ is None
        if len(arguments) > 1 or any(one.kind in _VARIADIC for one in arguments):
            raise (error if refused else _several_inputs(net, arguments)) from error.__cause__ or error
        if isinstance(error, CamvizError):
            raise
        raise ModelError(
            "{kind} does not run on a batch of one image, a tensor (1, channels, height, width): {reason}; if it needs "
            "another input, wrap it in an nn.Module whose forward(self, image) calls it",
            kind=type(net).__name__,
            reason=(str(error) or type(error).__name__).splitlines()[0],
        ) from error


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_IMAGE = re.compile("^(x|im|input|inputs)$|image|img|pixel|picture|photo")


def _arguments(net: nn.Module) -> list[inspect.Parameter]:
    """Return the parameters of a network's forward; none for a compiled network, which has no signature."""
    if is_compiled(net):
        return []
    return list(inspect.signature(net.forward).parameters.values())


def _several_inputs(net: nn.Module, arguments: Sequence[inspect.Parameter]) -> CamvizError:
    named = [one.name for one in arguments if one.kind not in _VARIADIC]
    image = next(filter(_IMAGE.search, named), named[0] if named else "")
    needed = [one.name for one in arguments if one.default is one.empty and one.kind not in _VARIADIC]
    others = [name for name in (needed if len(needed) > 1 else named) if name != image]
    example = ", ".join(f"{name}=torch.zeros(1, 3)" for name in others) or "torch.zeros(1, 3)"
    return ModelError(
        "{kind} takes several inputs ({names}), and CamViz gives it only the image: fix the others by a wrapper, such "
        "as camviz.load_model(camviz.models.FixedInputs(net, {example})), or by your own nn.Module, whose "
        "forward(self, image) calls the network with them",
        kind=type(net).__name__,
        names=", ".join(str(one) for one in arguments),
        example=example,
    )


def checked(model: Model) -> Model:
    """Return the model with notes on the results of passes of two random images, alone and as a batch.

    If a result depends on the rest of the batch, or the network takes no batch, it is marked to run on one image at a
    time. Raises CamvizError if class scores are not finite, or if the network does not run on the sizes of
    `preprocess`.
    """
    random = np.random.default_rng(0).integers(0, 256, (2, *model.input_size, 3), dtype=np.uint8)
    both = torch.cat([model.normalize(view) for view in random])
    notes: list[Message] = []
    with SeededOperations(), suppress(StartAgainError):  # a network with autocast is marked to run without it
        find_autocast(model.net, lambda: forward(model.net, both[:1]))
    with torch.no_grad(), SeededOperations() as numbers:
        first = forward(model.net, both[:1])
        tries = TRIES if numbers.drawn else 1  # random numbers may be the same twice
        draws = not all(near(forward(model.net, both[:1]), first) for _ in range(tries))
        if draws:
            mark_batches_of_one(model.net, needed=False)  # its passes differ, so batches cannot be compared
        batch = forward(model.net, both)  # marks a network that takes no batches
        if not draws:
            alone = torch.cat([first, forward(model.net, both[1:])])
            mark_batches_of_one(model.net, needed=not near(batch, alone))
    if draws:
        once, again = (_seeded_pass(model.net, both[:1]) for _ in range(2))
        notes.append(_RANDOM if near(once, again) else _UNSEEDED)
    _check_sizes(model)
    return replace(model, notes=(*model.notes, *notes), draws_random_numbers=draws)


_RANDOM = Message(
    "This network's forward pass draws random numbers, as dropout that stays on does: CamViz seeds those of torch, so "
    "a result can be repeated, but it is the result of one draw among many."
)
_UNSEEDED = Message(
    "This network's forward pass draws random numbers that CamViz cannot seed: two results of one image differ."
)


def _seeded_pass(net: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad(), SeededOperations():
        return forward(net, x)


def _check_sizes(model: Model) -> None:
    """Raise CamvizError if the network does not run on the sizes of the custom preprocessing function."""
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
        raise PreprocessingError(
            "preprocess keeps the image's aspect ratio, so its result has no fixed size ({found} for a wide image, "
            "{square} for a square one), and this network takes one size only: add CenterCrop(({height}, {width})) "
            "after the resizing, or use Resize(({height}, {width}))",
            found=tuple(x.shape[2:]),
            square=(height, width),
            height=height,
            width=width,
        ) from error
