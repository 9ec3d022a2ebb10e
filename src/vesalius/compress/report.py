"""What a compression comes to: every trial with what it cost and why it was refused, as JSON, as a table and a page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vesalius.answers.drawing.panels import Cell, Table
from vesalius.answers.drawing.pareto import Point, pareto
from vesalius.compress import trial
from vesalius.compress.auto import Found, Tried
from vesalius.compress.measure import Cost
from vesalius.core import page
from vesalius.core.bundle import Bundle
from vesalius.core.disk import write_text
from vesalius.core.numbers import finite
from vesalius.core.shown import Shown
from vesalius.core.words import counted

JSON, PAGE = "compress.json", "compress.html"
TEMPLATE = Path(__file__).parent / "templates" / "compress.html.j2"
RULE = (
    "Each member is held against its own variant on the cases of its own fold, which it never saw, and all these cases "
    "make one figure. A variant is refused unless the upper bound of the drop's 95 % interval, paired by patient, is "
    "within what is allowed: one that may be worse by more is refused, though it may also be no worse. Nothing is "
    "chosen by test cases; their figures stand below, for the original and for what was chosen."
)


@dataclass(frozen=True, eq=False)
class Compression(Shown):
    """What `compress` returns. `bundle` is the compressed one, in the folder `path`.

    `found` holds every trial, `target` and `most` what was asked for, `answer` the kind of answer and `figure` the
    metric of the gate. `test` are the figures of both on test cases, by `original` and `compressed`; empty where there
    are none. `notes` must be read before any figure.
    """

    path: Path
    bundle: Bundle | None
    found: Found
    name: str
    answer: str
    figure: str
    target: float
    most: float
    notes: tuple[str, ...] = ()
    test: Mapping[str, Any] = field(default_factory=dict)
    hashes: Mapping[str, str] = field(default_factory=dict)

    @property
    def chosen(self) -> Tried | None:
        """The trial that was taken; None where all were refused."""
        return self.found.named(self.found.chosen) if self.found.chosen else None

    @property
    def reached(self) -> bool:
        """Whether what was taken reaches the target."""
        one = self.chosen
        return one is not None and one.cost is not None and one.cost.ratio >= self.target

    def _words(self) -> Iterable[str]:
        yield repr(self.name)
        yield self.verdict

    @property
    def original(self) -> Cost:
        """What the original costs."""
        return trial.cost_of(self.found.original)

    @property
    def verdict(self) -> str:
        """What it came to, in a sentence."""
        one = self.chosen
        if one is None or one.cost is None or one.drop is None:
            many = counted(len(self.found.tried), "way")
            return f"Nothing was compressed: of {many} none is allowed and gains anything."
        less = self.original.weights_bytes / max(one.cost.weights_bytes, 1)
        short = "" if self.reached else f" The target of {self.target:g} times was not reached."
        return (
            f"{one.name}: {one.cost.ratio:.2f} times the throughput, weights {less:.1f} times smaller; "
            f"{one.verdict.why}.{short}"
        )

    def json(self) -> dict[str, Any]:
        """Return it as JSON takes it; names of single cases are not in it."""
        found: dict[str, Any] = finite(
            {
                "name": self.name,
                "answer": self.answer,
                "figure": self.figure,
                "target": self.target,
                "max_drop": self.most,
                "chosen": self.found.chosen or None,
                "reached": self.reached,
                "verdict": self.verdict,
                "original": _plain(self.found.original),
                "tried": [_tried(one) for one in self.found.tried],
                "test": dict(self.test),
                "notes": list(self.notes),
                "hashes": dict(self.hashes),
            }
        )
        return found

    def table(self) -> Table:
        """Return a row a model: the original, then every trial."""
        heads = (
            "model", "throughput", "p50 / p95", "size", "weights", "memory", "energy a case", "multiply-adds",
            self.figure, "drop, at most", "allowed",
        )  # fmt: skip
        first = _row("original", self.original, self.found.original)
        rows = [[*first, Cell("–"), Cell("–")]]
        for one in self.found.tried:
            if one.cost is None or one.drop is None:
                rows.append([Cell(one.name), *([Cell("–")] * (len(heads) - 2)), Cell("no", under=one.failed)])
                continue
            upper = one.drop.upper
            bound = Cell("–") if upper is None else Cell(f"{upper:.4f}", upper, f"drop {one.drop.drop:.4f}")
            tone = "good" if one.name == self.found.chosen else ""
            allowed = Cell("yes" if one.verdict.passed else "no", under=one.verdict.why, tone=tone)
            rows.append([*_row(one.name, one.cost, one.result), bound, allowed])
        return Table("What was tried", heads, rows)

    def html(self) -> str:
        """Return it as one page that fetches nothing."""
        return page.render(
            TEMPLATE,
            it=self,
            table=self.table(),
            picture=pareto(self.points(), across="times the throughput of the original", up=self.figure),
            tests=_tests(self.test, self.figure),
            rule=RULE,
            tone="good" if self.reached else "open",
            changed=() if self.chosen is None else self.chosen.result["changed"],
        )

    def points(self) -> list[Point]:
        """Return the original and the trials as points of a picture of cost and worth."""
        found = [_point("original", self.original, self.found.original, allowed=True, chosen=False)]
        for one in self.found.tried:
            if one.cost is not None:
                chosen = one.name == self.found.chosen
                found.append(
                    _point(one.name, one.cost, one.result, allowed=one.verdict.passed, chosen=chosen)
                )
        return [p for p in found if p is not None]


def write(found: Compression) -> None:
    """Write the page, then the JSON by which it is known to be finished."""
    write_text(found.path / PAGE, found.html())
    write_text(found.path / JSON, json.dumps(found.json(), indent=1, allow_nan=False) + "\n")


def _point(name: str, cost: Cost, result: Mapping[str, Any], *, allowed: bool, chosen: bool) -> Point | None:
    figure = result["figure"]
    if figure.get("value") is None:
        return None
    return Point(name, cost.ratio, figure["value"], figure.get("low"), figure.get("high"), allowed, chosen)


def _plain(result: Mapping[str, Any]) -> dict[str, Any]:
    return {"cost": result["cost"], "figure": result["figure"]}


def _tried(one: Tried) -> dict[str, Any]:
    """Return a trial as plain data."""
    about = {"name": one.name, "allowed": one.verdict.passed, "why": one.verdict.why}
    if not one.result:
        return {**about, "failed": one.failed}
    kept = ("cost", "figure", "drop", "changed", "figures", "runtime", "took_s")
    return {**about, "needed": one.verdict.needed, **{name: one.result[name] for name in kept}}


def _row(name: str, cost: Cost, result: Mapping[str, Any]) -> list[Cell]:
    figure = result["figure"]
    value, low, high = (figure.get(key) for key in ("value", "low", "high"))
    span = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    speed = f"{cost.throughput:.3g} cases a second at batch {cost.batch}, {counted(cost.threads, 'thread')}"
    both = cost.p50_s is not None and cost.p95_s is not None
    return [
        Cell(name, under=cost.runtime),
        Cell(f"{cost.ratio:.2f} ×", cost.ratio, speed),
        Cell(f"{cost.p50_s:.3g} / {cost.p95_s:.3g} s", cost.p50_s, f"n = {cost.answers}")
        if both
        else Cell("–"),
        Cell(_bytes(cost.size_bytes), cost.size_bytes),
        Cell(_bytes(cost.weights_bytes), cost.weights_bytes),
        Cell("–")
        if cost.memory_bytes is None
        else Cell(_bytes(cost.memory_bytes), cost.memory_bytes, "at most"),
        Cell("–") if cost.joules is None else Cell(f"{cost.joules:.3g} J", cost.joules, cost.energy_how),
        Cell("–", under="not counted") if cost.macs is None else Cell(f"{cost.macs:.3g}", cost.macs),
        Cell("–") if value is None else Cell(f"{value:.4f}", value, span),
    ]


def _bytes(n: int) -> str:
    return f"{n / 1e6:.3g} MB" if n >= 1e6 else f"{n / 1e3:.3g} kB"


def _tests(test: Mapping[str, Any], figure: str) -> Table | None:
    """Return the figures on test cases of both; None where there are none."""
    if not test:
        return None
    names = [figure, *(n for n in test["original"] if n != figure and "/" not in n)]
    rows = [
        [Cell(name), *(_interval(test[side].get(name)) for side in ("original", "compressed"))]
        for name in names
    ]
    text = f"{counted(test['cases'], 'test case')}, which nothing was chosen by."
    return Table("On test cases", ("figure", "original", "compressed"), rows, text)


def _interval(found: Mapping[str, Any] | None) -> Cell:
    if found is None or found.get("value") is None:
        return Cell("–")
    low, high = found.get("low"), found.get("high")
    under = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
    return Cell(f"{found['value']:.4f}", found["value"], under)


def figures_of(metrics: Mapping[str, Any], names: Sequence[str] = ()) -> dict[str, Any]:
    """Return a scorecard's figures over all labels as plain data."""
    return {n: asdict(m) for n, m in metrics.items() if "/" not in n and (not names or n in names)}
