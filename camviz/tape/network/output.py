"""Find the class scores in the output of a network: which of several outputs, and before which last step."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ...errors import OutputError
from ...messages import Message, listed

Squash = Literal["softmax", "sigmoid"]
Path = tuple[int | str, ...]

_SQUASHES: dict[Any, Squash] = {
    **dict.fromkeys((F.softmax, torch.softmax, Tensor.softmax, torch.special.softmax), "softmax"),
    **dict.fromkeys((F.log_softmax, torch.log_softmax, Tensor.log_softmax, torch.special.log_softmax), "softmax"),
    **dict.fromkeys((torch.sigmoid, Tensor.sigmoid, F.sigmoid, torch.special.expit), "sigmoid"),
    **dict.fromkeys((torch.sigmoid_, Tensor.sigmoid_), "sigmoid"),
    F.logsigmoid: "sigmoid",
}
_LOGARITHMS = {F.log_softmax, torch.log_softmax, Tensor.log_softmax, torch.special.log_softmax, F.logsigmoid}
_EXPONENTIALS, _LOGS = {torch.exp, Tensor.exp}, {torch.log, Tensor.log}
_CLAMPS = {torch.clamp, torch.clip, Tensor.clamp, Tensor.clip}  # often used to keep probabilities away from 0 and 1
# Names of outputs that are no class scores, unless `output` says so.
_FEATURES = {"features", "feature", "feat", "feats", "embedding", "embeddings", "hidden_states", "last_hidden_state"}
_FEATURES |= {"pooler_output", "prototypes", "attentions", "loss"}
# Calls after the last step that only move its values.
_MOVES = {
    *(Tensor.view, Tensor.reshape, torch.reshape, Tensor.flatten, torch.flatten, Tensor.squeeze, torch.squeeze),
    *(Tensor.unsqueeze, torch.unsqueeze, Tensor.contiguous, Tensor.clone, torch.clone, Tensor.float, Tensor.to),
    *(Tensor.transpose, torch.transpose, Tensor.permute, torch.permute, Tensor.t, torch.t, Tensor.__getitem__),
    *(nn.Identity.forward, F.dropout),
}


@dataclass(frozen=True)
class OutputReading:
    """How the class scores of a network are read from its output.

    `output` is their path in nested outputs, by index or name. `squash` is the network's last step, whose input is the
    class scores; if this input is hidden, they are `computed_back` from the result of a sigmoid. `two_answers`: one
    score s stands for two classes, of scores -s and s.
    """

    output: Path = ()
    squash: Squash | None = None
    computed_back: bool = False
    two_answers: bool = False


_readings: WeakKeyDictionary[nn.Module, OutputReading] = WeakKeyDictionary()


def set_reading(net: nn.Module, reading: OutputReading) -> None:
    """Set how the class scores of this network are read."""
    _readings[net] = reading


def reading_of(net: nn.Module) -> OutputReading | None:
    """Return how the class scores of this network are read; None if nothing is known."""
    return _readings.get(net)


class LastSteps(TorchFunctionMode):
    """Keeps the input of each softmax and sigmoid of a pass, so that the class scores before the last one are known."""

    def __init__(self) -> None:
        super().__init__()
        # By id(result), which stays unique as the result is kept: result, input, kind, whether it is the logarithm.
        self.kept: dict[int, tuple[Tensor, Tensor, Squash, bool]] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        first = args[0] if args else kwargs.get("input")
        before = None
        if func in _SQUASHES and isinstance(first, Tensor) and _is_small(first):
            before = first.clone() if func in (torch.sigmoid_, Tensor.sigmoid_) else first
        result = func(*args, **kwargs)
        if before is not None and _along_classes(func, before, args, kwargs):
            self.kept[id(result)] = result, before, _SQUASHES[func], func in _LOGARITHMS
        elif (known := self.kept.get(id(first))) is not None and isinstance(result, Tensor) and result is not first:
            _, before, kind, logarithm = known
            if func in _MOVES:
                self.kept[id(result)] = result, func(before, *args[1:], **kwargs), kind, logarithm
            elif func in _CLAMPS:
                self.kept[id(result)] = result, before, kind, logarithm
            elif func in _EXPONENTIALS and logarithm:
                self.kept[id(result)] = result, before, kind, False
            elif func in _LOGS and not logarithm:
                self.kept[id(result)] = result, before, kind, True
        return result

    def before(self, output: Tensor) -> tuple[Tensor, Squash] | None:
        """Return the input and the kind of the last step that computed `output`; None if there is no such step."""
        known = self.kept.get(id(output))
        return None if known is None else (known[1], known[2])


def _is_small(x: Tensor) -> bool:
    return x.ndim <= 2 or x[0, 0].numel() == 1


def _along_classes(func: Any, x: Tensor, args: Any, kwargs: Any) -> bool:
    """Return whether a softmax runs along the classes of (B, K) or (B, K, 1, 1); a sigmoid runs on each value alone."""
    if _SQUASHES[func] == "sigmoid":
        return True
    dim = kwargs.get("dim", args[1] if len(args) > 1 else None)
    return dim is None or dim % x.ndim == min(1, x.ndim - 1)


def last_steps(reading: OutputReading | None) -> "AbstractContextManager[LastSteps | None]":
    """Return the context of a pass in which the network's last step must be seen; it costs nothing otherwise."""
    return LastSteps() if reading and reading.squash and not reading.computed_back else nullcontext()


def class_scores(
    output: Any, reading: OutputReading | None = None, steps: LastSteps | None = None, batch: int | None = None
) -> Tensor:
    """Return the class scores (B, K) from a network's output for `batch` images. Raises CamvizError."""
    if reading is None:
        found = output if isinstance(output, Tensor) else at(output, choose(output))
        return as_matrix(found, batch if found.ndim else None)  # a single number may be a loss
    found = at(output, reading.output) if not isinstance(output, Tensor) else output
    if reading.computed_back:
        found = as_matrix(found, batch)
        scores = torch.special.logit(found, torch.finfo(found.dtype).eps / 2)  # 0 and 1 have no finite score
    elif reading.squash and steps is not None:
        before = steps.before(found)
        if before is None:
            raise OutputError(
                "the network's last step was {step} when it was loaded, and is another one now: load it again",
                step=reading.squash,
            )
        scores = as_matrix(before[0], batch)
    else:
        scores = as_matrix(found, batch)
    return torch.cat([-scores, scores], dim=1) if reading.two_answers else scores


def as_matrix(output: Any, batch: int | None = None) -> Tensor:
    """Return an output (B, K), (B,) or (B, K, 1, 1) as (B, K). Raises CamvizError for anything else.

    For a `batch` of one image, (K,) and () are outputs that lost their first dimension by squeeze().
    """
    if isinstance(output, Tensor) and output.is_floating_point():
        found: Tensor = output
        if batch == 1 and found.ndim < 2 and found.shape != (1,):
            found = found.reshape(1, -1)
        if found.ndim == 2 and found.shape[1]:
            return found
        if found.ndim == 1:
            return found[:, None]
        if found.ndim > 2 and found[0, 0].numel() == 1:
            return found.flatten(1)
        if found.ndim == 4:
            raise OutputError(
                "the network must end in class scores of shape (batch, classes); it returned shape {shape}, a map of "
                "scores: put it into an nn.Module that averages the map, as in `return net(x).mean(dim=(2, 3))`",
                shape=tuple(output.shape),
            )
    came = Message("shape {shape}", shape=tuple(output.shape)) if isinstance(output, Tensor) else type(output).__name__
    raise OutputError("the network must end in class scores of shape (batch, classes); it returned {came}", came=came)


def leaves(output: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yield every output that is not a container, with the path that leads to it."""
    parts: Any = None
    if isinstance(output, Mapping):
        parts = output.items()
    elif isinstance(output, tuple) and hasattr(output, "_fields"):
        parts = zip(output._fields, output, strict=True)
    elif isinstance(output, tuple | list):
        parts = enumerate(output)
    elif is_dataclass(output) and not isinstance(output, type):
        parts = ((field.name, getattr(output, field.name)) for field in fields(output))
    elif not isinstance(output, Tensor) and hasattr(output, "__dict__"):
        parts = vars(output).items()
    if parts is None:
        yield path, output
        return
    for name, part in parts:
        yield from leaves(part, (*path, name))


def at(output: Any, path: Path) -> Any:
    """Return the output at the end of a path. Raises CamvizError, with the outputs that exist."""
    if isinstance(output, Tensor) and path in ((0,), (-1,)):
        return output  # the only one
    found = output
    for step in path:
        try:
            if isinstance(found, Tensor):
                raise LookupError("a tensor's rows are images, and no outputs")
            named = isinstance(step, str) and not isinstance(found, Mapping)
            found = getattr(found, str(step)) if named else found[step]
        except (LookupError, TypeError, AttributeError) as error:
            outputs = listed([described_output(path, value) for path, value in leaves(output)])
            raise OutputError(
                "this network has no output {output}; it returns {outputs}",
                output=".".join(map(str, path)),
                outputs=outputs,
            ) from error
    return found


def choose(output: Any, classes: int | None = None, batch: int | None = None) -> Path:
    """Return the path to the class scores among several outputs; see `candidates_of`.

    Of several with the same number of classes it is the first. Raises CamvizError if they differ in it.
    """
    candidates = candidates_of(output, classes, batch)
    if len({as_matrix(value).shape[1] for _, value in candidates}) > 1:
        raise OutputError(
            "the network returns several outputs that may be its class scores: {outputs}; choose one, as in "
            "load_model(net, output={example})",
            outputs=listed([described_output(path, value) for path, value in candidates]),
            example=repr(candidates[0][0][0] if len(candidates[0][0]) == 1 else candidates[0][0]),
        )
    return candidates[0][0]


def candidates_of(output: Any, classes: int | None = None, batch: int | None = None) -> list[tuple[Path, Tensor]]:
    """Return the outputs that may be the class scores: by their shapes, and by what they depend on.

    An output from which another one is computed is not among them, such as features from which logits are computed.
    `classes`: their number, if it is known. `batch`: the number of images, the first size of each output. Raises
    CamvizError if there is none.
    """
    candidates = [
        (path, value)
        for path, value in leaves(output)
        if _is_candidate(value) and path[-1] not in _FEATURES and batch in (None, len(value))
    ]
    if classes is not None:
        candidates = [one for one in candidates if as_matrix(one[1]).shape[1] == classes] or candidates
    if len(candidates) > 1:
        names = [one for one in candidates if str(one[0][-1]) in ("logits", "out")]
        candidates = names if len(names) == 1 else _last_of(candidates)
    if not candidates:
        found = [described_output(path, value) for path, value in leaves(output)]
        raise OutputError(
            "the network must end in class scores of shape (batch, classes); it returned {outputs}",
            outputs=listed(found) if found else type(output).__name__,
        )
    return candidates


def _is_candidate(value: Any) -> bool:
    if not isinstance(value, Tensor) or not value.is_floating_point() or value.ndim == 0 or not value.numel():
        return False
    return value.ndim <= 2 or value[0, 0].numel() == 1


def _last_of(candidates: list[tuple[Path, Tensor]]) -> list[tuple[Path, Tensor]]:
    """Return the candidates from which no candidate of another width is computed: the logits, not the features."""
    before: dict[Any, set[Any]] = {value.grad_fn: set(nodes_before(value)) for _, value in candidates}
    return [
        (path, value)
        for path, value in candidates
        if not any(
            value.grad_fn is not None
            and value.grad_fn in before.get(other.grad_fn, ())
            and as_matrix(other).shape[1] != as_matrix(value).shape[1]
            for _, other in candidates
        )
    ]


def independent_outputs(candidates: list[tuple[Path, Tensor]]) -> list[tuple[Path, Tensor]]:
    """Return the first output, and the others that are neither computed from it nor used to compute it."""
    (_, first), *others = candidates
    before = set(nodes_before(first))
    return candidates[:1] + [
        (path, value)
        for path, value in others
        if value.grad_fn not in before and first.grad_fn not in set(nodes_before(value))
    ]


def nodes_before(value: Tensor) -> Iterator[Any]:
    """Yield every node of autograd's graph from which a tensor is computed, without its own."""
    waiting, seen = [value.grad_fn], {value.grad_fn, None}
    while waiting:
        node = waiting.pop()
        following = {one for one, _ in node.next_functions} - seen if node is not None else set()
        seen |= following
        waiting += following
        yield from following


def described_output(path: Path, value: Any) -> str:
    """Return the path and the shape of an output for a sentence."""
    shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
    return f"{'.'.join(map(str, path))} {shape}".strip()
