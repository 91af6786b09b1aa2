"""The predictions as bars."""

from ...models import Prediction
from ..components import browser
from ..session.language import tr, tr_class, tr_message
from ..shell import sidebar


def predictions(found: tuple[Prediction, ...], chosen: int | None) -> None:
    """Show the predictions as bars; a click explains that class."""
    browser.bars(
        tr("Top-5 predictions: choose a class to explain"),
        [
            {
                "id": one.index,
                "label": tr_class(one.label),
                "value": tr_message(one.shown()),
                "share": one.probability if one.probability == one.probability else 0.0,
                "chosen": one.index == chosen,
            }
            for one in found
        ],
        sidebar.explain_class,
    )
