"""Compute plain weights from the tensors of weight norm, spectral norm and pruning."""

from collections.abc import Container, Mapping

import torch
from torch import Tensor


def plain_weights(state: Mapping[str, Tensor], wanted: Container[str]) -> dict[str, Tensor]:
    """Return `state` with each weight that the checkpoint has in parts, and the network as a whole, computed.

    weight norm: w = g v / ||v||;  spectral norm: w = v / (u^T V v');  pruning: w = v * mask. Names may have a prefix.
    Parts that the network has itself are left unchanged.
    """
    plain = dict(state)
    for key in state:
        for sign, make in _FORMS.items():
            if key.endswith(sign) and not _has(wanted, key):
                name, weight, used = make(key.removesuffix(sign), state)
                if weight is not None and name not in state:
                    plain = {other: value for other, value in plain.items() if other not in used}
                    plain[name] = weight
    return plain


def _has(wanted: Container[str], key: str) -> bool:
    """Return whether the network has a tensor of this name, with or without its prefix in the checkpoint."""
    parts = key.split(".")
    return any(".".join(parts[place:]) in wanted for place in range(len(parts) - 1))


Found = tuple[str, Tensor | None, set[str]]


def _norm(name: str, state: Mapping[str, Tensor], size: str, direction: str) -> Found:
    g, v = state.get(name + size), state.get(name + direction)
    if g is None or v is None or not v.is_floating_point():
        return name, None, set()
    if not g.ndim:  # one norm for the whole tensor
        return name, v * (g / torch.linalg.vector_norm(v)), {name + size, name + direction}
    if g.ndim != v.ndim or any(side not in (1, full) for side, full in zip(g.shape, v.shape, strict=True)):
        return name, None, set()
    sides = [place for place, side in enumerate(g.shape) if side == 1 and v.shape[place] > 1]
    norm = torch.linalg.vector_norm(v, dim=sides, keepdim=True) if sides else v.abs()
    return name, v * (g / norm), {name + size, name + direction}


def _spectral(name: str, state: Mapping[str, Tensor], original: str, left: str, right: str) -> Found:
    w, u, v = (state.get(name + end) for end in (original, left, right))
    if (
        w is None
        or u is None
        or v is None
        or w.ndim < 2
        or w.numel() != u.numel() * v.numel()
        or not w.is_floating_point()
    ):
        return name, None, set()
    axis = 0 if w.shape[0] == u.numel() else 1
    matrix = w.movedim(axis, 0).reshape(u.numel(), -1)
    return name, w / torch.dot(u.to(w.dtype), matrix @ v.to(w.dtype)), {name + end for end in (original, left, right)}


def _mask(name: str, state: Mapping[str, Tensor]) -> Found:
    original, mask = state[f"{name}_orig"], state.get(f"{name}_mask")
    if mask is None or mask.shape != original.shape:
        return name, None, set()
    return name, original * mask, {f"{name}_orig", f"{name}_mask"}


_NEW = "parametrizations."


def _new_norm(rest: str, state: Mapping[str, Tensor]) -> Found:
    name, weight, used = _norm(rest, state, ".original0", ".original1")
    return name.replace(_NEW, ""), weight, used


def _new_spectral(rest: str, state: Mapping[str, Tensor]) -> Found:
    name, weight, used = _spectral(rest, state, ".original", ".0._u", ".0._v")
    return name.replace(_NEW, ""), weight, used


def _old(rest: str, state: Mapping[str, Tensor]) -> Found:
    if f"{rest}_mask" in state:
        return _mask(rest, state)
    return _spectral(rest, state, "_orig", "_u", "_v")


_FORMS = {
    "_g": lambda rest, state: _norm(rest, state, "_g", "_v"),
    ".original0": _new_norm,
    ".original": _new_spectral,
    "_orig": _old,
}
