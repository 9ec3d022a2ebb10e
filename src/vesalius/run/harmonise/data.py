"""Harmonising the images of a cohort, or its features where it has none: what was tried, chosen and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array
from vesalius.core.progress import Progress
from vesalius.core.words import listed
from vesalius.prepare.harmonise import combat
from vesalius.prepare.harmonising import NOTHING, fitted_steps, steps_of
from vesalius.reliability.told import Guessed, Told
from vesalius.run.harmonise.features import COMBAT, figure, said_of, table_of, try_features
from vesalius.run.harmonise.looks import Looks, look_at, own_pixels
from vesalius.run.harmonise.out import write_features, write_images
from vesalius.run.harmonise.trial import Effect, Tried, chosen_of, methods_for, try_all
from vesalius.run.harmonising import trainer


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked for of either kind of data."""

    by: str
    threshold: float | None
    methods: tuple[str, ...]
    every: bool
    effect: str | None
    seed: int
    out: Path | None
    progress: Progress


@dataclass(frozen=True, eq=False)
class Found:
    """What was found of either kind of data."""

    of: str
    tried: tuple[Tried, ...]
    chosen: str | None
    scanners: list[str]
    patients: list[str]
    notes: tuple[str, ...]
    out: Path | None


def of_images(asked: Asked, cohort: Cohort, cases: Sequence[Case], images: Sequence[str], most: int) -> Found:
    """Return what came of images, written where a way was chosen."""
    named = tuple(images) or reference_of(cases)
    pixels = partial(own_pixels, images=named)
    looks = look_at(cases, pixels, by=asked.by, progress=asked.progress, seed=asked.seed, most=most)
    ways = methods_for(looks.unit, asked.methods)
    tried = try_all(
        looks,
        ways,
        threshold=asked.threshold,
        every=asked.every or asked.threshold is None,
        train=trainer(asked.seed),
        progress=asked.progress,
        effect=None if asked.effect is None else _effect(looks, asked.effect, asked.seed),
        seed=asked.seed,
    )
    chosen, place, notes = chosen_way(tried, asked.threshold, asked.methods), None, looks.notes
    if asked.out is not None and chosen is not None and chosen != NOTHING:
        steps = fitted_steps(steps_of(chosen), looks.samples(), train=trainer(asked.seed))
        place, left = write_images(
            cohort, named, steps, asked.out, by=asked.by, threshold=asked.threshold, progress=asked.progress
        )
        notes = (*notes, *left)
    return Found("images", tried, chosen, looks.scanners, looks.patients, notes, place)


def of_features(asked: Asked, cases: Sequence[Case], keep: Sequence[str], features: Sequence[str]) -> Found:
    """Return what came of a table of features, written where ComBat was chosen."""
    if any(word not in (NOTHING, COMBAT) for word in asked.methods):
        raise PlanError(
            f"the way for features is {COMBAT}", found=", ".join(asked.methods), hint=f"--method {COMBAT}"
        )
    table = table_of(cases, by=asked.by, keep=keep, columns=features, target=asked.effect)
    every = asked.every or asked.threshold is None
    tried = try_features(table, threshold=asked.threshold, every=every, seed=asked.seed)
    chosen, place = chosen_way(tried, asked.threshold, asked.methods), None
    if asked.out is not None and chosen == COMBAT:
        learned = combat.fit(table.features, table.sites, table.covariates, names=table.kept)
        place = write_features(table, learned, asked.out, by=asked.by)
    notes = list(table.notes)
    if table.leaks:
        notes.append(
            f"{asked.effect} is kept and told: there ComBat is applied without it, or it would tell itself"
        )
    return Found("features", tried, chosen, list(table.sites), list(table.patients), tuple(notes), place)


def reference_of(cases: Sequence[Case]) -> tuple[str, ...]:
    """Return the reference image's name. Raises DataError where cases differ in it."""
    names = {c.reference for c in cases if c.reference is not None}
    if len(names) != 1:
        raise DataError(
            "cases differ in their reference image", found=listed(sorted(names)), hint="--image NAME"
        )
    return (names.pop(),)


def _effect(looks: Looks, name: str, seed: int) -> Effect:
    """Return what makes the figure of a target of simple features, of the cases that have it."""
    truth = [said_of(look.case, name) for look in looks.each]
    known = [k for k, value in enumerate(truth) if value is not None]

    def told(table: Array, patients: Sequence[str]) -> Told | Guessed | None:
        values = [truth[k] for k in known]
        return figure(
            table[known], [patients[k] for k in known], [v for v in values if v is not None], seed=seed
        )

    return told


def chosen_way(tried: Sequence[Tried], threshold: float | None, methods: Sequence[str]) -> str | None:
    """Return the first way that held; without a threshold the only one that was asked for; None where there is none."""
    if threshold is not None:
        one = chosen_of(tried)
        return None if one is None else one.method
    return methods[0] if len(methods) == 1 and not tried[-1].failed else None
