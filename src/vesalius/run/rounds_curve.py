"""Curves of simulated labelling: each strategy's figure at each number of labels, held against random."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vesalius.answers import contract
from vesalius.core.errors import DataError
from vesalius.core.scorecard import Scorecard, load_scorecard
from vesalius.evaluate.pooled import Pooled, over_trainings
from vesalius.run.grid import CELLS, Filled
from vesalius.run.rounds import RANDOM, TEST, Rounds
from vesalius.run.transfer_table import rows_of


@dataclass(frozen=True)
class Point:
    """A strategy at one number of labels: its figure over seeds, and by how much it differs from random with as many.

    Intervals are over test patients and seeds together. `better` is True where that of the difference lies on the
    better side of 0, False on the worse, None where it holds 0.
    """

    strategy: str
    labels: int
    metric: str
    figure: Pooled
    difference: Pooled | None = None
    better: bool | None = None


def curve(
    folder: Path, filled: Filled, rounds: Rounds, *, metric: str | None = None, resamples: int = 1000
) -> tuple[Point, ...]:
    """Return every point of the curves. The first figure of the answers' kind counts, where none is named.

    The first fit, which all strategies share, stands under random alone. Raises DataError where no fit was finished.
    """
    found: list[Point] = []
    for number, budget in enumerate(rounds.budgets):
        cards = {
            name: _cards(folder, filled, rounds, name, number)
            for name in (rounds.strategies if number else (RANDOM,))
        }
        every = [card for trained in cards.values() for card in trained.values()]
        if not every:
            continue
        there = [name for name, one in every[0].metrics.items() if one.value is not None]
        first = [name for name in contract.of(every[0].answer).headlines if name in there]
        metric = metric or [*first, *there][0]
        order = every[0].labels
        rows = {
            name: {seed: rows_of(card, order) for seed, card in each.items()} for name, each in cards.items()
        }
        patients = {case: whose for card in every for case, whose in card.patients.items()}
        measured = over_trainings(
            every[0].answer, rows, patients=patients, metric=metric, against=RANDOM, resamples=resamples
        )
        found += [
            Point(name, budget, metric, one.figure, one.difference, one.better)
            for name, one in measured.items()
        ]
    if not found:
        raise DataError("no round was finished", found=next(iter(filled.failed.values()), "no cell"))
    return tuple(found)


def verdicts(points: Sequence[Point]) -> tuple[str, ...]:
    """Return a sentence a strategy: at which numbers of labels it was better or worse than random by an interval."""
    said = []
    for name in dict.fromkeys(p.strategy for p in points if p.strategy != RANDOM):
        own = [p for p in points if p.strategy == name]
        better = [str(p.labels) for p in own if p.better]
        worse = [str(p.labels) for p in own if p.better is False]
        parts = [f"better than random at {', '.join(better)} labels"] if better else []
        parts += [f"worse at {', '.join(worse)}"] if worse else []
        said.append(f"{name}: {'; '.join(parts) or 'never told apart from random'}")
    return tuple(said)


def _cards(folder: Path, filled: Filled, rounds: Rounds, strategy: str, number: int) -> dict[int, Scorecard]:
    names = {seed: rounds.cell(strategy, seed, number) for seed in rounds.seeds}
    return {
        seed: load_scorecard(folder / CELLS / name / TEST)
        for seed, name in names.items()
        if name in filled.results
    }
