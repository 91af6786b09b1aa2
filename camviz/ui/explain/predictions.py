"""The predictions as bars, and the model's input as an image."""

from ... import encode, text
from ...models import Prediction
from ..components import browser
from ..inputs.experiment import Experiment
from ..server.store import result_store
from ..session.language import tr, tr_message
from ..shell import sidebar


def predictions(found: tuple[Prediction, ...], chosen: int | None) -> None:
    """The best classes as bars; a click explains that class."""
    browser.bars(
        tr("Predictions: choose a class to explain"),
        [
            {
                "id": one.index,
                "label": one.label,
                "value": tr_message(text.percent(one.probability)),
                "share": one.probability,
                "chosen": one.index == chosen,
            }
            for one in found
        ],
        sidebar.explain_class,
    )


def seen(experiment: Experiment) -> bytes:
    """Return the image as the model sees it, as a JPEG."""
    return result_store().once(("view", experiment.key), lambda: encode.jpeg(experiment.view))
