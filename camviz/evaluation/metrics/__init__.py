"""One metric a file: every file here is imported, and so enters METRICS."""

import importlib
import pkgutil

from ...runtime import extensions
from ..registry import METRICS

for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")
extensions.load_into(METRICS, extensions.METRICS)  # those of other packages
