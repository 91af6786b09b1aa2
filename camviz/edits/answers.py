"""The answers of a model to several views in one batch."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..acceleration.memory_layout import in_fastest_layout
from ..errors import CamvizError
from ..images.arrays import check_view
from ..models import Model, Prediction
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..tape import forward
from .masks import RGB

LARGEST_BATCH = 16  # views: all views of any page fit into one batch, which fits the memory of a small machine


def answers_of(model: Model, views: Sequence[RGB], progress: Progress | None = None) -> NDArray[np.float32]:
    """Return the probabilities (N, K) of N views (H, W, 3) of the input size; with the head "none" the outputs.

    A network that draws random numbers gets one view at a time, so that it draws the same numbers for each. Raises
    CamvizError for a view of another size.
    """
    for view in views:
        if check_view(view).shape[:2] != model.input_size:
            raise CamvizError(
                "the view has the size {size}, and {model} takes {expected}: start from model.view(image)",
                size=view.shape[:2],
                model=model.name,
                expected=model.input_size,
            )
    found = []
    for part in batches(len(views), 1 if model.draws_random_numbers else LARGEST_BATCH, progress):
        x = in_fastest_layout(torch.cat([model.normalize(np.ascontiguousarray(view)) for view in views[part]]))
        with model.running(), torch.no_grad():
            found.append(model.probabilities(forward(model.net, x)).float().cpu())
    return np.asarray(torch.cat(found).numpy())


def predictions_of(model: Model, answers: NDArray[np.float32], k: int = 5) -> tuple[Prediction, ...]:
    """Return the `k` best classes of a view's answers (K,), best first."""
    order = np.argsort(-answers, kind="stable")[:k]
    return tuple(model.prediction(int(index), float(answers[index])) for index in order)
