"""Synthetic studies whose truth is known; one file is one sort of study, and `make` writes a cohort of them."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from vesalius.core import registry
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.progress import Progress, Silent
from vesalius.phantom.contract import Recipe, SyntheticPatient

__all__ = ["Recipe", "SyntheticPatient", "make", "patient", "twin"]

DEFAULT = "ct"


def patient(
    index: int, seed: int = 0, *, kind: str = DEFAULT, options: Mapping[str, Any] | None = None
) -> SyntheticPatient:
    """Return synthetic patient number `index` of a kind, the same for the same seed and options.

    Raises UnknownName for a kind or an option that does not exist, DataError for a value that an option cannot have.
    """
    made = registry.lookup("phantom", kind).patient(index, seed, **chosen(kind, options))
    return cast("SyntheticPatient", made)


def twin(
    index: int,
    seed: int = 0,
    *,
    without: str,
    kind: str = DEFAULT,
    options: Mapping[str, Any] | None = None,
) -> SyntheticPatient:
    """Return the same patient as `patient` does, without a finding; all that the finding does not touch stays.

    Raises UnknownName for a kind, a finding or an option that does not exist.
    """
    module = registry.lookup("phantom", kind)
    _assert_finding(kind, without)
    return cast("SyntheticPatient", module.twin(index, seed, without=without, **chosen(kind, options)))


def make(
    out: Path | str,
    *,
    kind: str = DEFAULT,
    cases: int = 60,
    seed: int = 0,
    format: str | None = None,
    options: Mapping[str, Any] | None = None,
    without: str | None = None,
    faults: Mapping[str, float] | str | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a synthetic cohort to the new folder `out` and return it. The same arguments give the same bytes.

    `cohort.csv` names every case's files, targets and covariates, `truth.json` holds all that is known, and
    `README.md` says what lies where. `format` is one of the kind's FORMATS, by default the first. `without` makes the
    twins of the same patients, without that finding. `faults` are planted once all cases are drawn, each in the share
    that is given (`{"wrong_labels": 0.2}`, or in words `wrong_labels=0.2`); truth.json says which case got which.

    Raises UnknownName for a kind, a format, an option, a finding or a fault that does not exist, OutputError where
    `out` holds something or cannot be written (what was begun is removed), DataError for no cases, or where a cohort
    lacks what a fault needs.
    """
    from vesalius.phantom.common.write import write_cohort
    from vesalius.phantom.faults import asked

    formats = registry.literals("phantom", kind)["FORMATS"]
    if format is not None and format not in formats:
        raise UnknownName(f"format of phantom {kind}", format, formats)
    if without is not None:
        _assert_finding(kind, without)
    recipe = Recipe(kind, cases, seed, format or formats[0], chosen(kind, options), without, asked(faults))
    if recipe.faults and recipe.options.get("reports"):
        raise DataError(
            "faults are not planted into a cohort with reports, whose tables of what is true would no longer be",
            found=", ".join(recipe.faults),
            hint="wrong_sides=0.02 among its options",
        )
    module: ModuleType = registry.lookup("phantom", kind)
    return write_cohort(Path(out), module, recipe, progress=progress or Silent())


def _assert_finding(kind: str, name: str) -> None:
    findings = registry.literals("phantom", kind).get("FINDINGS", ())
    if name not in findings:
        raise UnknownName(f"finding of phantom {kind}", name, findings)


def chosen(kind: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return every option of a kind: those given, and the defaults of the others.

    Text for an option whose default is a number or a truth value is read as JSON, as the command line gives it.
    Raises UnknownName for an option that does not exist, DataError for a value of another type.
    """
    defaults: dict[str, Any] = registry.literals("phantom", kind).get("OPTIONS", {})
    found = dict(defaults)
    for name, value in (options or {}).items():
        if name not in defaults:
            raise UnknownName(f"option of phantom {kind}", name, defaults)
        found[name] = _read(kind, name, value, defaults[name])
    return found


def _numbers(value: Any) -> Any:
    """Return whole numbers that the command line gives with commas, `12,32,32`, as a tuple; all else as it is."""
    whole = isinstance(value, str) and re.fullmatch(r"\d+(,\d+)+", value.replace(" ", ""))
    return tuple(int(n) for n in value.split(",")) if whole else value


def _read(kind: str, name: str, value: Any, default: Any) -> Any:
    """Return an option's value in the type of its default; what has a word as default is the kind's to judge."""
    if isinstance(default, str):
        return _numbers(value)
    try:
        read = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        read = None
    number = isinstance(read, int) and not isinstance(read, bool)
    if type(read) is type(default) or (isinstance(default, float) and number):
        return type(default)(read)
    raise DataError(
        f"option {name} of phantom {kind} takes a value like {json.dumps(default)}", found=repr(value)
    )
