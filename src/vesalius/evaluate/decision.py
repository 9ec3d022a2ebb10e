"""The decision table: what each model costs beside how good it is, for a clinic that has to choose one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vesalius.answers.drawing.panels import Cell, Table
from vesalius.core import page
from vesalius.core.numbers import finite
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.core.words import counted
from vesalius.evaluate.banners import TRAINING
from vesalius.evaluate.paired import Difference
from vesalius.evaluate.report import headlines, metric_name
from vesalius.evaluate.standing import standing
from vesalius.plan.energy import Energy

TEMPLATE = Path(__file__).parent / "templates" / "decision.html.j2"
RULE = (
    "The model with the best figure is looked for among those measured on the same test cases. Whatever is not told "
    "apart from it (paired 95 % interval and test, the p-values corrected after Holm; without single cases, intervals "
    "that overlap) may be as good, and of these the one with the fewest parameters is enough, if it clearly beats the "
    "trivial answer. Not told apart does not mean equal."
)


@dataclass(frozen=True, slots=True)
class Timed:
    """Seconds a case: the median of `n` cases, the shortest and the longest."""

    median: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What it takes to use a model. `size_bytes` is all of its bundle on disk.

    `seconds` is a whole answer, from the file to the end; `macs` are the multiply-adds of what `macs_of` says;
    `memory_bytes` is the most that answering took beyond what the process held before the model was loaded; `energy` is
    that of one case. None is what was not measured. `machine` is where it was measured.
    """

    parameters: int
    size_bytes: int
    seconds: Timed | None = None
    load_s: float | None = None
    macs: int | None = None
    macs_of: str = ""
    memory_bytes: int | None = None
    energy: Energy | None = None
    machine: str = ""
    how: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Candidate:
    """A model to decide about. `card` has its figures, with single cases where they are at hand."""

    name: str
    bundle: str
    task: str
    net: str
    members: int
    cost: Cost
    card: Scorecard | None = None
    explainers: tuple[str, ...] = ()
    calibrated: bool = False
    self_tested: bool = False


@dataclass(frozen=True, eq=False)
class Against:
    """How the best model stands against another: told apart or not, by what, and what difference remains possible."""

    name: str
    told_apart: bool
    text: str
    difference: Difference | None = None


@dataclass(frozen=True, eq=False)
class Decision:
    """The table and its recommendation. `chosen` is the name of the model that is enough; empty where none is.

    `advice` is one sentence, `reasons` are those behind it, `figure` the name of the figure that decided.
    """

    candidates: tuple[Candidate, ...]
    chosen: str
    advice: str
    reasons: tuple[str, ...] = ()
    against: tuple[Against, ...] = ()
    figure: str = ""

    def plain(self) -> dict[str, Any]:
        """Return it as JSON takes it; names of single cases are not in it."""
        return {
            "models": [_plain(c, self.figure) for c in self.candidates],
            "figure": self.figure,
            "chosen": self.chosen or None,
            "advice": self.advice,
            "reasons": list(self.reasons),
            "comparisons": [_compared(a) for a in self.against],
            "rule": RULE,
        }

    def json(self) -> str:
        """Return it as JSON text."""
        return json.dumps(finite(self.plain()), indent=1, allow_nan=False) + "\n"

    def table(self) -> Table:
        """Return the table, a row a model."""
        return table_of(self)

    def html(self) -> str:
        """Return it as one page that fetches nothing."""
        cards = [c.card for c in self.candidates if c.name == self.chosen and c.card is not None]
        hardly = any(b.kind == TRAINING for card in cards for b in card.banners)
        tone = "good" if self.chosen and not hardly else "open"
        machines = dict.fromkeys(c.cost.machine for c in self.candidates if c.cost.machine)
        return page.render(
            TEMPLATE, decision=self, table=self.table(), tone=tone, rule=RULE, machines=list(machines),
            notes=[f"{c.name}: {c.cost.how}" for c in self.candidates if c.cost.how],
        )  # fmt: skip


def table_of(decision: Decision) -> Table:
    """Return a row a model: what it is, what it costs, how good it is, and what was done to trust it."""
    head = decision.figure
    figure = "figure"
    if head:
        figure = metric_name(
            next(c.card for c in decision.candidates if c.card is not None), head.partition("/")[0]
        )
    heads = (
        "model",
        "parameters",
        "on disk",
        "seconds a case",
        "multiply-adds",
        "memory",
        "energy a case",
        figure,
        "explained",
        "calibrated",
        "self-test",
    )
    rows = [_row(c, head, chosen=c.name == decision.chosen) for c in decision.candidates]
    return Table("Complexity against practicality", heads, rows)


def _row(c: Candidate, head: str, *, chosen: bool) -> list[Cell]:
    cost, t, found = c.cost, c.cost.seconds, _interval(c, head)
    missing = Cell("–", under="not measured")
    methods = counted(len(c.explainers), "method") if c.explainers else ""
    return [
        Cell(c.name, under=f"{c.net} × {c.members}\nbundle {c.bundle[:12]}", tone="good" if chosen else ""),
        Cell(short(cost.parameters), cost.parameters),
        Cell(_bytes(cost.size_bytes), cost.size_bytes),
        Cell(f"{t.median:.3g}", t.median, f"{t.low:.3g} to {t.high:.3g}, n = {t.n}") if t else missing,
        Cell(short(cost.macs), cost.macs, cost.macs_of) if cost.macs else Cell("–", under="not counted"),
        missing
        if cost.memory_bytes is None
        else Cell(_bytes(cost.memory_bytes), cost.memory_bytes, "at most"),
        Cell(f"{cost.energy.joules:.3g} J", cost.energy.joules, cost.energy.how) if cost.energy else missing,
        missing
        if found is None or found.value is None
        else Cell(f"{found.value:.3f}", found.value, _span(found)),
        Cell("can be" if c.explainers else "–", under=methods),
        Cell("yes" if c.calibrated else "no"),
        Cell("yes" if c.self_tested else "no"),
    ]


def _compared(a: Against) -> dict[str, Any]:
    difference = None if a.difference is None else asdict(a.difference)
    return {"with": a.name, "told_apart": a.told_apart, "text": a.text, "difference": difference}


def _plain(c: Candidate, figure: str) -> dict[str, Any]:
    card, found = c.card, _interval(c, figure)
    measured: dict[str, Any] = {"figures": {}, "standing": None, "measured_on": None}
    if card is not None:
        people = card.n_patients if card.patients_known else None
        measured = {
            "figures": {name: asdict(card.metrics[name]) for name in headlines(card)},
            "standing": standing(card, figure) if figure in card.metrics else None,
            "measured_on": {
                "split": card.split,
                "cases": card.n_cases,
                "patients": people,
                "data": card.data_hash,
            },
        }
    return {
        "name": c.name,
        "bundle": c.bundle,
        "task": c.task,
        "net": c.net,
        "members": c.members,
        "cost": asdict(c.cost),
        "figure": None if found is None else asdict(found),
        **measured,
        "can_be_explained_by": list(c.explainers),
        "calibrated": c.calibrated,
        "self_tested": c.self_tested,
    }


def _interval(c: Candidate, figure: str) -> Interval | None:
    return None if c.card is None or not figure else c.card.metrics.get(figure)


def _span(found: Interval) -> str:
    bounds = "" if found.low is None or found.high is None else f"{found.low:.3f} to {found.high:.3f}, "
    return f"{bounds}n = {found.n}"


def short(n: float | None) -> str:
    """Return a large number in three digits with its prefix: `11.2 M`."""
    if n is None:
        return "–"
    for limit, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(n) >= limit:
            return f"{n / limit:.3g} {prefix}"
    return f"{n:g}"


def _bytes(n: int | None) -> str:
    if n is None:
        return "–"
    return (
        f"{n / 2**30:.3g} GiB"
        if n >= 2**30
        else f"{n / 2**20:.3g} MiB"
        if n >= 2**20
        else f"{n / 2**10:.3g} KiB"
    )
