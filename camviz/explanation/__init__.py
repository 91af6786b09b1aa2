"""One explanation: the question, the answer, and the recipe that reproduces it."""

from .. import methods as _methods  # noqa: F401  # fills METHODS
from . import recipe as recipe  # so that `camviz.explanation.recipe` works without another import
