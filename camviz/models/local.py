"""The models of the catalog whose weights are on this machine."""

from functools import cache
from pathlib import Path

from .catalog import EMBEDDED, catalog, torchvision_weights
from .checkpoints import download
from .checkpoints.packaged import PACKAGES, packaged_file


def local_models() -> frozenset[str]:
    """Return the names of the catalog's models that can be loaded without a download."""
    files, repositories = download.downloaded_files(), download.downloaded_repositories()
    files |= {name for name in PACKAGES if packaged_file(name)}
    names = {name for name, places in _files().items() if not files.isdisjoint(places)}
    names |= {
        name
        for name, (repository, path) in _repositories().items()
        if repository in repositories and download.is_downloaded(repository, path)
    }
    return frozenset({*EMBEDDED, *names})


@cache
def _files() -> dict[str, set[str]]:
    """Return the names of files in torch's hub cache by model; one of them is sufficient."""
    import timm

    found = {}
    for entry in catalog():
        if entry.source == "torchvision":
            found[entry.name] = {torchvision_weights(entry.name).url.rpartition("/")[2]}
        elif entry.source == "timm":
            config = timm.get_pretrained_cfg(entry.name.removeprefix("timm/"))
            found[entry.name] = {
                f"{entry.name.removeprefix('timm/')}{Path(config.hf_hub_filename or 'model.safetensors').suffix}",
                *([config.url.rpartition("/")[2]] if config.url and not config.hf_hub_id else []),
            }
    return found


@cache
def _repositories() -> dict[str, tuple[str, str]]:
    """Return repository and file in the Hugging Face cache by model."""
    import timm

    names = [entry.name for entry in catalog() if entry.source == "timm"]
    configs = {name: timm.get_pretrained_cfg(name.removeprefix("timm/")) for name in names}
    return {
        name: (config.hf_hub_id, config.hf_hub_filename or "model.safetensors")
        for name, config in configs.items()
        if config.hf_hub_id
    }
