"""Extensions: methods, metrics and models of other packages, found by entry points.

In the pyproject.toml of such a package:

    [project.entry-points."camviz.methods"]
    energy = "energy_maps.methods"        # a module with functions decorated by @method of camviz.registry

    [project.entry-points."camviz.metrics"]
    energy = "energy_maps.metrics"        # a module with functions decorated by @metric of camviz.evaluation.registry

    [project.entry-points."camviz.models"]
    birds = "energy_maps.models:birds"    # a function that returns a camviz.Model or an nn.Module; "birds" is its name
"""

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from ..errors import CamvizError, message_of

METHODS, METRICS, MODELS = GROUPS = ("camviz.methods", "camviz.metrics", "camviz.models")


def found(group: str) -> tuple[EntryPoint, ...]:
    """Return the entry points of a group, sorted by name."""
    return tuple(sorted(entry_points(group=group), key=lambda one: one.name))


def package_of(extension: EntryPoint) -> str:
    """Return the name and version of the package that an entry point belongs to."""
    return f"{extension.dist.name} {extension.dist.version}" if extension.dist else extension.value


def loaded(extension: EntryPoint) -> Any:
    """Return the object of an entry point. Raises CamvizError, which names its package, if the import fails."""
    return called(extension, extension.load)


def called(extension: EntryPoint, function: Callable[[], Any]) -> Any:
    """Call a function of an extension. Raises CamvizError, which names its package, for any exception."""
    try:
        return function()
    except Exception as error:
        raise CamvizError(
            "the package {package} extends CamViz by {value} ({group}), which fails: {error}; update or uninstall the "
            "package",
            package=package_of(extension),
            value=extension.value,
            group=extension.group,
            error=f"{type(error).__name__}: {message_of(error)}",
        ) from error


def load_into(table: Mapping[str, Any], group: str) -> None:
    """Import the modules of a group, which add their functions to `table`. Raises CamvizError for a broken one."""
    for extension in found(group):
        loaded(extension)
        package = extension.module.partition(".")[0]
        if not any(entry.function.__module__.partition(".")[0] == package for entry in table.values()):
            raise CamvizError(
                "the package {package} extends CamViz by {value} ({group}), which adds nothing: its functions lack the "
                "decorator @method or @metric",
                package=package_of(extension),
                value=extension.value,
                group=group,
            )
