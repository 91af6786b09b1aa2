"""The operator's file: networks to offer beside the catalogue, and whether visitors may bring their own."""

import logging
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import CamvizError, ConfigurationError, message_of, unknown
from ..messages import Message
from .catalogue import Entry, catalogue, source_of
from .checkpoints.download import Progress
from .load import load_model
from .model import Model
from .offers import ModelOffer, with_digest

VARIABLE = "CAMVIZ_CONFIG"

_PLAIN: dict[str, type | tuple[type, ...]] = {  # a field of a [[model]] -> what it must be
    "name": str,
    "title": str,
    "architecture": str,
    "weights": str,
    "categories": str,
    "input_size": list,
    "mean": list,
    "std": list,
    "input_channels": list,
    "head": str,
    "output": (int, str),
    "unit": str,
}
_KINDS = {str: Message("text"), list: Message("a list"), (int, str): Message("a whole number or text")}


@dataclass(frozen=True)
class OperatorConfig:
    """What the operator's file says, and a sentence for each of its `faults`, which is left out.

    `uploads`: whether visitors may bring a network; None = those at this machine.
    `catalogue`: the names out of the catalogue that are offered beside the standard one's; None = all.
    """

    offers: Mapping[str, ModelOffer] = field(default_factory=dict)
    uploads: bool | None = None
    catalogue: frozenset[str] | None = None
    faults: tuple[str, ...] = ()


def operator_config() -> OperatorConfig:
    """The file that the environment variable CAMVIZ_CONFIG names, read again when it changes."""
    name = os.environ.get(VARIABLE)
    if not name:
        return OperatorConfig()
    file = Path(name).absolute()
    return _read(file, file.stat().st_mtime_ns if file.is_file() else 0)


@lru_cache(maxsize=4)
def _read(file: Path, changed: int) -> OperatorConfig:
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return _closed(Message("{variable} names {file}, and there is no such file", variable=VARIABLE, file=file))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        return _closed(Message("{file} is no TOML file: {error}", file=file, error=str(error)))
    uploads, names, tables = content.pop("uploads", None), content.pop("catalogue", None), content.pop("model", [])
    if content:
        known = ("model", "uploads", "catalogue")
        return _closed(unknown(Message("setting"), next(iter(content)), known, str(file)).message)
    if not isinstance(uploads, bool | None):
        return _closed(Message("uploads in {file} must be true or false; got {value}", file=file, value=repr(uploads)))
    if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
        return _closed(
            Message("catalogue in {file} must be a list of networks' names; got {value}", file=file, value=repr(names))
        )
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return _closed(Message("the networks in {file} must be tables, each under [[model]]", file=file))
    offers: dict[str, ModelOffer] = {}
    faults: list[str] = []
    entries = {entry.name for entry in catalogue()}
    chosen_from = Message("the catalogue, which {file} chooses from", file=file)
    strange = [name for name in names or () if name not in entries]
    faults += [unknown(Message("network"), name, entries, chosen_from).message for name in strange]
    for number, table in enumerate(tables, start=1):
        try:
            offer = _offer(file, number, table)
            if offer.entry.name in offers:
                raise ConfigurationError(
                    "{file} has two networks of the name '{name}'", file=file, name=offer.entry.name
                )
            offers[offer.entry.name] = offer
        except CamvizError as error:
            faults.append(error.message)
    return _told(OperatorConfig(offers, uploads, None if names is None else frozenset(names), tuple(faults)))


def _closed(fault: str) -> OperatorConfig:
    """Nothing is taken from a file that cannot be understood, nothing from visitors, and nothing is fetched."""
    return _told(OperatorConfig(uploads=False, catalogue=frozenset(), faults=(fault,)))


def _told(found: OperatorConfig) -> OperatorConfig:
    for fault in found.faults:
        logging.getLogger("camviz").warning(fault)
    return found


@contextmanager
def located(where: str) -> Iterator[None]:
    """What is wrong within is told of that place."""
    try:
        yield
    except CamvizError as error:
        raise ConfigurationError("{where}: {error}", where=where, error=message_of(error)) from error


def _offer(file: Path, number: int, table: Mapping[str, Any]) -> ModelOffer:
    name = table.get("name")
    where = Message(
        "{file}, model {number} '{name}'" if isinstance(name, str) else "{file}, model {number}",
        file=file,
        number=number,
        name=str(name),
    )
    for key, value in table.items():
        if key not in _PLAIN:
            raise unknown(Message("field"), key, _PLAIN, where)
        if not isinstance(value, _PLAIN[key]):
            kind = _KINDS[_PLAIN[key]]
            raise ConfigurationError(
                "{where}: {key} must be {kind}; got {value}", where=where, key=key, kind=kind, value=repr(value)
            )
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError("{where}: it needs a name", where=where)
    if "architecture" not in table and "weights" not in table:
        raise ConfigurationError("{where}: it needs an architecture of the catalogue, weights, or both", where=where)
    if "architecture" in table:
        with located(where):
            source_of(table["architecture"])
    files = {key: file.parent / table[key] for key in ("weights", "categories") if key in table}
    for key, path in files.items():
        if not path.is_file():
            raise ConfigurationError("{where}: there is no file {path} for its {key}", where=where, path=path, key=key)
    version = " ".join(str(path.stat().st_mtime_ns) for path in files.values())

    def load(device: str, progress: Progress | None) -> Model:
        settings = {
            key: table[key] for key in ("mean", "std", "input_channels", "head", "output", "unit") if key in table
        }
        if "input_size" in table:
            settings["input_size"] = tuple(table["input_size"])
        if "categories" in files:
            settings["categories"] = files["categories"]
        if "architecture" in table:
            network, settings["weights"] = table["architecture"], files.get("weights", "default")
        else:
            network = files["weights"]
        with located(where):
            model = load_model(network, device=device, progress=progress, name=name, **settings)
        return with_digest(replace(model, title=table.get("title", name)))

    return ModelOffer(Entry(name, table.get("title", name), "custom", curated=True), load, version)
