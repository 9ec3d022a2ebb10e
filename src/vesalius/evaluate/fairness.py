"""Fairness: a scorecard's figures by group of patients, small groups withheld, and the gaps between the groups tested.

Nothing here says that a model is fair: only how large a gap was found, or which gap the cases do not rule out.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vesalius import metrics
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.groups import Grouping, grouping, known_columns, value_of
from vesalius.core.image import Array
from vesalius.core.interval import Interval
from vesalius.core.scorecard import Banner, Scorecard
from vesalius.core.subgroups import NOT_KNOWN, SMALLEST, Gap, Group, Subgroups
from vesalius.evaluate.gaps import SHUFFLES, Shuffled, corrected, directions, gap_of, shuffled
from vesalius.evaluate.scoring import Tally
from vesalius.evaluate.subgroup_words import sentence
from vesalius.evaluate.suppression import LEFT_OUT, SMALL, Key, thinned, withheld
from vesalius.metrics import Rows, Subset

MOST = 40  # groups that a grouping may have
NAMED = 12  # withheld groups that are named; where there are more, they may be names of people
KIND = "gap between groups"


@dataclass(frozen=True, eq=False)
class _Drawn:
    """One group: its cases, its figures, and the same on resamples of its patients, `(resamples,)` by metric."""

    index: Array
    figures: Mapping[str, Interval]
    draws: Mapping[str, Array]
    positives: Mapping[str, int]


def with_subgroups(
    card: Scorecard,
    tally: Tally,
    by: Sequence[str] | None,
    *,
    smallest: int = SMALLEST,
    bands: Sequence[Case] | None = None,
) -> Scorecard:
    """Return a scorecard with the figures of what `tally` collected by each of the groupings `by`.

    Each is a column, or several with commas between them, whose combinations are then the groups. None stands for the
    columns of people that there are (`core/groups.BY_DEFAULT`), of at most `MOST` groups. Bands of numbers follow from
    the cases `bands`, by default those that were scored. A gap that was found is a banner. What is wrong with `by` and
    `smallest` is said by `assert_columns`, before anything is answered.
    """
    if not card.metrics or (by is not None and not by):
        return card
    cases, known = tally.cases, bands or tally.cases
    wanted = [(n,) for n in known_columns(cases)] if by is None else [_columns(text, cases) for text in by]
    labels = {columns: _keys(columns, cases, known) for columns in dict.fromkeys(wanted)}
    labels = {columns: keys for columns, keys in labels.items() if len(set(keys)) <= MOST}
    if not labels:
        return card
    rows, _ = tally.rows()
    people = [case.patient if card.patients_known and case.patient else f"case {case.id}" for case in cases]
    found = subgroups(
        rows,
        card.answer,
        labels,
        patients=people,
        smallest=smallest,
        resamples=card.resamples,
        seed=card.seed,
    )
    told = [Banner(KIND, sentence(card, s, g)) for s in found for g in s.gaps if g.verdict == "found"]
    return replace(card, subgroups=found, banners=(*card.banners, *told))


def subgroups(
    rows: Rows,
    answer: str,
    labels: Mapping[Key, Sequence[Key]],
    *,
    patients: Sequence[str],
    smallest: int = SMALLEST,
    resamples: int = 1000,
    shuffles: int = SHUFFLES,
    seed: int = 0,
) -> tuple[Subgroups, ...]:
    """Return the figures of rows by group, and the gaps of `gaps.directions`, for each grouping.

    `labels` gives by columns each row's group, its value in each column. Groups of fewer than `smallest` patients are
    withheld, and with them what would give them away (`suppression`). Intervals are those of a bootstrap over the
    patients of a group. p is corrected over all groupings and metrics of one call (Holm). The group `not known` has
    figures and takes no part in gaps.
    """
    labels = {
        columns: thinned(keys, patients, smallest, np.random.default_rng((seed, k)))
        for k, (columns, keys) in enumerate(labels.items())
    }
    hidden = withheld(labels, patients, smallest)
    drawn = {
        columns: {
            key: _drawn(rows, answer, at, patients, resamples=resamples, seed=(seed, k))
            for k, (key, at) in enumerate(_indexes(keys).items())
            if key not in hidden[columns]
        }
        for columns, keys in labels.items()
    }
    overall = metrics.for_answer(answer).summary(rows, np.arange(len(rows)))
    ways = directions(answer, list(overall))
    many = sum(_compared(groups) >= 2 for groups in drawn.values()) * len(ways)
    times = (
        max(shuffles, 2 * math.ceil(many / 0.05)) if many else 0
    )  # enough for the smallest p to survive Holm's
    gaps: list[Gap] = []
    tests: list[Shuffled] = []
    owner: list[Key] = []
    for columns, groups in drawn.items():
        for gap, test in _gaps(rows, answer, groups, ways, patients, shuffles=times, seed=seed):
            gaps.append(gap)
            tests.append(test)
            owner.append(columns)
    gaps = corrected(gaps, tests)
    tested = sum(g.p is not None for g in gaps)
    return tuple(
        Subgroups(
            by=columns,
            groups=_groups(keys, drawn[columns], hidden[columns], patients),
            gaps=tuple(g for g, of in zip(gaps, owner, strict=True) if of == columns),
            smallest=smallest,
            more_withheld=0
            if _named(drawn[columns], hidden[columns])
            else sum(LEFT_OUT not in key for key in hidden[columns]),
            tests=tested,
            shuffles=times if tested else 0,
            notes=_notes(drawn[columns], smallest, thin=any(LEFT_OUT in key for key in keys)),
        )
        for columns, keys in labels.items()
    )


def count_groups(by: Sequence[str] | None, cases: Sequence[Case], smallest: int) -> int:
    """Return about how many groups `with_subgroups` will give figures of."""
    wanted = [(n,) for n in known_columns(cases)] if by is None else [_columns(text, cases) for text in by]
    sizes = (Counter(_keys(columns, cases, cases)) for columns in dict.fromkeys(wanted))
    return sum(n >= smallest for size in sizes if len(size) <= MOST for n in size.values())


def assert_columns(by: Sequence[str] | None, cases: Sequence[Case], smallest: int = SMALLEST) -> None:
    """Raise DataError where no case has one of the columns to group by, or where a grouping has too many groups."""
    if smallest < 1:
        raise DataError("a group has at least one patient", found=f"--smallest-group {smallest}", hint="10")
    for text in by or ():
        columns = _columns(text, cases)
        for name in columns:
            grouping(cases, name)
        many = len(set(_keys(columns, cases, cases)))
        if many > MOST:
            raise DataError(
                f"column '{', '.join(columns)}' is none to group by",
                found=f"{many} different values, more than {MOST}",
                hint="a column of a few words, or of numbers",
            )


def _columns(text: str, cases: Sequence[Case]) -> Key:
    """Return the columns that a word of `--by` names."""
    if "," not in text or any(value_of(case, text) is not None for case in cases):
        return (text,)
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _keys(columns: Key, cases: Sequence[Case], bands: Sequence[Case]) -> list[Key]:
    """Return the group of each case, its value or band in each column."""
    ways = [_way(name, bands) or _way(name, cases) for name in columns]
    return [tuple((way.of(case) if way else None) or NOT_KNOWN for way in ways) for case in cases]


def _way(name: str, cases: Sequence[Case]) -> Grouping | None:
    """Return how cases are grouped by a column; None where none of them has it."""
    return grouping(cases, name) if any(value_of(case, name) is not None for case in cases) else None


def _indexes(keys: Sequence[Key]) -> dict[Key, Array]:
    """Return the cases of each group; bands of numbers come in their order, words in that of the alphabet."""
    each = sorted(set(keys), key=lambda key: [_rank(part) for part in key])
    return {key: np.array([i for i, k in enumerate(keys) if k == key]) for key in each}


def _rank(part: str) -> tuple[int, float, str]:
    if part == NOT_KNOWN:
        return 2, 0.0, part
    if part.startswith("below "):
        return 0, -math.inf, part
    number = part.removeprefix("from ").split(" ")[0]
    try:
        return 0, float(number), part
    except ValueError:
        return 1, 0.0, part


def _drawn(
    rows: Rows, answer: str, at: Array, patients: Sequence[str], *, resamples: int, seed: tuple[int, int]
) -> _Drawn:
    """Return one group's figures with intervals, and the draws that these come from."""
    judge = metrics.for_answer(answer)
    part: Subset = metrics.subset(judge, rows, at)
    who = [patients[k] for k in at]
    point = part.summary(part.rows, np.arange(len(at)))
    alone = len(set(who)) < 2
    times = [] if alone else metrics.resample(who, np.random.default_rng(seed), resamples)
    each = [part.summary(part.rows, index) for index in times]
    draws = {name: np.array([one.get(name, math.nan) for one in each]) for name in point}
    figures = {}
    for name, value in point.items():
        n = part.counts.get(name, len(at))
        figures[name] = metrics.bounds(float(value), draws[name], n)
        if alone and math.isfinite(value):
            figures[name] = Interval(float(value), None, None, n, 0, "one patient only: nothing to resample")
    if not part.by_place:
        figures = metrics.at_ends(figures, metrics.standing(judge, part.rows), patients=who)
    positives = {label: real for label, (real, _, _) in part.occurrences.items()}
    return _Drawn(at, figures, draws, positives)


def _gaps(
    rows: Rows,
    answer: str,
    groups: Mapping[Key, _Drawn],
    ways: Mapping[str, str],
    patients: Sequence[str],
    *,
    shuffles: int,
    seed: int,
) -> list[tuple[Gap, Shuffled]]:
    """Return the gap of each metric between the groups of one grouping, uncorrected, with its test."""
    told = {_name(key): one for key, one in groups.items() if NOT_KNOWN not in key}
    if len(told) < 2 or not ways:
        return []
    tests = shuffled(
        rows,
        answer,
        {name: one.index for name, one in told.items()},
        patients=patients,
        names=list(ways),
        shuffles=shuffles,
        seed=seed,
    )
    found = []
    for metric, better in ways.items():
        gap = gap_of(
            metric,
            better,
            tests[metric],
            {name: one.draws[metric] for name, one in told.items() if metric in one.draws},
            n={name: one.figures[metric].n for name, one in told.items() if metric in one.figures},
        )
        if gap is not None:
            found.append((gap, tests[metric]))
    return found


def _compared(groups: Mapping[Key, _Drawn]) -> int:
    return sum(NOT_KNOWN not in key for key in groups)


def _groups(
    keys: Sequence[Key], drawn: Mapping[Key, _Drawn], hidden: Mapping[Key, str], patients: Sequence[str]
) -> tuple[Group, ...]:
    """Return the groups in order; those that are withheld only where they may be named."""
    made = []
    for key, at in _indexes(keys).items():
        if LEFT_OUT in key:
            continue
        if key in drawn:
            one = drawn[key]
            people = len({patients[k] for k in at})
            made.append(Group(_name(key), len(at), people, one.figures, one.positives))
        elif _named(drawn, hidden):
            made.append(Group(_name(key), None, None, withheld=hidden[key]))
    return tuple(made)


def _named(drawn: Mapping[Key, _Drawn], hidden: Mapping[Key, str]) -> bool:
    """Return whether withheld groups may be named: not where nearly every value is one, as of a column of names."""
    large = len(drawn) + sum(not why.startswith(SMALL[:10]) for why in hidden.values())
    return large > 0 and len(hidden) <= NAMED


def _name(key: Key) -> str:
    return " × ".join(key)


def _notes(groups: Mapping[Key, _Drawn], smallest: int, *, thin: bool) -> tuple[str, ...]:
    found = []
    if _compared(groups) < 2:
        found.append(
            f"There are no two groups of at least {smallest} patients to show, so that no gap can be tested."
        )
    if thin:
        found.append(
            "Some patients, drawn at random, are left out of the figures of their groups, so that nobody can work out "
            f"those of a group of fewer than {smallest} patients by subtraction."
        )
    return tuple(found)
