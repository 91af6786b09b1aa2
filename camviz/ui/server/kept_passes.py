"""Forward passes that this process keeps for everybody, so that another class or method at a layer is quick."""

from contextlib import AbstractContextManager, nullcontext

from ...models import Model
from ...tape import KeptPasses, reusing_passes
from .singletons import process_singleton


@process_singleton
def kept_passes() -> KeptPasses:
    """Return the passes of everybody on this server."""
    return KeptPasses()


def reusing(model: Model) -> AbstractContextManager[None]:
    """Return the context in which forward passes of a model are kept and reused; not if they draw random numbers."""
    return nullcontext() if model.draws_random_numbers else reusing_passes(kept_passes())
