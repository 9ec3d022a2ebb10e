"""Which origin a source is of: the one that was named, or the first that knows it by its names and first bytes."""

from __future__ import annotations

from pathlib import Path

from vesalius.core import registry
from vesalius.core.errors import BundleError, closest_path
from vesalius.imports.contract import Brought, Told
from vesalius.imports.origins import KIND


def bring(source: Path, told: Told, *, origin: str | None = None) -> tuple[str, Brought]:
    """Return the model of a source and the registered name of its origin, by default the first that knows it.

    Raises BundleError for a source that is not there, that no origin knows, or that its origin refuses; UnknownName.
    """
    if not source.exists():
        raise BundleError(f"nothing to import at {source}", hint=closest_path(source, "a folder or a file"))
    name = origin or _known(source)
    brought: Brought = registry.lookup(KIND, name).bring(source, told)
    return name, brought


def _known(source: Path) -> str:
    stems = registry.stems(KIND)
    order = sorted(stems, key=lambda stem: registry.literals(KIND, stem).get("ORDER", 100))
    for stem in order:
        if registry.lookup(KIND, stem).suits(source):
            return stem
    raise BundleError(
        f"{source} is no model that is known here",
        found="a folder without a known file"
        if source.is_dir()
        else f"a file {source.suffix or source.name}",
        hint=" or ".join(f"--as {name}" for name in order),
    )
