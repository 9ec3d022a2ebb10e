"""What a phantom promises: its literals, the same patient for the same arguments, files that do not change, twins."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core import registry
from vesalius.core.case import Case
from vesalius.core.errors import UnknownName
from vesalius.core.image import Image
from vesalius.phantom import chosen, make, patient, twin
from vesalius.testing.promise import require, workplace

ABSENT = "zzz"  # a name that nothing has


@dataclass(frozen=True)
class PhantomTrial:
    """A phantom under test: its registered name, and a folder to write cohorts into."""

    kind: str
    folder: Path

    def literal(self, name: str, default: Any = ()) -> Any:
        """Return a literal of its file."""
        return registry.literals("phantom", self.kind).get(name, default)

    @property
    def small(self) -> Mapping[str, Any]:
        """Return the options with which it is quick to draw: its SMALL, none where it has none."""
        return dict(self.literal("SMALL", {}))

    def __str__(self) -> str:
        return f"phantom {self.kind}"


def check_phantom(kind: str, *, folder: Path | str | None = None) -> None:
    """Raise AssertionError, in a sentence, at the first promise that the registered phantom `kind` breaks.

    It works in `folder`, or in a temporary one. Raises UnknownName.
    """
    with workplace(folder) as place:
        for promise in PHANTOM_PROMISES:
            promise(PhantomTrial(kind, place))


def describes_itself(trial: PhantomTrial) -> None:
    """Require a description, FORMATS, and that every option is a keyword with the default that OPTIONS names."""
    words = registry.names("phantom")[trial.kind]
    require(10 < len(words) < 130, f"{trial} is described in one line of 11 to 129 characters, not {words!r}")
    require(trial.literal("FORMATS"), f"{trial}: FORMATS name the ways in which it is written")
    module, options = registry.lookup("phantom", trial.kind), trial.literal("OPTIONS", {})
    unknown = set(trial.small) - set(options)
    require(not unknown, f"{trial}: SMALL gives values to options that it has, not to {sorted(unknown)}")
    for name in ("patient", "twin") if trial.literal("FINDINGS") else ("patient",):
        parameters = inspect.signature(getattr(module, name)).parameters
        require(list(parameters)[:2] == ["index", "seed"], f"{trial}: `{name}` takes index and seed first")
        own = {k: p for k, p in parameters.items() if k not in ("index", "seed", "without")}
        named = all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in own.values())
        require(named, f"{trial}: the options of `{name}` are given by name only")
        found = {k: p.default for k, p in own.items()}
        require(found == options, f"{trial}: `{name}` has the options {found}, and OPTIONS says {options}")


def makes_the_same_patient_again(trial: PhantomTrial) -> None:
    """Require that the same arguments give the same patient to the bit, and another index another one."""
    one, other, again = (patient(k, 3, kind=trial.kind, options=trial.small) for k in (1, 2, 1))
    require(one.truth() == again.truth(), f"{trial}: the same arguments give the same truth")
    require(one.truth() != other.truth(), f"{trial}: another index gives another truth")
    case, same = one.as_case(), again.as_case()
    named = json.loads(json.dumps(one.truth()))["id"]
    require(named == case.id, f"{trial}: the id in its truth, {named}, is that of its case, {case.id}")
    require(case.patient, f"{trial}: its case names a patient")
    require(case.id != other.as_case().id, f"{trial}: two patients have two ids, not both {case.id}")
    for name, image in _images(case).items():
        kept = np.array_equal(image.array, _images(same)[name].array)
        require(kept, f"{trial}: the same arguments give the same pixels of '{name}'")


def writes_the_same_files_again(trial: PhantomTrial) -> None:
    """Require that every format is written the same twice, with a table, a README and the truth."""
    for format in trial.literal("FORMATS"):
        roots = [trial.folder / f"{format}-{k}" for k in (0, 1)]
        for root in roots:
            make(root, kind=trial.kind, cases=2, seed=5, format=format, options=trial.small)
        first, second = (
            {p.relative_to(r): p.read_bytes() for p in r.rglob("*") if p.is_file()} for r in roots
        )
        require(first == second, f"{trial}: the same arguments write the same {format} files")
        missing = {Path("cohort.csv"), Path("README.md"), Path("truth.json")} - set(first)
        require(not missing, f"{trial}: it writes {', '.join(map(str, sorted(missing)))}")
        truths = json.loads(first[Path("truth.json")])["cases"]
        require(len(truths) == 2, f"{trial}: truth.json tells of 2 cases, not of {len(truths)}")
        lines = first[Path("cohort.csv")].decode().splitlines()
        require(len(lines) >= 3, f"{trial}: cohort.csv has a row for each case")


def makes_twins_on_the_same_grid(trial: PhantomTrial) -> None:
    """Require that a twin is the same patient in another case, on the same grid."""
    for without in trial.literal("FINDINGS"):
        one = patient(1, 3, kind=trial.kind, options=trial.small).as_case()
        other = twin(1, 3, without=without, kind=trial.kind, options=trial.small).as_case()
        require(one.patient == other.patient, f"{trial}: a twin is the same patient")
        require(one.id != other.id, f"{trial}: a twin is another case, not {one.id} again")
        for name, image in _images(one).items():
            found = _images(other)[name]
            alike = found.array.shape == image.array.shape and found.array.dtype == image.array.dtype
            require(alike, f"{trial}: '{name}' of a twin without {without} has the same shape and type")
            placed = (found.affine is None) == (image.affine is None)
            placed = placed and (image.affine is None or np.array_equal(found.affine, image.affine))  # type: ignore[arg-type]
            require(placed, f"{trial}: '{name}' of a twin without {without} lies in the same place")


def names_what_there_is(trial: PhantomTrial) -> None:
    """Require that a format, an option or a finding that does not exist is refused, and what there is named."""
    kind, out = trial.kind, trial.folder / ABSENT
    asked: dict[str, Callable[[], object]] = {
        f"unknown format of phantom {kind}": lambda: make(out, kind=kind, format=ABSENT),
        f"unknown option of phantom {kind}": lambda: chosen(kind, {ABSENT: 1}),
        f"unknown finding of phantom {kind}": lambda: twin(0, without=ABSENT, kind=kind),
    }
    for words, ask in asked.items():
        try:
            ask()
        except UnknownName as error:
            require(words in str(error), f"{trial}: its error says '{words}', not: {error}")
        else:
            raise AssertionError(f"{trial}: there is no '{ABSENT}', so that it is refused with '{words}'")
    require(not out.exists(), f"{trial}: nothing is written of what is refused")


def _images(case: Case) -> dict[str, Image]:
    return {name: image for name, image in case.images.items() if isinstance(image, Image)}


PHANTOM_PROMISES: tuple[Callable[[PhantomTrial], None], ...] = (
    describes_itself,
    makes_the_same_patient_again,
    writes_the_same_files_again,
    makes_twins_on_the_same_grid,
    names_what_there_is,
)
