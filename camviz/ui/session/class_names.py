"""Common names for the classes of ImageNet, in each language.

ImageNet's own names are often synonyms of WordNet ("Madagascar cat" is a ring-tailed lemur), and are English.
`locale/LANGUAGE/imagenet.txt` has a common name for each class, one per line, in the order of the classes.
"""

from functools import cache
from pathlib import Path

from ...models.class_names import ImageNetName
from ...models.sources import imagenet_labels

LOCALES = Path(__file__).parents[1] / "locale"


def common_name(label: ImageNetName, language: str) -> str:
    """Return the common name of a class of ImageNet in a language.

    >>> common_name(ImageNetName("Madagascar cat"), "en")
    'ring-tailed lemur'
    """
    return common_names(language)[_places()[label]]


@cache
def common_names(language: str) -> tuple[str, ...]:
    """Return the common names of all classes of ImageNet in a language, in their order."""
    return tuple((LOCALES / language / "imagenet.txt").read_text(encoding="utf-8").splitlines())


@cache
def _places() -> dict[str, int]:
    return {label: place for place, label in enumerate(imagenet_labels())}
