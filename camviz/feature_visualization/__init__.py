"""Feature visualization: images made for a network. Importing it imports every file, which fills SYNTHESES."""

import importlib
import pkgutil

from ..registry import SYNTHESES
from .synthesis import Synthesis, estimate, find_synthesis, synthesize

__all__ = ["SYNTHESES", "Synthesis", "estimate", "find_synthesis", "synthesize"]

for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")
