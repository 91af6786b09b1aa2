"""Multinomial logistic regression with an L2 penalty."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import logsumexp, softmax  # type: ignore[import-untyped]

STRENGTH = 100.0  # C: the weight of the images' loss against the penalty
ITERATIONS = 1000

Matrix = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearLayer:
    """The class scores of features f (n, d): f @ weight.T + bias, with a weight (K, d) and a bias (K,)."""

    weight: Matrix
    bias: Matrix

    def probabilities(self, features: Matrix) -> Matrix:
        """Return the softmax of the class scores, (n, K)."""
        found: Matrix = softmax(features @ self.weight.T + self.bias, axis=1)
        return found


def fit(features: Matrix, labels: NDArray[np.int64], classes: int, strength: float = STRENGTH) -> LinearLayer:
    """Return the layer that minimizes `strength` * sum_i -log softmax(W z_i + b)[label_i] + ||W||^2 / 2.

    `features` (n, d), `labels` (n,). z = (f - mean) / scale has a mean squared length of 1, so that one strength suits
    every network; mean and scale are folded into the returned weight and bias. The bias is not penalized.
    """
    mean = features.mean(axis=0)
    centered = features - mean
    scale = float(np.sqrt((centered**2).sum(axis=1).mean())) or 1.0
    # The rows of the optimal W are combinations of the z of the images, so n coordinates in their basis replace d.
    _, _, basis = np.linalg.svd(centered / scale, full_matrices=False)
    coordinates = centered / scale @ basis.T
    wanted = np.eye(classes)[labels]
    size = coordinates.shape[1]

    def loss(flat: Matrix) -> tuple[float, Matrix]:
        parameters = flat.reshape(classes, size + 1)
        weight, bias = parameters[:, :size], parameters[:, size]
        scores = coordinates @ weight.T + bias
        total = logsumexp(scores, axis=1)
        error = softmax(scores, axis=1) - wanted
        gradient = np.empty_like(parameters)
        gradient[:, :size] = strength * error.T @ coordinates + weight
        gradient[:, size] = strength * error.sum(axis=0)
        value = strength * float((total - (scores * wanted).sum(axis=1)).sum()) + float((weight**2).sum()) / 2
        return value, gradient.ravel()

    options = {"maxiter": ITERATIONS, "ftol": 1e-15, "gtol": 1e-7}
    start = np.zeros(classes * (size + 1))
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    parameters = found.x.reshape(classes, size + 1)
    weight = parameters[:, :size] @ basis / scale
    return LinearLayer(weight, parameters[:, size] - weight @ mean)
