"""The attacks, one per file. Importing this package imports every file, which fills ATTACKS."""

import importlib
import pkgutil

for _file in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_file.name}")
