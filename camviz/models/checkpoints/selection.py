"""Choose the tensors of a checkpoint that belong to a network, and give them the network's names.

After the parts of wrappers are removed from the names, each tensor "p + name" of the checkpoint is a candidate for the
tensor "name" of the network. The chosen prefix p is the one with most matching names and shapes.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ...errors import WeightsFitError
from ...messages import listed
from .contents import SEPARATOR
from .reparametrization import plain_weights

_WRAPPERS = re.compile(r"(?:(?<=[./])|^)(?:module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# Names of copies that training keeps beside the network, and of tensors that belong to no network.
_COPIES = re.compile(r"ema|averag|swa|teacher|shadow|momentum|target|slow|key_encoder|encoder_k|_k$|old", re.IGNORECASE)
_OTHERS = re.compile(r"criteri|loss|metric|optim|sched|scaler|queue|acc|(^|_)(f1|auroc)", re.IGNORECASE)
_USUAL = ("state_dict", "model", "model_state_dict", "model_state", "net")


def select(state: Mapping[str, Tensor], net: nn.Module) -> dict[str, Tensor]:
    """Return the tensors of `state` that belong to `net`, under the names of `net` if these are recognized.

    If several sets fit equally well, plain weights are preferred to averaged ones (EMA, SWA) and to those of a teacher,
    then those under the usual keys. Losses, counters and the optimizer's tensors are left out. Other tensors that the
    network does not have are kept, so that `fill` can name them. Raises CamvizError if the choice is ambiguous.
    """
    wanted = net.state_dict()
    if wanted.keys() == state.keys():
        return dict(state)
    own = _short_names(wanted)
    given = plain_weights({_short(key): value for key, value in state.items()}, own)
    scores = _scores(given, own, wanted)
    firsts = {name.partition(".")[0] for name in own}
    if not scores and len(firsts) == 1 and all("." in name for name in own):  # the network's own names have a prefix
        own = {name.partition(".")[2]: full for name, full in own.items()}
        scores = _scores(given, own, wanted)
    if not scores:
        return _without_common_prefix(given)
    best = max((shape, name) for shape, name in scores.values())
    equal = [prefix for prefix, (shape, name) in scores.items() if (shape, name) == best]
    prefix = _preferred(equal, given)
    chosen = {key[len(prefix) :].replace(SEPARATOR, "."): key for key in given if key.startswith(prefix)}
    known = {name.partition(".")[0] for name in own}
    return {
        own.get(name, name): given[key]
        for name, key in chosen.items()
        if name in own or not _is_other(key[len(prefix) :], given[key], known)
    }


def _scores(given: Mapping[str, Tensor], own: Mapping[str, str], wanted: Mapping[str, Tensor]) -> dict[str, list[int]]:
    """Return for each prefix the number of shapes and of names that fit."""
    scores: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for key, value in given.items():
        for prefix, name in _splits(key):
            if name in own:
                scores[prefix][0] += wanted[own[name]].shape == value.shape
                scores[prefix][1] += 1
    return scores


def _short(key: str) -> str:
    return _WRAPPERS.sub("", key)


def _short_names(names: Iterable[str]) -> dict[str, str]:
    """Return the network's names by their forms without wrappers; all unchanged if two would become equal."""
    names = list(names)
    short = {_short(name): name for name in names}
    return short if len(short) == len(names) else {name: name for name in names}


def _splits(key: str) -> Iterable[tuple[str, str]]:
    """Yield all ways to divide a name into a prefix and the name inside a network."""
    for place in (0, *(match.end() for match in re.finditer(r"[./]", key))):
        yield key[:place], key[place:].replace(SEPARATOR, ".")


def _preferred(prefixes: list[str], given: Mapping[str, Tensor]) -> str:
    def rank(prefix: str) -> tuple[bool, int]:
        parts = [part for part in re.split(r"[./]", prefix) if part]
        usual = [_USUAL.index(part) for part in parts if part in _USUAL]
        return bool(_COPIES.search(prefix)), min(usual, default=len(_USUAL) if parts else -1)

    least = min(map(rank, prefixes))
    first, *others = [prefix for prefix in prefixes if rank(prefix) == least]
    for other in others:
        names = [key[len(first) :] for key in given if key.startswith(first)]
        if any(not _equal(given[first + name], given.get(other + name)) for name in names):
            raise WeightsFitError(
                "the checkpoint holds several state dicts that fit the network equally well, under {names}: load one "
                "of them with torch.load and pass it as weights, a dictionary of tensors by name",
                names=listed([repr(name.rstrip("./")) for name in (first, *others)]),
            )
    return first


def _equal(one: Tensor, other: Tensor | None) -> bool:
    return other is not None and one.shape == other.shape and torch.equal(one, other)


def _is_other(name: str, value: Tensor, known: set[str]) -> bool:
    """Return whether a tensor belongs to no network: a counter, a loss, or a part of another dictionary."""
    first = re.split(r"[./]", name)[0]
    if first in known:
        return False
    return SEPARATOR in name or not value.ndim or bool(_COPIES.search(first) or _OTHERS.search(first))


def _without_common_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a checkpoint in which no name fits, without the common prefix of its names."""
    dictionaries: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, value in state.items():
        path, _, name = key.rpartition(SEPARATOR)
        if value.ndim and not _OTHERS.search(key.partition(".")[0]):
            dictionaries[path][name] = value
    plain = max(dictionaries.values(), key=len, default=dict(state))
    while len({key.partition(".")[0] for key in plain}) == 1 and all("." in key for key in plain):
        plain = {key.partition(".")[2]: value for key, value in plain.items()}
    return plain
