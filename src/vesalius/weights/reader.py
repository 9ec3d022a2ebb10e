"""Reading weights of others, whoever made them: registered ones, a file, a folder, a name of a hub."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vesalius.core import registry
from vesalius.core.errors import BundleError, UnknownName, closest_path
from vesalius.weights.contract import Weights
from vesalius.weights.files import SUFFIXES, open_file, parts_of
from vesalius.weights.found import Found
from vesalius.weights.namings import KIND as NAMINGS
from vesalius.weights.sources import KIND

OURS = ("net.", "head.")  # what the tensors of a model of ours are called, whose net may have names of others


def read(what: str | Path) -> Weights:
    """Return weights by a registered name, or from a file, a folder or a hub's name, under our nets' own names.

    Raises BundleError for what cannot be read, UnknownName for what is neither there nor registered.
    """
    path = Path(what)
    if not path.exists() and str(what) in registry.names(KIND):
        weights: Weights = registry.lookup(KIND, str(what)).load()
        return weights
    return named(_found(what))


def is_known(folder: Path) -> bool:
    """Return whether a naming finds weights in a folder. Raises BundleError for what is one of theirs, and damaged."""
    return _sought(str(folder)) is not None


def named(found: Found) -> Weights:
    """Return tensors under the names of our own nets; under their own, of no known net, where no naming knows them."""
    if all(any(name.startswith(part) for name in found.tensors) for part in OURS):
        return Weights(found.tensors, found.origin)
    for part in parts_of(found):
        for name in registry.names(NAMINGS):
            weights: Weights | None = registry.lookup(NAMINGS, name).read(part)
            if weights is not None:
                return replace(weights, naming=name)
    return Weights(found.tensors, found.origin)


def _found(what: str | Path) -> Found:
    """Return the tensors as they lie there: a file's, or what a naming finds in a folder or at a hub."""
    path = Path(what)
    if path.is_file():
        return open_file(path)
    found = _sought(str(what))
    if found is not None:
        return found
    if path.exists():
        raise BundleError(
            f"{path} holds no weights that are known here",
            hint="a run, a bundle, a file of weights, or a folder",
        )
    if path.suffix in SUFFIXES or path.is_absolute():
        hint = closest_path(path, "a path that is there, or a name of `vesalius weights`")
        raise BundleError(f"no weights at {path}", found="no such file or folder", hint=hint)
    raise UnknownName("weights", str(what), registry.names(KIND))


def _sought(what: str) -> Found | None:
    """Return what the first naming that looks into folders, or at a hub, finds there; None where none does."""
    for name in registry.names(NAMINGS):
        if "FINDS" in registry.literals(NAMINGS, registry.stem_of(NAMINGS, name)):
            found: Found | None = registry.lookup(NAMINGS, name).find(what)
            if found is not None:
                return found
    return None
