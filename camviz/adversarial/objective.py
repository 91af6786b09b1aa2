"""The objective of an attack: a loss of the class scores, as a function of the perturbed view, and its gradient."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..edits.corruptions import jpeg
from ..models import Model
from ..runtime.rng import Rng
from ..tape import forward, input_gradient
from .ball import RGB, Ball, Perturbation

Loss = Literal["margin", "cross-entropy"]
QUALITIES = (50, 95)  # of the compressed copies


@dataclass(frozen=True)
class AttackLoss:
    """The loss of class scores (B, K) for one class c, (B,): an attack raises it.

    "margin": max of the other scores - score of c (Carlini & Wagner, 2017), positive where c is not the best class;
    "cross-entropy": -log softmax(scores)[c]. Targeted: the negative of it.
    """

    c: int
    targeted: bool
    loss: Loss

    def __call__(self, scores: Tensor) -> Tensor:
        if self.loss == "margin":
            others = scores.clone()
            others[:, self.c] = -torch.inf
            value = others.amax(dim=1) - scores[:, self.c]
        else:
            value = -scores.log_softmax(dim=1)[:, self.c]
        return -value if self.targeted else value


@dataclass(frozen=True, eq=False)
class Objective:
    """The loss at the 8-bit view that a perturbation gives, and its gradient with respect to the view.

    With `jpeg_copies` it is the mean over this number of copies of the view under JPEG compression of random quality
    (expectation over transformations; Athalye et al., ICML 2018). Rounding and compression have no useful gradient; it
    is replaced by 1 (backward pass differentiable approximation; Athalye, Carlini & Wagner, ICML 2018).
    """

    model: Model
    loss: AttackLoss
    jpeg_copies: int = 0
    seed: int = 0

    def inputs(self, ball: Ball, delta: Perturbation) -> Tensor:
        """Return the network's inputs (B, C, H, W): of the perturbed view, or of its compressed copies."""
        return torch.cat([self.model.normalize(one) for one in self._copies(ball.stored(delta))])

    def _copies(self, view: RGB) -> list[RGB]:
        qualities = Rng(self.seed).integers(*QUALITIES, self.jpeg_copies).tolist()
        return [jpeg(view, quality) for quality in qualities] or [view]

    def gradient(self, ball: Ball, delta: Perturbation) -> tuple[float, NDArray[np.float64]]:
        """Return the loss and its gradient with respect to the view (H, W, 3)."""
        x = self.inputs(ball, delta)
        values: list[Tensor] = []

        def score(scores: Tensor) -> Tensor:
            explained = self.loss(scores)
            values.append(explained.detach())
            return explained

        gradient = input_gradient(self.model.net, x, score).cpu().double()
        std = torch.tensor(self.model.std, dtype=torch.float64, device="cpu").view(-1, 1, 1)
        of_pixels = self.model.in_colors(gradient / std).mean(dim=0)
        return float(torch.cat(values).double().mean()), of_pixels.permute(1, 2, 0).numpy()

    def value(self, ball: Ball, delta: Perturbation) -> float:
        """Return the loss."""
        with torch.no_grad():
            return float(self.loss(forward(self.model.net, self.inputs(ball, delta))).double().mean())
