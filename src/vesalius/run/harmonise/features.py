"""Trying ComBat on a table of features: how far sites are apart before and after, out of fold, with covariates kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.groups import grouping, value_of
from vesalius.core.image import Array
from vesalius.core.words import counted, listed
from vesalius.metrics import bounds, resample
from vesalius.prepare.harmonise import combat
from vesalius.reliability.plain_models import dealt
from vesalius.reliability.scanner_spread import ScannerSpread, centred
from vesalius.reliability.told import Change, Guessed, Told, guessed, told
from vesalius.run.harmonise.trial import Tried

FOLDS = 5
FEWEST = 8  # cases of a site, so that each fold leaves ComBat enough of it
RESAMPLES = 200
NOTHING, COMBAT = "none", "combat"


@dataclass(frozen=True, eq=False)
class Table:
    """Features `(N, F)` of cases with their sites, patients and kept covariates `(N, K)`; `notes` say what is left out.

    `target` holds classes or numbers, where a figure of one is asked for; `leaks` says that it is kept, too, so that
    ComBat must be applied without it.
    """

    cases: tuple[Case, ...]
    columns: tuple[str, ...]
    features: Array
    sites: tuple[str, ...]
    patients: tuple[str, ...]
    kept: tuple[str, ...]
    covariates: Array
    target: tuple[str | float, ...] | None = None
    leaks: bool = False
    notes: tuple[str, ...] = ()


def table_of(
    cases: Sequence[Case],
    *,
    by: str,
    keep: Sequence[str] = (),
    columns: Sequence[str] = (),
    target: str | None = None,
) -> Table:
    """Return the features of cases: the named columns, or all of numbers but the site, what is kept and the target.

    Cases without a site, a feature, a kept covariate or the target are left out, and so are sites of few cases; that is
    said. Raises DataError where nothing is left, or a column holds no numbers.
    """
    way = grouping(cases, by)
    chosen = tuple(columns) or _numbers(cases, {by, *keep, *([target] if target else [])})
    if not chosen:
        raise DataError("there is no column of numbers to harmonise", hint="a table with features, or images")
    rows = [c for c in cases if way.of(c) is not None and all(_number(c, n) is not None for n in chosen)]
    rows = [c for c in rows if all(value_of(c, n) is not None for n in keep)]
    rows = [c for c in rows if target is None or said_of(c, target) is not None]
    notes = (
        []
        if len(rows) == len(cases)
        else [f"{counted(len(cases) - len(rows), 'case')} with an empty cell left out"]
    )
    many: dict[str, int] = {}
    for c in rows:
        many[str(way.of(c))] = many.get(str(way.of(c)), 0) + 1
    few = sorted(s for s, n in many.items() if n < FEWEST)
    if few:
        notes.append(f"{counted(len(few), 'site')} of fewer than {FEWEST} cases left out: {listed(few, 5)}")
    rows = [c for c in rows if str(way.of(c)) not in few]
    if len(many) - len(few) < 2:
        raise DataError(
            f"two sites of {FEWEST} cases are needed",
            found=listed(f"{s}: {n}" for s, n in many.items()) or "none",
        )
    features = np.array([[_number(c, n) for n in chosen] for c in rows], np.float64)
    varies = features.std(axis=0) > 0
    if not varies.all():
        notes.append(f"{counted(int((~varies).sum()), 'column')} without variation left out")
    columns = tuple(n for n, v in zip(chosen, varies, strict=True) if v)
    names, kept = _encoded(rows, keep)
    truth = None if target is None else tuple(said_of(c, target) or 0.0 for c in rows)
    return Table(
        tuple(rows),
        columns,
        features[:, varies],
        tuple(str(way.of(c)) for c in rows),
        tuple(c.patient or c.id for c in rows),
        names,
        kept,
        truth,
        target in keep,
        tuple(notes),
    )


def try_features(table: Table, *, threshold: float | None, every: bool, seed: int = 0) -> tuple[Tried, ...]:
    """Return what sites do to features as they are, and after ComBat that was fitted on other patients."""
    fold = dealt(table.patients, table.sites, folds=FOLDS, seed=seed)
    found = []
    for word in (NOTHING, COMBAT):
        after = table.features if word == NOTHING else _out_of_fold(table, fold)
        apart = feature_spread(after, table, seed=seed)
        value = apart.value.value
        held = None if threshold is None or value is None else value <= threshold
        change = None if word == NOTHING else changed(table)
        blind = None if word == NOTHING else changed(table, blind=table.leaks)
        found.append(
            Tried(
                word,
                apart,
                f"{len(table.columns)} features",
                held,
                told(table.features, table.sites, table.patients, seed=seed, change=change),
                figure(table.features, table.patients, table.target, seed=seed, change=blind),
                undo=True,
            )
        )
        if held and not every:
            break
    return tuple(found)


def changed(table: Table, *, blind: bool = False) -> Change:
    """Return what fits ComBat on the rows that are learned from, and applies it to these and to those asked about.

    Where it is `blind`, it is applied without the covariates, since one of them is what is asked for.
    """

    def change(learn: Array, ask: Array) -> tuple[Array, Array]:
        sites = np.array(table.sites)
        learned = combat.fit(
            table.features[learn], sites[learn].tolist(), table.covariates[learn], names=table.kept
        )
        both = []
        for rows in (learn, ask):
            covariates = None if blind else table.covariates[rows]
            both.append(combat.apply(learned, table.features[rows], sites[rows].tolist(), covariates))
        return both[0], both[1]

    return change


def _out_of_fold(table: Table, fold: Array) -> Array:
    after = np.zeros_like(table.features)
    change = changed(table)
    for k in np.unique(fold):
        after[fold == k] = change(np.flatnonzero(fold != k), np.flatnonzero(fold == k))[1]
    return after


def feature_spread(features: Array, table: Table, *, seed: int = 0) -> ScannerSpread:
    """Return the standard deviation between sites of a feature's mean, in units of its deviation within sites.

    What kept covariates do to a feature is taken out before. It is the root of the mean square over features.
    """
    names = sorted(set(table.sites))
    code = np.array([names.index(s) for s in table.sites])
    hot = np.eye(len(names))[code]
    design = np.concatenate([hot, table.covariates - table.covariates.mean(axis=0)], axis=1)
    found, *_ = np.linalg.lstsq(design, features, rcond=None)
    plain = features - design[:, len(names) :] @ found[len(names) :]
    within = (plain - hot @ found[: len(names)]).std(axis=0)
    plain = plain / np.maximum(within, 1e-12)

    def apart(index: Array) -> float:
        many = np.bincount(code[index], minlength=len(names))
        if (many == 0).any():
            return math.nan
        means = hot[index].T @ plain[index] / many[:, None]
        return float(means.var(axis=0, ddof=1).mean())

    drawn = resample(table.patients, np.random.default_rng(seed), RESAMPLES)
    value = apart(np.arange(len(code)))
    others = centred(value, np.array([apart(i) for i in drawn]))
    return ScannerSpread(
        bounds(float(np.sqrt(value)), others, len(code)),
        False,
        len(set(table.patients)),
        tuple(names),
    )


def figure(
    features: Array,
    patients: Sequence[str],
    target: Sequence[str | float] | None,
    *,
    seed: int = 0,
    change: Change | None = None,
) -> Told | Guessed | None:
    """Return what a plain model of features makes of a target, out of fold; None where none is asked for."""
    if target is None:
        return None
    if any(isinstance(value, str) for value in target):
        return told(features, [str(value) for value in target], patients, seed=seed, change=change)
    return guessed(features, [float(value) for value in target], patients, seed=seed, change=change)


def lifted(cases: Sequence[Case], names: Sequence[str]) -> list[Case]:
    """Return cases whose targets of these names are covariates, too: a site may have been read as a target."""
    found = []
    for case in cases:
        own = {n: said_of(case, n) for n in names if n in case.targets and n not in case.covariates}
        found.append(replace(case, covariates={**case.covariates, **own}) if own else case)
    return found


def said_of(case: Case, name: str) -> str | float | None:
    """Return a case's target, or covariate, of that name, if it is a word or a number."""
    value = case.targets.get(name, case.covariates.get(name))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    return value if isinstance(value, str) else float(value) if math.isfinite(value) else None


def _number(case: Case, name: str) -> float | None:
    value = case.covariates.get(name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _numbers(cases: Sequence[Case], without: set[str]) -> tuple[str, ...]:
    """Return the columns that hold nothing but numbers, and empty cells in less than half of the cases."""
    every = dict.fromkeys(name for c in cases for name in c.covariates if name not in without)
    found = []
    for name in every:
        values = [c.covariates.get(name) for c in cases]
        if not any(isinstance(v, str) for v in values) and sum(v is not None for v in values) * 2 > len(
            cases
        ):
            found.append(name)
    return tuple(found)


def _encoded(cases: Sequence[Case], keep: Sequence[str]) -> tuple[tuple[str, ...], Array]:
    """Return kept covariates as columns: numbers as they are, words as a bit for each but the first."""
    names: list[str] = []
    columns: list[list[float]] = []
    for name in keep:
        values = [value_of(c, name) for c in cases]
        if any(isinstance(v, str) for v in values):
            for word in sorted({str(v) for v in values})[1:]:
                names.append(f"{name}={word}")
                columns.append([float(str(v) == word) for v in values])
        else:
            names.append(name)
            columns.append([float(v or 0.0) for v in values])
    return tuple(names), np.array(columns, np.float64).reshape(len(columns), len(cases)).T
