"""Listen to a network's forward pass without touching it: the only file that knows torch's hooks and modes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.export.unflatten import InterpreterModule
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.module import register_module_forward_hook
from torch.overrides import TorchFunctionMode
from torchvision.ops import StochasticDepth

from .errors import CamvizError
from .gates import SMOOTH, Rule, added_by, gate_of, ruled
from .precision import full_precision
from .pulse import SILENCE, silence, word
from .scores import Score

See = Callable[[nn.Module, Any], Any]

_listener: ContextVar[See | None] = ContextVar("camviz_listener", default=None)
_rules: ContextVar["_Steps | None"] = ContextVar("camviz_rules", default=None)
_account: ContextVar["Account | None"] = ContextVar("camviz_account", default=None)


def _on_forward(module: nn.Module, inputs: Any, output: Any) -> Any:
    _be_heard(output)
    see = _listener.get()
    return None if see is None else see(module, output)


def _be_heard(output: Any = None) -> None:
    """A word to whoever waits for this pass, where one is due; where it is long, from its way back too."""
    silent = silence()
    if silent > SILENCE:
        with torch._C.DisableTorchFunction():  # what is computed there is no part of the network
            word()
    elif silent > SILENCE / 4 and isinstance(output, Tensor) and output.requires_grad and output.is_cpu:
        output.register_hook(lambda _: _be_heard())  # type: ignore[no-untyped-call]


register_module_forward_hook(_on_forward)  # once in the process; a thread that does not listen is not affected


# ---------------------------------------------------------------------------------------- what a method asks for


def record(net: nn.Module, x: Tensor, score: Score, layer: nn.Module) -> tuple[Tensor, Tensor]:
    """The activation A of `layer` and the gradient dS/dA of the score, each (B, c, h, w).

    Nothing below the layer is differentiated. A layer that runs several times counts at its last.
    """
    kept: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        torch.set_grad_enabled(True)
        kept[:] = [output.detach().requires_grad_()]
        return kept[0].clone()  # what follows may overwrite its input

    with _listening(_only(layer, keep)), torch.no_grad():  # up to the layer, where `keep` turns gradients on
        scores = score_of(score, forward(net, x))
    activation = _reached(kept)
    return activation.detach(), gradient_of(scores, activation)


def activations(net: nn.Module, x: Tensor, layer: nn.Module) -> tuple[Tensor, Tensor]:
    """The activation of `layer` (B, c, h, w) and the class scores (B, K), without gradients."""
    kept: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        kept[:] = [output]
        return output.clone()

    with _listening(_only(layer, keep)), torch.no_grad():
        scores = forward(net, x)
    return _reached(kept), scores


def input_gradient(net: nn.Module, x: Tensor, score: Score, layer: nn.Module | None = None) -> Tensor:
    """The gradient dS/dx, (B, 3, H, W). With a layer, S is a function of that layer's activation (B, c, h, w)."""
    x = x.detach().requires_grad_()
    kept: list[Tensor] = []

    def keep(output: Tensor) -> Tensor:
        kept[:] = [output]
        return output.clone()

    with _listening(None if layer is None else _only(layer, keep)), torch.enable_grad():
        scores = forward(net, x)
        explained = score_of(score, scores if layer is None else _reached(kept))
    return gradient_of(explained, x)


def forward(net: nn.Module, x: Tensor) -> Tensor:
    """The class scores (B, K) of one pass over the batch `x`, under the backward rule in force, if any."""
    _check_eval(net)
    rules = _rules.get()
    if rules is not None and rules.every_step and is_compiled(net):
        raise CamvizError(
            "this network is compiled (TorchScript or torch.export), so its single steps cannot be followed, as this "
            "method needs: load it as the Python class that it was, or take another method"
        )
    if account := _account.get():
        account.forward_passes += len(x)
    plain = x.ndim != 4 or x.is_contiguous() or not _needs_plain.get(net, True)
    with full_precision(x.device), rules or nullcontext(), nullcontext() if plain else _AnyLayout(net):
        return class_scores(net(x.clone()))  # a network may begin with an operation in place


def is_compiled(net: nn.Module) -> bool:
    """Whether a network, or a part of it, runs where CamViz does not see its steps: TorchScript, torch.export."""
    return any(isinstance(module, torch.jit.ScriptModule | InterpreterModule) for module in net.modules())


def class_scores(output: Any) -> Tensor:
    """The class scores (B, K) in whatever a network returns: a tensor, a tuple, a mapping, an object with logits."""
    if isinstance(output, Mapping):
        output = next((output[key] for key in ("logits", "out") if key in output), output)
    elif hasattr(output, "logits"):
        output = output.logits
    elif isinstance(output, tuple | list) and output:
        output = output[0]
    if not isinstance(output, Tensor) or output.ndim != 2:
        came = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
        raise CamvizError(f"the network must end in class scores of shape (batch, classes); it returned {came}")
    return output


def score_of(score: Score, scores: Tensor) -> Tensor:
    """`score` applied and checked: one number for each sample, (B,)."""
    explained = score(scores)
    if explained.shape != scores.shape[:1]:
        raise CamvizError(
            f"a score must return one number for each sample, shape ({len(scores)},); got {tuple(explained.shape)}"
        )
    return explained


def gradient_of(scores: Tensor, source: Tensor) -> Tensor:
    """d(scores)/d(source) for every sample of the batch, of the shape of `source`."""
    gradient = None
    if scores.requires_grad:
        with full_precision(source.device):
            (gradient,) = torch.autograd.grad(scores, source, torch.ones_like(scores), allow_unused=True)
    if gradient is None:
        raise CamvizError("the score does not depend on this layer, so there is no gradient to show")
    if account := _account.get():
        account.backward_passes += len(scores)
    return gradient


def gradient_sums(net: nn.Module, x: Tensor, score: Score, layers: Iterable[nn.Module]) -> tuple[Tensor, ...]:
    """For each layer, what dS/d(its output) sums up to, (B,); zero where nothing comes by.

    A layer that runs several times counts at its last.
    """
    wanted = tuple(layers)
    arrived: dict[nn.Module, Tensor] = {}
    hooks: dict[nn.Module, Any] = {}

    def see(module: nn.Module, output: Any) -> None:
        def keep(gradient: Tensor) -> None:
            arrived[module] = gradient.flatten(1).sum(dim=1)

        if module in hooks:
            hooks[module].remove()
        if module in wanted and isinstance(output, Tensor):
            arrived[module] = output.new_zeros(len(output))
            if output.requires_grad:
                hooks[module] = output.register_hook(keep)  # type: ignore[no-untyped-call]  # on this pass alone

    x = x.detach().requires_grad_()
    with _listening(see), torch.enable_grad():
        scores = score_of(score, forward(net, x))
    gradient_of(scores, x)
    for layer in wanted:
        _reached([arrived[layer]] if layer in arrived else [])
    return tuple(arrived[layer] for layer in wanted)


# A network that calls view() on its feature maps expects them in the plain layout; reshape() takes any.
ANY_LAYOUT: dict[Any, Any] = {Tensor.view: Tensor.reshape}


# How a network looks at what it has computed, perhaps to decide by it.
TO_NUMBERS = {Tensor.item, Tensor.tolist, Tensor.numpy, Tensor.__bool__, Tensor.__int__, Tensor.__float__}


_needs_plain: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()  # whether a network ever calls view()


class _AnyLayout(TorchFunctionMode):
    """Lets a network take feature maps in any memory layout; learns from a pass whether it has to for this one."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net, self.needed = net, False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.needed |= func in ANY_LAYOUT
        return ANY_LAYOUT.get(func, func)(*args, **(kwargs or {}))

    def __exit__(self, kind: Any, *others: Any) -> None:
        super().__exit__(kind, *others)  # type: ignore[no-untyped-call]
        if kind is None:
            _needs_plain[self.net] = self.needed


def slopes(score: Score, scores: Tensor) -> Tensor:
    """How much the score grows with each class score: dS/d(scores), (B, K)."""
    with torch.enable_grad():
        scores = scores.detach().requires_grad_()
        explained = score_of(score, scores)
        if not explained.requires_grad:
            raise CamvizError("the score does not depend on the class scores, so there is nothing to explain")
        (slope,) = torch.autograd.grad(explained, scores, torch.ones_like(explained))
    return slope


def watch(net: nn.Module, x: Tensor, see: Callable[[nn.Module, Any], None]) -> Any:
    """Run net(x) once without gradients; `see(module, output)` is called after every module, in order of completion."""
    _check_eval(net)

    def only_see(module: nn.Module, output: Any) -> None:
        see(module, output)

    with _listening(only_see), full_precision(x.device), torch.no_grad():
        return net(x.clone())


# ------------------------------------------------------------------------------------------------ backward rules


@contextmanager
def backward_rule(rule: Rule, extended: bool = False) -> Iterator[None]:
    """Within it every ReLU passes back `rule(gradient, slope)` instead of gradient * slope.

    `slope` is the activation's own derivative: 1 where it passes its input on, 0 where it cuts it off. ReLU
    and ReLU6 count in every form (module, function, in place, used again, clamp at zero). With `extended`,
    smooth activations (SiLU, GELU, ...) follow the rule too. Raises CamvizError where no activation does.
    """
    mode = _RuleMode(rule, extended)
    with _in_force(mode):
        yield
    if not mode.ruled:
        raise CamvizError(
            "this method is defined by what it does at a ReLU, and this network has none; "
            "the setting 'extended' applies it to the network's smooth activations, which the paper does not define"
        )
    if mode.plain:
        note(
            f"{mode.plain} smooth activations of this network are no ReLU and kept their plain gradient "
            f"({mode.ruled} ReLUs follow the method)."
        )


@contextmanager
def intercepting(replace: Callable[[Any, Any, Any], Any], every_step: bool = False) -> Iterator[None]:
    """Within it every torch call of a forward pass in this thread becomes `replace(func, args, kwargs)`.

    `every_step`: a compiled network, whose calls stay unseen, is refused.
    """
    with _in_force(_Interception(replace, every_step)):
        yield


@contextmanager
def _in_force(mode: "_Steps") -> Iterator[None]:
    token = _rules.set(mode)
    try:
        yield
    finally:
        _rules.reset(token)


class _Steps(TorchFunctionMode):
    """What comes between a network and its torch calls; with `every_step` it must not miss one."""

    every_step = True


class _Interception(_Steps):
    def __init__(self, replace: Callable[[Any, Any, Any], Any], every_step: bool = False) -> None:
        super().__init__()
        self.replace, self.every_step = replace, every_step

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return self.replace(func, args, kwargs or {})


class _RuleMode(_Steps):
    """Replaces each ReLU call of this thread by one with the rule as its backward."""

    def __init__(self, rule: Rule, extended: bool) -> None:
        super().__init__()
        self.rule, self.extended, self.ruled, self.plain = rule, extended, 0, 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        gate = gate_of(func, args, kwargs)
        if gate is None and func not in SMOOTH:
            return func(*args, **kwargs)
        if gate is None and not self.extended:
            self.plain += 1
            return func(*args, **kwargs)
        self.ruled += 1
        return ruled(func, args, kwargs, gate, self.rule)


# --------------------------------------------------------------------------------------------------------- biases


def bias_gradients(net: nn.Module, x: Tensor, score: Score) -> tuple[Tensor, list[Tensor], Tensor]:
    """The gradient dS/dx, for each step that adds something of its own that times its gradient, and S itself, (B,).

    What a step z -> y adds is y - dy/dz * z: the bias of a convolution or a linear layer, the shift of a batch norm,
    where the tangent of an activation meets zero (at 0 for ReLU). Terms have the shape of y, channels first.
    """
    terms: list[Tensor | None] = []
    rows: Tensor | None = None  # what a linear layer made of a picture, channels last, as in ConvNeXt

    def listen(func: Any, args: Any, kwargs: Any) -> Any:
        nonlocal rows
        added, last = added_by(func, args, kwargs), func is F.linear or any(arg is rows for arg in args[:1])
        result = func(*args, **kwargs)
        if added is not None and result.requires_grad:
            place, channels = len(terms), -1 if last else 1
            terms.append(None)

            def keep(gradient: Tensor) -> None:
                terms[place] = (gradient * added.detach()).movedim(channels, 1)

            result.register_hook(keep)
        rows = result if func is F.linear else rows
        return result

    x = x.detach().requires_grad_()
    with intercepting(listen, every_step=True), torch.enable_grad():
        explained = score_of(score, forward(net, x))
    gradient = gradient_of(explained, x)
    return gradient, [term for term in terms if term is not None], explained.detach()


# ----------------------------------------------------------------------------------------------------- accounting


@dataclass
class Account:
    """What a computation cost, in passes of one sample, and what its method has to say of it."""

    forward_passes: int = 0
    backward_passes: int = 0
    notes: list[str] = field(default_factory=list)


@contextmanager
def accounting() -> Iterator[Account]:
    """Count the passes that happen within, in this thread only."""
    account = Account()
    token = _account.set(account)
    try:
        yield account
    finally:
        _account.reset(token)


def note(sentence: str) -> None:
    """Tell whoever sees the result something about it."""
    if (account := _account.get()) and sentence not in account.notes:
        account.notes.append(sentence)


# ------------------------------------------------------------------------------------------------------ internals


@contextmanager
def _listening(see: See | None) -> Iterator[None]:
    token = _listener.set(see)
    try:
        yield
    finally:
        _listener.reset(token)


def _only(layer: nn.Module, keep: Callable[[Tensor], Tensor]) -> See:
    def see(module: nn.Module, output: Any) -> Any:
        if module is not layer:
            return None
        if not isinstance(output, Tensor) or output.ndim != 4:
            came = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else type(output).__name__
            raise CamvizError(f"this method needs a layer of feature maps (batch, channels, height, width); got {came}")
        return keep(output)

    return see


@contextmanager
def listening_to(layer: nn.Module, keep: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Within it, what `layer` gives is replaced by `keep` of it; raises CamvizError where the layer did not run."""
    kept: list[Tensor] = []

    def see(output: Tensor) -> Tensor:
        kept[:] = [output]
        return keep(output)

    with _listening(_only(layer, see)):
        yield
    _reached(kept)


def _reached(kept: list[Tensor]) -> Tensor:
    if not kept:
        raise CamvizError("the network's forward pass does not run through this layer")
    return kept[0]


def _check_eval(net: nn.Module) -> None:
    """Refuse a network whose layers would act as in training: running it would change it, or give chance results."""
    for module in _in_training(net):
        drops = getattr(module, "p" if isinstance(module, _DropoutNd | StochasticDepth) else "drop_prob", 0)
        tracks = getattr(module, "track_running_stats", False)  # InstanceNorm can too
        if isinstance(module, nn.modules.batchnorm._BatchNorm | nn.RReLU) or tracks or drops:
            raise CamvizError(f"the network is in training mode ({type(module).__name__}); call net.eval() first")


def _in_training(net: nn.Module) -> Iterator[nn.Module]:
    """Its modules in training mode; quicker than net.modules(), which every pass would feel."""
    left, met = [net], {net}
    while left:
        module = left.pop()
        if module.training:
            yield module
        new = [child for child in module.children() if child not in met]
        met.update(new)
        left += new
