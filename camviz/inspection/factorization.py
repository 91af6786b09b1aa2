"""Non-negative matrix factorization of feature maps."""

import torch
from torch import Tensor

ITERATIONS = 200
TINY = 1e-10  # keeps divisors away from zero


def factorized(matrix: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Return W (c, k) and H (k, n), non-negative, whose product approximates a non-negative matrix (c, n).

    Multiplicative updates (Lee & Seung, 2001) from the singular vectors (NNDSVD; Boutsidis & Gallopoulos, 2008), so
    that the result needs no seed. There are at most as many components as rows or columns.
    """
    factors, places = singular_start(matrix, min(components, *matrix.shape))
    for _ in range(ITERATIONS):
        factors = factors * ((matrix @ places.T) / (factors @ (places @ places.T)).clamp(min=TINY))
        places = places * ((factors.T @ matrix) / ((factors.T @ factors) @ places).clamp(min=TINY))
    return factors, places


def singular_start(matrix: Tensor, components: int) -> tuple[Tensor, Tensor]:
    """Return the larger half, positive or negative, of each of the first singular vectors; zeros become the mean."""
    left, values, right = (part.to(matrix) for part in torch.linalg.svd(matrix.cpu(), full_matrices=False))
    columns, rows = [], []
    for number in range(components):
        u, v = left[:, number], right[number]
        halves = [(u.clamp(min=0), v.clamp(min=0)), ((-u).clamp(min=0), (-v).clamp(min=0))]
        u, v = max(halves, key=lambda half: float(half[0].norm() * half[1].norm()))
        scale = (values[number] * u.norm() * v.norm()).sqrt()
        columns.append(scale * u / u.norm().clamp(min=TINY))
        rows.append(scale * v / v.norm().clamp(min=TINY))
    found = (torch.stack(columns, dim=1), torch.stack(rows))
    return tuple(one.where(one > 0, matrix.mean()) for one in found)  # type: ignore[return-value]
