"""See why a convolutional network said what it said."""

from . import scores
from .errors import CamvizError
from .explanation import Explanation, explain
from .models import Model, load_model
from .registry import METHODS

__version__ = "0.1.0"
__all__ = ["METHODS", "CamvizError", "Explanation", "Model", "explain", "load_model", "scores"]
