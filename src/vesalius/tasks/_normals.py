"""Which cases are normal, by a column and a label that a user names; and where a score stands among theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from vesalius.core import tail
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.core.words import listed

if TYPE_CHECKING:
    import torch

NORMAL, ABNORMAL = "normal", "abnormal"  # the labels of an answer
LONGEST, MOST_LABELS = 64, 20  # letters of a label, and labels of a column, beyond which it is a text
SCORES = "scores"  # in a calibration: those of normal validation cases, the smallest first
RATE = "rate"  # in a calibration: the promised rate of false alarms
KEPT = 2000  # scores of a calibration; of more, as many evenly chosen ones are no weaker promise to speak of


def summary(cases: Sequence[Case]) -> Statistics:
    """Return how many cases there are, and how often each column has each label."""
    columns = sorted({name for case in cases for name in case.targets})
    said = {name: [v for case in cases if (v := _label(case.targets.get(name)))] for name in columns}
    counts = {name: Tally.of(labels) for name, labels in said.items() if labels}
    return Statistics({"cases": Tally.of("case" for _ in cases), "columns": Statistics(counts)})


def column_of(found: Statistics, *, column: str, normal: str) -> tuple[str, int]:
    """Return the column that says which cases are normal, empty where all are, and how many normal ones there are.

    Raises DataError where the label is not found, or in several columns, or where cases have classes and nobody says
    which of these is normal.
    """
    every = found.part("cases", Tally)["case"]
    told: Mapping[str, Tally] = {
        name: part
        for name, part in found.part("columns", Statistics).parts.items()
        if isinstance(part, Tally) and len(part)
    }
    columns = {name: part for name, part in told.items() if len(part) <= MOST_LABELS}
    if not normal:
        classes = [name for name, part in told.items() if _tells_apart(part, every)]
        if column or classes:
            name = column or classes[0]
            labels = listed((str(v) for v in told.get(name, Tally())), 6)
            raise DataError(
                "which cases are normal is not said, and abnormal ones must not be learned from",
                found=f"column '{name}' with {labels}" if labels else f"column '{name}'",
                hint="--set task.options.normal=LABEL, or data of normal cases alone, without a class",
            )
        return "", every
    named = {name: part for name, part in columns.items() if part[normal] and column in ("", name)}
    if len(named) != 1:
        raise DataError(
            f"{'no' if not named else 'more than one'} column of the training cases has the label '{normal}'",
            found=listed(named, 4)
            or listed((f"{n}: {listed(map(str, p), 4)}" for n, p in columns.items()), 3),
            hint="task.options.normal is a label as it stands in the data, task.options.column its column",
        )
    name, part = next(iter(named.items()))
    return name, part[normal]


def truth_of(case: Case, values: Mapping[str, Any]) -> str | None:
    """Return whether a case is normal, as the data say; None where they do not."""
    column = str(values["column"])
    said = case.targets.get(column) if column else None
    if not isinstance(said, str):
        return None
    return NORMAL if said == values["normal"] else ABNORMAL


def calibration(scores: Iterable[float], rate: float) -> dict[str, Any]:
    """Return the scores of normal validation cases, in order, and the rate of false alarms that is asked for."""
    held = np.sort(np.array(list(scores), dtype=np.float64))
    if len(held) > KEPT:
        held = held[np.linspace(0, len(held) - 1, KEPT).round().astype(int)]
    return {SCORES: [float(s) for s in held], RATE: rate} if len(held) else {}


def judged(score: float, calibration: Mapping[str, Any]) -> tuple[float, tail.Limit | None, float | None]:
    """Return where a score stands among normal cases, above which limit it is called, and its p-value.

    Without a calibration it only rises with the score, and there is neither.
    """
    if not calibration.get(SCORES):
        return score / (1.0 + score), None, None
    scores: Array = np.asarray(calibration[SCORES], dtype=np.float64)
    found = tail.limit(scores, float(calibration[RATE]))
    return tail.standing(scores, score), found, tail.p_value(scores, score)


def _tells_apart(part: Tally, every: int) -> bool:
    """Return whether a column's labels part the cases: several that recur, or one that not all of the cases have."""
    return 1 < len(part) < part.n or (len(part) == 1 and part.n < every)


def _label(value: Any) -> str | None:
    """Return a label as it is counted; several findings, or things, in brackets, so that they are no label's name."""
    if isinstance(value, tuple):
        words = [v for v in value if isinstance(v, str)]
        return f"({', '.join(words) if len(words) == len(value) else 'some'})"[:LONGEST]
    return value if isinstance(value, str) and len(value) <= LONGEST else None


def assert_enough(many: int, fewest: int) -> None:
    """Raise DataError for too few normal cases to learn from."""
    if many < fewest:
        raise DataError(
            "too few normal cases to learn what is normal",
            found=f"{many} among the training cases",
            hint=f"{fewest} at least; of some hundreds more is learned",
        )


class Drawn:
    """Draws the places of a batch among those that may be learned from: a new order each step."""

    def __init__(self, places: Sequence[int], batch: int) -> None:
        self.places, self.batch = tuple(places), batch

    def __call__(self, step: int, generator: torch.Generator) -> list[int]:
        import torch

        if not self.places:
            raise DataError("no case is known to be normal", hint="task.options.normal is their label")
        order = torch.randperm(len(self.places), generator=generator).tolist()
        return [self.places[order[k % len(order)]] for k in range(self.batch)]
