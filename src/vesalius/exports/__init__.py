"""Exports: one file = one form in which other tools take a model; `contract.py` says what such a file has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vesalius.core.bundle import Bundle
from vesalius.core.registry import held

if TYPE_CHECKING:
    from vesalius.exports.contract import Exported, Target

KIND = "exports"


def get(name: str) -> Target:
    """Return the form of that registered name. Raises UnknownName, MissingExtra."""
    target: Target = held(KIND, name, "TARGET")
    return target


def exported(bundle: Bundle, to: str, folder: Path, *, member: int | None, script: bool) -> Exported:
    """Write a bundle into an empty folder in the form of that name, read it back, and compare.

    `member` is one of an ensemble, None all of them; `script` asks for a script that answers without Vesalius, of a
    form that can have one. Raises UnknownName, MissingExtra, PlanError, DataError, BundleError; what was written by
    then is the caller's to remove.
    """
    from vesalius.exports._writing import written

    return written(get(to), bundle, to, folder, member=member, script=script)
