"""LabellingCurve: what strategies of `suggest` were worth in simulated rounds, as numbers, in words and as files."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vesalius.core.disk import write_text
from vesalius.core.numbers import finite
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.evaluate.comparison import number, signed
from vesalius.evaluate.pooled import Pooled
from vesalius.evaluate.transfer import BETTER, HELD_AGAINST, WORSE, figure_called
from vesalius.run.rounds import RANDOM
from vesalius.run.rounds_curve import Point, verdicts

JSON, CSV, PAGE = "curve.json", "curve.csv", "curve.html"
UNTOLD = "not told apart"


@dataclass(frozen=True, eq=False)
class LabellingCurve(Shown):
    """What each strategy came to at each number of labels, held against random with as many, on the same test cases.

    `begin` cases were labelled at first and `batch` more in each round; each fit had `steps` steps, on average over
    its `seeds`. `pool` counts the cases whose labels were hidden. `left_out` are strategies that cannot choose among
    such answers, each with the reason; `failed` are fits that came to nothing. `notes` must be read before the figures.
    """

    data: str
    data_hash: str
    answer: str
    target: str
    metric: str
    begin: int
    batch: int
    steps: int
    seeds: tuple[int, ...]
    pool: int
    test_cases: int
    test_patients: int
    patients_known: bool
    split: str
    points: tuple[Point, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    resamples: int = 1000
    settings: Mapping[str, str] = field(default_factory=dict)
    path: Path | None = None

    @property
    def called(self) -> str:
        """How the figure is written: `AUC`."""
        return figure_called(self.answer, self.metric)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """A sentence a strategy: at which numbers of labels it was better or worse than random by an interval."""
        return verdicts(self.points)

    def curves(self) -> dict[str, list[tuple[float, float, float | None, float | None]]]:
        """Return labels, value, low and high of each strategy; all begin at the fit that they share."""
        names = dict.fromkeys(p.strategy for p in self.points)
        first = [p for p in self.points if p.labels == self.begin]
        found: dict[str, list[tuple[float, float, float | None, float | None]]] = {}
        for name in names:
            own = [p for p in self.points if p.strategy == name and p.labels != self.begin]
            found[name] = [
                (
                    p.labels,
                    p.figure.value,
                    p.figure.low if p.strategy == name else None,
                    p.figure.high if p.strategy == name else None,
                )
                for p in (*first, *own)
                if p.figure.value is not None
            ]
        return found

    def rows(self) -> list[dict[str, Any]]:
        """Return a row a point: strategy, labels, figure and difference to random with intervals, and the verdict."""
        return [_row(p) for p in self.points]

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        plain = {k: v for k, v in asdict(self).items() if k not in ("points", "path")}
        told = {"metric_called": self.called, "verdicts": list(self.verdicts)}
        found: dict[str, Any] = finite({**plain, **told, "points": self.rows()})
        return found

    def _words(self) -> Iterable[str]:
        yield self.data
        many = counted(len(self.curves()), "strategy", "strategies")
        yield f"{many}, {counted(len(self.seeds), 'seed')}, {self.called}"
        yield "; ".join(self.verdicts[:4])


def verdict_of(point: Point) -> str:
    """Return what a point came to, in a word or three."""
    if point.strategy == RANDOM:
        return HELD_AGAINST
    if point.difference is None or point.difference.low is None:
        return ""
    return UNTOLD if point.better is None else BETTER if point.better else WORSE


def written(point: Point) -> tuple[str, str, str, str, str]:
    """Return a point as texts: strategy, labels, figure, difference to random, and what it came to."""
    figure, change = point.figure, point.difference or Pooled(None, None, None)
    span = "" if figure.low is None else f" ({number(figure.low)} to {number(figure.high)})"
    difference = "–" if change.value is None else signed(change.value)
    difference += "" if change.low is None else f" ({signed(change.low)} to {signed(change.high)})"
    return (
        point.strategy,
        str(point.labels),
        number(figure.value) + span,
        difference,
        verdict_of(point) or "not known",
    )


def write(found: LabellingCurve, folder: Path) -> dict[str, Path]:
    """Write `curve.json`, `.csv` and `.html` into a folder, in place of earlier ones. Raises OutputError."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = ("value", "low", "high")
    table.writerow(["strategy", "labels", "seeds", *names, *(f"difference_{n}" for n in names), "verdict"])
    for row in found.rows():
        change = row["difference"] or dict.fromkeys(names)
        figure = [row["figure"][n] for n in names]
        seeds = len(row["figure"]["by_seed"])
        table.writerow(
            [row["strategy"], row["labels"], seeds, *figure, *(change[n] for n in names), row["verdict"]]
        )
    write_text(folder / JSON, json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n")
    write_text(folder / CSV, text.getvalue())
    (folder / PAGE).unlink(missing_ok=True)
    found.show(folder / PAGE)
    return {"table": folder / JSON, "csv": folder / CSV, "page": folder / PAGE}


def _row(point: Point) -> dict[str, Any]:
    return {
        "strategy": point.strategy,
        "labels": point.labels,
        "figure": asdict(point.figure),
        "difference": None if point.difference is None else asdict(point.difference),
        "verdict": verdict_of(point),
    }
