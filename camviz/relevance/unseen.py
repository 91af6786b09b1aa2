"""Steps of a network that cannot be intercepted as calls: its own autograd.Functions and scripted functions."""

import re
from collections.abc import Iterator
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from ..tape import is_own_function, nodes_of
from .steps import RelevanceFunction

# Nodes of autograd that do more than move values. Intercepted calls leave no such node.
_NAMES = """
    mul div add sub addcmul addmm mm bmm baddbmm convolution linear pow exp log sqrt rsqrt reciprocal square abs neg
    mean sum prod var std norm linalgvectornorm cumsum sigmoid hardsigmoid tanh softmax logsoftmax silu gelu elu mish
    softplus hardswish leakyrelu prelu relu hardtanh clamp clampmin clampmax threshold
    avgpool2d adaptiveavgpool2d nativebatchnorm nativelayernorm nativegroupnorm sin cos erf atan lerp
    scaleddotproductflashattentionforcpu scaleddotproductefficientattention
"""
_OPERATIONS = frozenset(_NAMES.split())


def nodes_of_tensors(values: Any) -> set[Any]:
    """Return the node of autograd's graph that made each tensor among the values."""
    return {value.grad_fn for value in tree_leaves(values) if isinstance(value, Tensor)}


def nodes_between(result: Any, ends: set[Any]) -> set[Any]:
    """Return the nodes of autograd's graph that lead from the nodes of a call's arguments to its result."""
    found: set[Any] = set()
    waiting = list(nodes_of_tensors(result))
    while waiting:
        node = waiting.pop()
        if node is None or node in ends or node in found:
            continue
        found.add(node)
        waiting += [following for following, _ in node.next_functions]
    return found


def unseen_steps(score: Tensor, seen: set[Any]) -> Iterator[Any]:
    """Yield the nodes of the network's steps that were not intercepted, without those of the score itself."""
    above = _above_the_network(score.grad_fn)
    for node in nodes_of(score):
        if is_own_function(node) or (node not in above and node not in seen and _operation(node) in _OPERATIONS):
            yield node


def name_of(node: Any) -> str:
    """Return the name of a step for a sentence."""
    return "torch.jit.script" if "DifferentiableGraph" in node.name() else _plain_name(node)


def _operation(node: Any) -> str:
    return "mul" if "DifferentiableGraph" in node.name() else _plain_name(node).lower()


def _plain_name(node: Any) -> str:
    return re.sub(r"Backward\d*$", "", str(node.name()))


def _above_the_network(node: Any) -> set[Any]:
    """Return the nodes that are reached before any step of the network with a rule."""
    found: set[Any] = set()
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node is None or node in found or getattr(type(node), "_forward_cls", None) is RelevanceFunction:
            continue
        found.add(node)
        waiting += [following for following, _ in node.next_functions]
    return found
