"""Trying ways of harmonising images in their order, until the spread between scanners does not exceed a threshold.

What is learned of images is learned on some patients and measured on others, so that no spread is that of images which
a method has seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vesalius.core.errors import DataError, MissingExtra
from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.core.plan import HarmoniseStep
from vesalius.core.progress import Progress
from vesalius.prepare import harmonise
from vesalius.prepare.harmonising import NOTHING, Train, fitted_steps, steps_of
from vesalius.reliability.plain_models import dealt
from vesalius.reliability.scanner_spread import ScannerSpread, inside, kept, levels, spread, telling
from vesalius.reliability.told import Guessed, Told
from vesalius.reliability.told import told as tell
from vesalius.run.harmonise.looks import Looks

FOLDS = 3
Effect = Callable[[Array, Sequence[str]], Told | Guessed | None]  # features and patients → the task's figure


@dataclass(frozen=True)
class Tried:
    """One way of harmonising: its `spread`, of the worst channel, and whether that `held` the threshold.

    `told` says how well the scanner is told afterwards, `effect` what a plain model makes of the target. `kept` is the
    rank correlation of values within an image before and after, the median over images; `undo` says whether there is a
    way back. `failed` says why there is no figure.
    """

    method: str
    spread: ScannerSpread | None = None
    channel: str = ""
    held: bool | None = None
    told: Told | None = None
    effect: Told | Guessed | None = None
    kept: float | None = None
    undo: bool = False
    failed: str = ""


def methods_for(unit: str | None, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the ways to try in their order: images as they are, then those asked for, or all that have a rank.

    Raises UnknownName or PlanError for one that does not exist or is for images of another unit.
    """
    for word in asked:
        for step in steps_of(word):
            harmonise.assert_unit(step.method, unit)
    return (NOTHING, *(word for word in asked or harmonise.ranked() if word != NOTHING))


def try_all(
    looks: Looks,
    methods: Sequence[str],
    *,
    threshold: float | None,
    every: bool,
    train: Train | None,
    progress: Progress,
    effect: Effect | None = None,
    details: bool = True,
    seed: int = 0,
) -> tuple[Tried, ...]:
    """Return what each way came to, in their order; the last one is the first that held, unless `every` is tried.

    Without `details` only the spread is measured.
    """
    fold = dealt(looks.patients, looks.scanners, folds=FOLDS, seed=seed)
    found: list[Tried] = []
    progress.start("harmonise", len(methods))
    try:
        for word in methods:
            try:
                one = _tried(looks, word, fold, threshold, train, effect=effect, details=details, seed=seed)
            except (DataError, MissingExtra) as error:
                one = Tried(word, failed=str(error), held=None if threshold is None else False)
            found.append(one)
            progress.advance("harmonise")
            if one.held and not every:
                break
    finally:
        progress.finish("harmonise")
    return tuple(found)


def chosen_of(tried: Sequence[Tried]) -> Tried | None:
    """Return the first way that held; None where none did."""
    return next((one for one in tried if one.held), None)


def least_of(tried: Sequence[Tried]) -> Tried | None:
    """Return the way of the least spread; None where none has one."""
    measured = [one for one in tried if one.spread is not None]
    return min(measured, key=lambda one: _value(one.spread), default=None)


def words_of(tried: Sequence[Tried]) -> str:
    """Return the spread of each way in one line."""
    return ", ".join(
        f"{one.method} {_value(one.spread):.3f}" if one.spread else f"{one.method} failed" for one in tried
    )


def _value(found: ScannerSpread | None) -> float:
    value = None if found is None else found.value.value
    return float("inf") if value is None else value


def _tried(
    looks: Looks,
    word: str,
    fold: Array,
    threshold: float | None,
    train: Train | None,
    *,
    effect: Effect | None,
    details: bool,
    seed: int,
) -> Tried:
    steps = steps_of(word)
    after = changed_out_of_fold(looks, steps, fold, train)
    masks = [[inside(look.channels[k]) for look in looks.each] for k in range(len(looks.channels))]
    spreads = [
        spread(levels(after[k], masks[k]), looks.scanners, looks.patients, seed=seed)
        for k in range(len(masks))
    ]
    worst = max(range(len(spreads)), key=lambda k: _value(spreads[k]))
    held = None if threshold is None else _value(spreads[worst]) <= threshold
    undo = all(harmonise.says(step.method, "UNDO", False) for step in steps)
    if not details:
        return Tried(word, spreads[worst], looks.channels[worst], held, undo=undo)
    table = np.array(
        [
            np.concatenate([telling(after[k][n], masks[k][n]) for k in range(len(masks))])
            for n in range(len(fold))
        ]
    )
    order = [
        kept(look.channels[k], after[k][n], masks[k][n])
        for n, look in enumerate(looks.each)
        for k in range(len(masks))
    ]
    return Tried(
        word,
        spreads[worst],
        looks.channels[worst],
        held,
        _told(table, looks, seed),
        None if effect is None else effect(table, looks.patients),
        float(np.median(order)),
        undo,
    )


def _told(table: Array, looks: Looks, seed: int) -> Told:
    """Return how well the scanner is told; figures that are not defined where scanners have too few patients."""
    try:
        return tell(table, looks.scanners, looks.patients, seed=seed)
    except DataError as error:
        none = Interval(None, None, None, len(table), reason=str(error))
        return Told(none, none, 1.0, tuple(sorted(set(looks.scanners))))


def changed_out_of_fold(
    looks: Looks, steps: Sequence[HarmoniseStep], fold: Array, train: Train | None
) -> list[list[Array]]:
    """Return each channel of each look after steps that learned from the patients of the other folds."""
    learns = any(harmonise.says(step.method, "FITTED", False) for step in steps)
    after: list[list[Array]] = [[np.empty(0)] * len(looks.each) for _ in looks.channels]
    for k in np.unique(fold) if learns else [-1]:
        own = np.flatnonzero(fold == k) if learns else np.arange(len(fold))
        others = np.flatnonzero(fold != k).tolist()
        fitted = fitted_steps(steps, looks.samples(others), train=train) if learns else steps
        for n in own:
            for channel in range(len(looks.channels)):
                start = looks.each[n].channels[channel].copy()
                after[channel][n] = harmonise.applied(start, fitted, number=channel)[0]
    return after


def scale_of(looks: Looks, steps: Sequence[HarmoniseStep]) -> list[Mapping[str, float]]:
    """Return the mean and the deviation of each channel's values after fitted steps, over all looks."""
    found: list[Mapping[str, float]] = []
    for k in range(len(looks.channels)):
        each = [harmonise.applied(look.channels[k].copy(), steps, number=k)[0] for look in looks.each]
        made = [image.astype(np.float64) for image in each]
        n = sum(m.size for m in made)
        mean = sum(float(m.sum()) for m in made) / n
        square = sum(float(((m - mean) ** 2).sum()) for m in made) / n
        found.append({"mean": mean, "sd": max(float(np.sqrt(square)), 1e-6)})
    return found
