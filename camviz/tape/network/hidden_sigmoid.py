"""Find a sigmoid near the end of a network in autograd's graph, for networks whose last call is another one."""

from typing import Any

from torch import Tensor

_SIGMOIDS = {"Sigmoid", "Softmax", "Hardsigmoid", "Tanh"}
_NAMES = """
    Mul Div Add Sub Rsub Neg Reciprocal Clamp ClampMin ClampMax Mean Sum Stack Cat View UnsafeView Squeeze Unsqueeze
    Clone Select Slice Index Transpose T Permute Expand Alias ReshapeAlias ToCopy
"""
_ARITHMETIC = frozenset(_NAMES.split())


def ends_in_sigmoid(output: Tensor) -> bool:
    """Return whether autograd's graph of an output has a sigmoid, or 1 / (1 + exp(-z)), followed only by arithmetic."""
    waiting, found = [output.grad_fn], dict[Any, str]()
    while waiting:
        node = waiting.pop()
        if node is None or node in found:
            continue
        found[node] = node.name().partition("Backward")[0]
        if found[node] in _ARITHMETIC:
            waiting += [following for following, _ in node.next_functions]
    names = set(found.values())
    return bool(names & _SIGMOIDS) or ("Exp" in names and bool(names & {"Reciprocal", "Div"}))
