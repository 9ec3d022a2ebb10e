"""From the cells of a grid to a transfer table: scorecards read again, pooled over seeds, held against one arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from vesalius.answers import contract
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.scorecard import Scorecard, load_scorecard
from vesalius.core.words import counted
from vesalius.evaluate.pooled import Measured, Pooled, over_trainings
from vesalius.evaluate.transfer import BETTER, HELD_AGAINST, UNHELPFUL, WORSE, Line, Tested
from vesalius.metrics import Rows
from vesalius.run.arms import NOTHING, Arm, Level
from vesalius.run.grid import CELLS, Filled
from vesalius.run.transfer_cells import TEST, fit_name, pretrain_name
from vesalius.tasks.contract import Task

NO_FIGURE = Pooled(None, None, None)


@dataclass(frozen=True, eq=False)
class Made:
    """What became of a grid: its folder, what its cells gave, and what was asked."""

    folder: Path
    filled: Filled
    arms: Sequence[Arm]
    levels: Sequence[Level]
    seeds: Sequence[int]

    def card(self, arm: Arm, level: Level, seed: int, file: str) -> Scorecard | None:
        """Return a fit's scorecard; None where it failed."""
        name = fit_name(arm, level, seed)
        if name not in self.filled.results:
            return None
        return load_scorecard(self.folder / CELLS / name / file)

    def cards(self, level: Level, file: str) -> dict[str, dict[int, Scorecard]]:
        """Return the scorecards at one number of labels, by arm and seed."""
        found: dict[str, dict[int, Scorecard]] = {}
        for arm in self.arms:
            each = {seed: self.card(arm, level, seed, file) for seed in self.seeds}
            found[arm.name] = {seed: card for seed, card in each.items() if card is not None}
        return found


def assert_figure(task: Task, asked: str | None) -> None:
    """Raise UnknownName where no answer of a task can have the figure that was asked for: said before any fit.

    A figure of one label, `dice/liver`, is known by what stands before the label.
    """
    if asked is None:
        return
    known = contract.of(task.answer).judge.DESCRIPTIONS
    if asked.partition("/")[0] not in known:
        raise UnknownName("figure", asked, known)


def metric_of(made: Made, asked: str | None) -> tuple[str, str]:
    """Return the kind of answer, and the figure of the table: that which was asked for, or the kind's first.

    Raises DataError where no fit was finished, UnknownName for a figure that is not there.
    """
    for level in made.levels:
        for trained in made.cards(level, TEST).values():
            for card in trained.values():
                there = [n for n, v in card.metrics.items() if v.value is not None]
                if asked is not None and asked not in card.metrics:
                    raise UnknownName("figure", asked, there)
                first = [n for n in contract.of(card.answer).headlines if n in there]
                return card.answer, asked or [*first, *there][0]
    raise DataError(
        "no fit of the grid was finished", found=next(iter(made.filled.failed.values()), "no cell")
    )


def table(
    made: Made, tests: Mapping[str, str], *, answer: str, metric: str, resamples: int
) -> tuple[tuple[Line, ...], tuple[Tested, ...]]:
    """Return the lines and the test sets. `tests` holds the file of each test set's scorecards by its name."""
    lines: list[Line] = []
    sets: list[Tested] = []
    for test, file in tests.items():
        trivial: list[float] = []
        seen: Scorecard | None = None
        for level in made.levels:
            cards = made.cards(level, file)
            for card in (c for trained in cards.values() for c in trained.values()):
                seen = seen or card
                found = card.baseline.get(metric)
                trivial += [found.value] if found is not None and found.value is not None else []
            lines += _lines(made, test, level, cards, answer, metric, resamples)
        if seen is not None:
            sets.append(
                Tested(
                    test,
                    seen.n_cases,
                    seen.n_patients,
                    fmean(trivial) if trivial else None,
                    seen.baseline_is,
                )
            )
    return tuple(lines), tuple(sets)


def _lines(
    made: Made,
    test: str,
    level: Level,
    cards: Mapping[str, Mapping[int, Scorecard]],
    answer: str,
    metric: str,
    resamples: int,
) -> list[Line]:
    patients = {
        case: whose for t in cards.values() for card in t.values() for case, whose in card.patients.items()
    }
    order = next((card.labels for t in cards.values() for card in t.values()), ())
    rows = {
        arm: {seed: rows_of(card, order) for seed, card in trained.items()} for arm, trained in cards.items()
    }
    measured = over_trainings(
        answer, rows, patients=patients, metric=metric, against=NOTHING, resamples=resamples
    )
    return [_line(made, test, level, arm, measured.get(arm.name)) for arm in made.arms]


def rows_of(card: Scorecard, labels: Sequence[str]) -> Rows:
    """Return the rows of a scorecard by case id, its labels in this order. Raises DataError where it holds none."""
    if set(card.labels) != set(labels):
        raise DataError(
            "two fits of the grid know different labels", found=f"{card.labels} and {tuple(labels)}"
        )
    cases = tuple(sorted(card.cases, key=lambda case: str(case["case"])))
    rows = contract.of(card.answer).again(replace(card, labels=tuple(labels), cases=cases))
    if rows is None:
        raise DataError(f"scorecards of {card.answer} do not hold the figures of single cases here")
    return rows


def _line(made: Made, test: str, level: Level, arm: Arm, found: Measured | None) -> Line:
    names = {seed: fit_name(arm, level, seed) for seed in made.seeds}
    done = {seed: made.filled.results[name] for seed, name in names.items() if name in made.filled.results}
    why = next((made.filled.failed[n] for n in names.values() if n in made.filled.failed), "")
    return Line(
        test=test,
        labels=level.words,
        arm=arm.name,
        words=arm.words,
        n_labels=_mean(done, "labels"),
        n_patients=_mean(done, "patients"),
        seeds=tuple(done),
        figure=found.figure if found is not None else NO_FIGURE,
        difference=found.difference if found is not None else None,
        verdict=_verdict(arm, found),
        seconds=_mean(done, "seconds"),
        steps=_mean(done, "steps"),
        before_s=_before(made, arm),
        reason=why,
    )


def _mean(done: Mapping[int, Mapping[str, Any]], name: str) -> float | None:
    return fmean(float(result[name]) for result in done.values()) if done else None


def _before(made: Made, arm: Arm) -> float | None:
    """Return how long an arm's pre-training took, on average over the seeds; None where it has none."""
    names = [pretrain_name(arm, seed) for seed in made.seeds]
    took = [float(made.filled.results[n]["seconds"]) for n in names if n in made.filled.results]
    return fmean(took) if took else None


def _verdict(arm: Arm, found: Measured | None) -> str:
    if arm.name == NOTHING:
        return HELD_AGAINST
    if found is None or found.difference is None or found.difference.low is None:
        return ""
    return UNHELPFUL if found.better is None else BETTER if found.better else WORSE


def failures(made: Made) -> tuple[str, ...]:
    """Return what failed, a sentence a reason with how many cells it struck."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in made.filled.failed.items():
        by_reason.setdefault(reason, []).append(name)
    return tuple(
        f"{counted(len(names), 'cell')} failed ({', '.join(names[:3])}{' …' if len(names) > 3 else ''}): {reason}"
        for reason, names in by_reason.items()
    )


def collapsed(made: Made) -> tuple[str, ...]:
    """Return which pre-trainings collapsed, a sentence each: what begins from them learned from next to nothing."""
    results = made.filled.results
    names = [pretrain_name(arm, seed) for arm in made.arms if arm.pretrained for seed in made.seeds]
    return tuple(f"{n}: {results[n]['collapsed']}" for n in names if n in results and results[n]["collapsed"])
