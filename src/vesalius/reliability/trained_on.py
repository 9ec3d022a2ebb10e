"""What weights were trained and tested on, as keyed hashes in a run's folder, and which cases of other data that is."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.cohorts import Overlap
from vesalius.core.cohort import Assignment
from vesalius.core.disk import write_text
from vesalius.core.errors import DataError
from vesalius.reliability.marks import Marks

FILE = "trained_on.json"
VERSION = 1


@dataclass(frozen=True)
class Learned:
    """One run's cases as hashes under a key of its own: those of each fold, and those held out for its test.

    `unlabelled` are those that were learned from without a target, and are in no fold.
    """

    key: str
    folds: tuple[frozenset[str], ...]
    test: frozenset[str]
    unlabelled: frozenset[str] = frozenset()


@dataclass(frozen=True)
class TrainedOn:
    """All that weights learned from: their own run's cases first, then those of the weights that it began from.

    `unknown` names weights of which that is not known ("bundle 0123…"). `data_hash` is the own cohort's.
    """

    data_hash: str
    runs: tuple[Learned, ...]
    unknown: tuple[str, ...] = ()


def learned(marks: Marks, assignment: Assignment) -> Learned:
    """Return the record of one run, under a new key. Case ids, patients and pixels cannot be read from it."""
    key = secrets.token_hex(32)
    pixels, patients = marks.pixels(), marks.patients()

    def hashes(ids: Iterable[str]) -> frozenset[str]:
        found = {m for i in ids for m in pixels.get(i, ())} | {patients[i] for i in ids if i in patients}
        return frozenset(_keyed(key, m) for m in found)

    folds = tuple(hashes(ids) for ids in assignment.folds)
    beside = hashes(assignment.beside).difference(*folds)
    return Learned(key, folds, hashes(assignment.test).difference(*folds), beside)


def overlap(known: TrainedOn, marks: Marks, *, of: str) -> Overlap:
    """Tell which of the marked cases the weights `of` learned from, by their pixels or by their patient."""
    pixels, patients = marks.pixels(), marks.patients()
    own = {case: frozenset({patients[case]} if case in patients else ()) for case in pixels}
    seen = {case: _fold(known, marks) for case, marks in pixels.items()}
    trained = {case: fold for case, (fold, found) in seen.items() if found}
    ill = {
        patients[case] for case in trained if case in patients
    }  # all of a patient's cases, if one is known
    by_patient: set[str] = set()
    for case in pixels.keys() - trained.keys():
        fold, found = _fold(known, own[case])
        if found or own[case] & ill:
            trained[case] = fold
            by_patient.add(case)
    tested = {
        case
        for case in pixels.keys() - trained.keys()
        if any(run.test & {_keyed(run.key, m) for m in pixels[case] | own[case]} for run in known.runs)
    }
    folds = len(known.runs[0].folds) if known.runs else 0
    return Overlap(of, trained, frozenset(tested), frozenset(by_patient), folds)


def _fold(known: TrainedOn, marks: frozenset[str]) -> tuple[int | None, bool]:
    """Return the fold of the own run that holds any of the marks, and whether any run was trained on them."""
    found = False
    for number, run in enumerate(known.runs):
        hashes = {_keyed(run.key, m) for m in marks}
        for k, fold in enumerate(run.folds):
            if fold & hashes:
                if number == 0:
                    return k, True
                found = True
        found = found or bool(run.unlabelled & hashes)
    return None, found


def save_trained_on(known: TrainedOn, path: Path) -> None:
    """Write the record as JSON, whole or not at all; the hashes in their own order. Raises OutputError."""
    runs = [
        {"key": r.key, "folds": [sorted(f) for f in r.folds], "test": sorted(r.test)}
        | ({"unlabelled": sorted(r.unlabelled)} if r.unlabelled else {})
        for r in known.runs
    ]
    data = {
        "version": VERSION,
        "data_hash": known.data_hash,
        "unknown": list(known.unknown),
        "runs": runs,
    }
    write_text(path, json.dumps(data, indent=1) + "\n")


def load_trained_on(path: Path) -> TrainedOn:
    """Read what `save_trained_on` wrote. Raises DataError where it is damaged, or newer than this version."""
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        if data["version"] > VERSION:
            raise DataError(
                f"{path} is of version {data['version']}, newer than this Vesalius reads ({VERSION})",
                hint="a newer Vesalius",
            )
        runs = tuple(
            Learned(
                key=bytes.fromhex(run["key"]).hex(),
                folds=tuple(frozenset(map(str, fold)) for fold in run["folds"]),
                test=frozenset(map(str, run["test"])),
                unlabelled=frozenset(map(str, run.get("unlabelled", ()))),
            )
            for run in data["runs"]
        )
        return TrainedOn(str(data["data_hash"]), runs, tuple(map(str, data["unknown"])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{path} is not a record of the training cases",
            found=f"{type(error).__name__}: {error}",
            hint="the run's folder as `fit` left it, or its bundle alone",
        ) from error


def _keyed(key: str, mark: str) -> str:
    return hashlib.blake2b(mark.encode(), key=bytes.fromhex(key), digest_size=16).hexdigest()
