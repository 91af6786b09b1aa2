"""See why a convolutional network said what it said."""

from typing import TYPE_CHECKING, Any

from . import adversarial, edits, scores
from .errors import CamvizError
from .explanation.explain import explain
from .explanation.explanation import Explanation
from .measurement import measure
from .models import Model, load_model
from .registry import METHODS
from .version import __version__ as __version__

if TYPE_CHECKING:
    from .ui.server.serve import serve

__all__ = [
    "METHODS",
    "CamvizError",
    "Explanation",
    "Model",
    "adversarial",
    "edits",
    "explain",
    "load_model",
    "measure",
    "scores",
    "serve",
]


def __getattr__(name: str) -> Any:
    if name != "serve":
        raise AttributeError(f"module 'camviz' has no attribute '{name}'")
    from importlib import import_module  # Streamlit is for who serves; the rest does without it

    return import_module(".ui.server.serve", __name__).serve
