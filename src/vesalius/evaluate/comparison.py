"""Comparison: what is known of two models on the same cases, as numbers, as a table and as a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vesalius.answers import contract
from vesalius.core import page as pages
from vesalius.core.called import written
from vesalius.core.disk import write_text
from vesalius.core.frames import as_pandas
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.evaluate.paired import SURE, Difference, apart, directed

TEMPLATE = Path(__file__).parent / "templates" / "compare.html.j2"
MOST = 400  # cases on the page, those that changed most
EVEN = 1e-9


@dataclass(frozen=True, eq=False)
class Comparison(Shown):
    """Two models on the same cases. `names` are what they are called; `differences` are the second less the first.

    `cases` say how right each is on each case, and the change; `notes` must be read before the figures.
    """

    names: tuple[str, str]
    answer: str
    target: str | None
    split: str
    n_cases: int
    n_patients: int
    patients_known: bool
    data_hash: str
    differences: Mapping[str, Difference]
    cases: tuple[Mapping[str, Any], ...] = ()
    notes: tuple[str, ...] = ()
    resamples: int = 1000
    seed: int = 0
    bundles: tuple[str, str] = field(default=("", ""))

    @property
    def verdict(self) -> str:
        """One sentence: which is better by the main figure, and how sure that is."""
        name = self.headline
        if name is None:
            return "No figure is defined for both models on these cases."
        found, shown = self.differences[name], self.called(name)
        both = f"{shown} {number(found.first)} and {number(found.second)}"
        if found.low is None or found.high is None:
            return f"{both}; no interval: {found.reason}."
        span = f"difference {signed(found.difference)}, {signed(found.low)} to {signed(found.high)}"
        if found.better:
            return f"{found.better} is better: {both} ({span}; p {p_words(found.p)})."
        if apart(found) != (found.p is not None and found.p < SURE):
            return (
                f"Undecided, as interval and test do not agree: {both} ({span}; p {p_words(found.p)}), "
                f"on {counted(self.n_cases, 'case')}."
            )
        return (
            f"These {counted(self.n_cases, 'case')} do not tell which is better: {both} ({span}; "
            f"p {p_words(found.p)})."
        )

    @property
    def headline(self) -> str | None:
        """The figure that stands first in reports of this kind of answer and is defined for both; None for none."""
        first = [n for n in contract.of(self.answer).headlines if n in self.differences]
        ranked = [*first, *(n for n in self.differences if "/" not in n)]
        return next((n for n in ranked if self.differences[n].difference is not None), None)

    def called(self, name: str) -> str:
        """Return how a figure is written: `AUC`, `Dice, liver`."""
        metric, _, label = name.partition("/")
        words = contract.of(self.answer).metric_names.get(metric, metric.replace("_", " "))
        return f"{words}, {written(label)}" if label else words

    def to_polars(self) -> Any:
        """Return a row a figure as a polars DataFrame."""
        import polars as pl

        return pl.DataFrame([{"figure": n, **asdict(d)} for n, d in self.differences.items()])

    def to_pandas(self) -> Any:
        """Return the same as a pandas DataFrame. Raises MissingExtra where pandas is not installed."""
        return as_pandas(self.to_polars())

    def __str__(self) -> str:
        return f"{self.names[0]} and {self.names[1]}: {self.verdict}"

    def __repr__(self) -> str:
        return f"Comparison({self.names[0]!r}, {self.names[1]!r}, {counted(self.n_cases, 'case')})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{r['name']}</td><td>{r['first']}</td><td>{r['second']}</td><td>{r['difference']}</td>"
            f"<td>{r['interval']}</td><td>{r['p']}</td><td>{r['better'] or r['reason']}</td></tr>"
            for r in map(_escaped, figures(self))
        )
        a, b, verdict = (_text(t) for t in (*self.names, self.verdict))
        head = "".join(
            f"<th>{t}</th>" for t in ("figure", a, b, "difference", "95 % interval", "p", "better")
        )
        return f"<div><p>{verdict}</p><table><tr>{head}</tr>{rows}</table></div>"


def write(found: Comparison, folder: Path) -> None:
    """Write `compare.html` and `comparison.json` into a folder. Raises OutputError."""
    write_text(folder / "comparison.json", json.dumps(asdict(found), indent=1, default=str) + "\n")
    write_text(folder / "compare.html", page(found))


def page(found: Comparison) -> str:
    """Return one self-contained page: the verdict, what must be read first, figures, and the cases that changed."""
    changed = [c for c in found.cases if c["change"] is not None]
    ranked = sorted(changed, key=lambda c: -abs(c["change"]))[:MOST]
    up, down = (sum(s * c["change"] > EVEN for c in changed) for s in (1, -1))
    decided = found.headline is not None and bool(found.differences[found.headline].better)
    who = counted(found.n_patients, "patient") if found.patients_known else "each case counted as a patient"
    return pages.render(
        TEMPLATE,
        title=f"{found.names[0]} and {found.names[1]}",
        names=found.names,
        subtitle=f"Two models on the same cases, {found.names[1]} against {found.names[0]}",
        chips=[
            f"target: {found.target or 'none'}",
            f"split: {found.split}",
            counted(found.n_cases, "case"),
            who,
            f"data {found.data_hash[:12]}",
        ],
        verdict=found.verdict,
        tone="warn" if found.notes else "good" if decided else "open",
        notes=found.notes,
        figures=figures(found),
        resamples=found.resamples,
        cases=[{"case": c["case"], **{k: number(c[k]) for k in ("first", "second")}, "change": signed(c["change"])}
               for c in ranked],
        tally=f"{found.names[1]} is more right on {counted(up, 'case')}, {found.names[0]} on {down}; "
        f"{len(changed) - up - down} are alike.",
        shown="All cases, the largest changes first" if len(ranked) == len(changed)
        else f"The {len(ranked)} largest changes of {counted(len(changed), 'case')}",
    )  # fmt: skip


def figures(found: Comparison) -> list[dict[str, Any]]:
    """Return a row a figure, as text, with the place of its interval around 0 in percent of its metric's scale."""
    reach: dict[str, float] = {}
    for name, one in found.differences.items():
        if one.low is not None and one.high is not None:
            metric = name.partition("/")[0]
            reach[metric] = max(reach.get(metric, 0.0), abs(one.low), abs(one.high))
    first = [n for n in contract.of(found.answer).headlines if n in found.differences]
    rows = []
    for name in [*first, *(n for n in found.differences if n not in first)]:
        one = found.differences[name]
        rows.append(
            {
                "name": found.called(name),
                "first": number(one.first),
                "second": number(one.second),
                "difference": signed(one.difference),
                "interval": "–" if one.low is None else f"{signed(one.low)} to {signed(one.high)}",
                "p": p_words(one.p),
                "n": one.n,
                "better": one.better or _undecided(found.answer, name, one),
                "side": "none" if not one.better else "second" if one.better == found.names[1] else "first",
                "reason": one.reason,
                "bar": _bar(one, reach.get(name.partition("/")[0], 0.0)),
            }
        )
    return rows


def _undecided(answer: str, name: str, one: Difference) -> str:
    """Return "undecided" where a figure could have told which is better and does not, a dash where it never could."""
    if one.low is None or one.p is None:
        return ""
    return "undecided" if directed(answer, name) else "–"


def _bar(one: Difference, reach: float) -> dict[str, float] | None:
    if one.low is None or one.high is None or one.difference is None or reach <= 0:
        return None
    low, at, high = (50 + 48 * v / reach for v in (one.low, one.difference, one.high))
    return {"low": round(low, 2), "width": round(max(high - low, 0.3), 2), "at": round(at - 0.4, 2)}


def number(value: float | None) -> str:
    """Return three decimals below ten, fewer above; a dash where there is none."""
    if value is None:
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 1000 else f"{value:.0f}"


def signed(value: float | None) -> str:
    """Return the same with its sign."""
    if value is None:
        return "–"
    text = number(abs(value))
    return text if float(text) == 0 else f"+{text}" if value > 0 else f"−{text}"


def p_words(p: float | None) -> str:
    """Return a p-value in three decimals, and no smaller than the test can tell."""
    return "–" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _text(value: Any) -> str:
    import html

    return html.escape(str(value))


def _escaped(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: _text(value) for name, value in row.items()}


def names_apart(first: str, second: str) -> tuple[str, str]:
    """Return what two models are called so that they can be told apart."""
    return (first, second) if first != second else (f"{first} (first)", f"{second} (second)")


def told(names: Sequence[str], said: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return what is said of each model as notes, once where both have it."""
    first, second = said
    both = [text for text in first if text in second]
    alone = [f"{name}: {t}" for name, texts in zip(names, said, strict=True) for t in texts if t not in both]
    return (*both, *alone)
