"""The configuration file of the operator: models beside the catalog, and whether visitors may upload models."""

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
from .catalog import Entry, catalog, source_of
from .checkpoints.download import Progress
from .load import load_model
from .model import Model
from .offers import ModelOffer, with_digest

VARIABLE = "CAMVIZ_CONFIG"

_FIELDS: dict[str, type | tuple[type, ...]] = {  # the type of each field of a [[model]]
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
    """The content of the configuration file, and a sentence for each invalid entry, `faults`, which is left out.

    `uploads`: whether visitors may upload models; None = only visitors on this machine.
    `catalog`: the names of the catalog's models that are offered beside the default one; None = all.
    """

    offers: Mapping[str, ModelOffer] = field(default_factory=dict)
    uploads: bool | None = None
    catalog: frozenset[str] | None = None
    faults: tuple[str, ...] = ()


def operator_config() -> OperatorConfig:
    """Return the content of the file that the variable CAMVIZ_CONFIG names. It is read again if it changes."""
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
            Message("catalogue in {file} must be a list of names of models; got {value}", file=file, value=repr(names))
        )
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        return _closed(Message("the networks in {file} must be tables, each under [[model]]", file=file))
    offers: dict[str, ModelOffer] = {}
    faults: list[str] = []
    entries = {entry.name for entry in catalog()}
    chosen_from = Message("the catalog, from which {file} chooses", file=file)
    unknown_names = [name for name in names or () if name not in entries]
    faults += [unknown(Message("network"), name, entries, chosen_from).message for name in unknown_names]
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
    return _logged(OperatorConfig(offers, uploads, None if names is None else frozenset(names), tuple(faults)))


def _closed(fault: str) -> OperatorConfig:
    """Return the configuration for an unreadable file: no models, no uploads, no downloads."""
    return _logged(OperatorConfig(uploads=False, catalog=frozenset(), faults=(fault,)))


def _logged(found: OperatorConfig) -> OperatorConfig:
    for fault in found.faults:
        logging.getLogger("camviz").warning(fault)
    return found


@contextmanager
def located(where: str) -> Iterator[None]:
    """Add the place `where` to a CamvizError that is raised inside."""
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
        if key not in _FIELDS:
            raise unknown(Message("field"), key, _FIELDS, where)
        if not isinstance(value, _FIELDS[key]):
            kind = _KINDS[_FIELDS[key]]
            raise ConfigurationError(
                "{where}: {key} must be {kind}; got {value}", where=where, key=key, kind=kind, value=repr(value)
            )
    if not isinstance(name, str) or not name.strip():
        raise ConfigurationError('{where}: it needs a name, as in name = "birds"', where=where)
    if "architecture" not in table and "weights" not in table:
        raise ConfigurationError("{where}: it needs an architecture of the catalog, weights, or both", where=where)
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
