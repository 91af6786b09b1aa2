"""See why a convolutional network made its prediction."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .runtime import openmp as _openmp
from .version import __version__ as __version__

if TYPE_CHECKING:
    from . import adversarial, edits, scores, training
    from .errors import CamvizError
    from .explanation.explain import explain
    from .explanation.explanation import Explanation
    from .explanation.heatmap_curve import heatmap_curve
    from .explanation.hiding import hide_and_ask_again, hide_highlighted
    from .measurement import measure
    from .models import Model, load_model
    from .registry import METHODS
    from .ui.server.serve import serve

_openmp.set_wait_policy()  # before anything loads PyTorch

__all__ = [
    "METHODS",
    "CamvizError",
    "Explanation",
    "Model",
    "adversarial",
    "edits",
    "explain",
    "heatmap_curve",
    "hide_and_ask_again",
    "hide_highlighted",
    "load_model",
    "measure",
    "scores",
    "serve",
    "training",
]

_MODULES = {
    "METHODS": ".registry",
    "CamvizError": ".errors",
    "Explanation": ".explanation.explanation",
    "Model": ".models",
    "explain": ".explanation.explain",
    "heatmap_curve": ".explanation.heatmap_curve",
    "hide_and_ask_again": ".explanation.hiding",
    "hide_highlighted": ".explanation.hiding",
    "load_model": ".models",
    "measure": ".measurement",
    "serve": ".ui.server.serve",  # the only name that needs Streamlit
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used, so that `import camviz` does not wait for PyTorch."""
    if name in _MODULES:
        globals()[name] = found = getattr(import_module(_MODULES[name], __name__), name)
        return found
    if not name.startswith("_"):
        try:
            return import_module(f".{name}", __name__)
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    raise AttributeError(f"module '{__name__}' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
