"""What changed of one patient between two visits: both answers, how they were registered, and what can be told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from vesalius.answers import contract
from vesalius.core.answers import Answer
from vesalius.core.called import written
from vesalius.core.cohort import SetAside
from vesalius.core.frames import as_pandas
from vesalius.core.growth import Changed, Growth
from vesalius.core.shown import Shown, cut, some
from vesalius.core.words import counted, in_unit
from vesalius.prepare.between import Between
from vesalius.prepare.registering import Registration
from vesalius.run.change.visit import Apart, Visit

TOLD = ("grown", "shrunk", "higher", "lower", "new", "gone")


@dataclass(frozen=True, eq=False)
class Change(Shown):
    """What changed between two visits. `visits` and `answers` are the earlier one and the later one.

    `apart` is the time between them. `growths` are what was measured at both, each with the bounds of its change and
    what can be told of it, and `parts` what became of single parts. `notes` must be read before them. `between` holds
    both images; None where they were let go, as in a change of many patients.
    """

    visits: tuple[Visit, Visit]
    answers: tuple[Answer, Answer]
    apart: Apart
    registration: Registration
    changed: Changed | None
    notes: tuple[str, ...] = ()
    bundle: str = ""
    by: str = ""
    between: Between | None = None
    patient: str = ""
    registered: Mapping[str, Any] | None = None

    @property
    def days(self) -> float | None:
        """How many days lie between the visits; None where nobody knows."""
        return self.apart.days

    @property
    def growths(self) -> tuple[Growth, ...]:
        """What was measured at both visits."""
        return () if self.changed is None else self.changed.growths

    @property
    def told(self) -> tuple[Growth, ...]:
        """What changed by more than the errors of both answers allow, the largest change beside them first."""
        found = [g for g in self.growths if g.verdict in TOLD]
        return tuple(sorted(found, key=lambda g: -_beyond(g)))

    @property
    def verdict(self) -> str:
        """What can be told, in one sentence."""
        if self.changed is None:
            kind = type(self.answers[1]).__name__
            return f"Answers of kind {kind} are shown beside one another; nothing is measured."
        if self.between is not None and self.between.same:
            return "Both visits are the same image: nothing changed."
        when = f" in {counted_days(self.days)}" if self.days else ""
        if self.told:
            first = self.told[0]
            more = len(self.told) - 1
            also = f" {counted(more, 'other measurement')} changed, too." if more else ""
            return f"{said(first)}{when}.{also}"
        if any(g.reach is not None for g in self.growths):
            return f"No change that could be told{when}."
        return "Nothing says how far the model's measurements are off, so that no change can be told."

    def json(self) -> dict[str, Any]:
        """Return all of it as JSON takes it, without voxels and without the patient."""
        changed = self.changed or Changed()
        dates = [None if v.date is None else v.date.isoformat() for v in self.visits]
        return {
            "verdict": self.verdict,
            "kind": type(self.answers[1]).__name__,
            "bundle": {"name": self.by, "hash": self.bundle},
            "visits": [{"case": v.case, "date": d} for v, d in zip(self.visits, dates, strict=True)],
            "days": self.days,
            "days_by": self.apart.by or None,
            "registration": self.registered,
            "growth": [growth.json(self.days) for growth in changed.growths],
            "parts": [part.json() for part in changed.parts],
            "surfaces": [one.json() for one in changed.moved],
            "words": [{"name": n, "earlier": a, "later": b} for n, a, b in changed.words],
            "notes": list(self.notes),
        }

    def row(self) -> dict[str, Any]:
        """Return it as a row of `change.csv`: who and when, how it was registered, and each thing that was measured."""
        earlier, later = self.visits
        found: dict[str, Any] = {
            "patient": self.patient or later.case,
            "earlier": earlier.case,
            "later": later.case,
            "days": self.days,
            "registration": self.registration.by,
            "registered": "yes" if self.registration.fits else "no",
        }
        for growth in self.growths:
            lead = f"{growth.name}_{growth.quantity}" if growth.quantity != growth.name else growth.name
            reach, year = growth.reach, growth.rates(self.days).get("year")
            found |= {
                f"{lead}_unit": growth.unit or "",
                f"{lead}_earlier": growth.earlier,
                f"{lead}_later": growth.later,
                f"{lead}_change": growth.change,
                f"{lead}_low": None if reach is None else reach.low,
                f"{lead}_high": None if reach is None else reach.high,
                f"{lead}_percent": growth.percent,
                f"{lead}_a_year": year,
                f"{lead}_told": growth.verdict,
            }
        for moved in () if self.changed is None else self.changed.moved:
            found |= moved.row()
        for name, one, two in () if self.changed is None else self.changed.words:
            found |= {f"{name}_earlier": one, f"{name}_later": two}
        return {**found, "notes": "; ".join(self.notes)}

    def let_go(self) -> Change:
        """Return the same without both images and without surfaces, for who keeps many."""
        if self.changed is None:
            return replace(self, between=None)
        moved = tuple(replace(one, surface=None, field_mm=None) for one in self.changed.moved)
        return replace(self, between=None, changed=replace(self.changed, moved=moved))

    def to_polars(self) -> Any:
        """Return a row for each thing that was measured, as a polars DataFrame."""
        import polars

        return polars.DataFrame([_flat(g.json(self.days)) for g in self.growths])

    def to_pandas(self) -> Any:
        """Return the same as a pandas DataFrame. Raises MissingExtra where pandas is not installed."""
        return as_pandas(self.to_polars())

    def carried(self) -> Answer | None:
        """Return the earlier visit's answer as it lies on the later image; None where that is not known."""
        if self.between is None or not self.between.placed:
            return None
        found: Answer = contract.of(self.answers[0]).carried(self.answers[0], self.between)
        return found

    def _words(self) -> Iterable[str]:
        yield f"{cut(self.visits[0].case, 24)!r} to {cut(self.visits[1].case, 24)!r}"
        if self.days:
            yield counted_days(self.days)
        yield some((said(g) for g in self.told), len(self.told), 2) or "no change that could be told"


@dataclass(frozen=True, eq=False)
class Changes(Shown, Sequence[Change]):
    """What changed of several patients, in the order of the cohort; and who could not be compared, with the reason."""

    changes: tuple[Change, ...]
    set_aside: tuple[SetAside, ...] = ()

    def __len__(self) -> int:
        return len(self.changes)

    def __getitem__(self, key: Any) -> Any:
        return self.changes[key]

    def to_polars(self) -> Any:
        """Return a row a patient as a polars DataFrame, as `change.csv` has it."""
        import polars

        return (
            polars.from_dicts(rows(self.changes), infer_schema_length=None)
            if self.changes
            else polars.DataFrame()
        )

    def to_pandas(self) -> Any:
        """Return the same as a pandas DataFrame. Raises MissingExtra where pandas is not installed."""
        return as_pandas(self.to_polars())

    def _words(self) -> Iterable[str]:
        yield counted(len(self.changes), "patient")
        changed = sum(bool(one.told) for one in self.changes)
        yield f"{changed} with a change that can be told"
        if self.set_aside:
            yield f"{len(self.set_aside)} not compared"


def rows(changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Return a row a patient, all with the same columns."""
    made = [one.row() for one in changes]
    names = list(dict.fromkeys(name for row in made for name in row if name != "notes"))
    return [{name: row.get(name) for name in (*names, "notes")} for row in made]


def said(growth: Growth) -> str:
    """Return what can be told of one thing in words: `Lesion grew from 4.1 to 9.3 ml (+5.2, 95 % +3.1 to +7.3)`."""
    verbs = {"grown": "grew", "shrunk": "shrank", "higher": "rose", "lower": "fell"}
    unit = in_unit(growth.unit)
    alone = growth.quantity in (growth.name, "volume", "area", "size")
    name = written(growth.name) if alone else f"{written(growth.quantity)} of {growth.name}"
    if growth.verdict == "new":
        return f"{name} is new: {number(growth.later)}{unit}"
    if growth.verdict == "gone":
        return f"{name} is gone: it was {number(growth.earlier)}{unit}"
    verb = verbs.get(growth.verdict, "went")
    within = f", {interval(growth)}" if growth.reach is not None else ""
    text = f"{name} {verb} from {number(growth.earlier)} to {number(growth.later)}{unit}"
    return f"{text} ({signed(growth.change)}{within})"


def interval(growth: Growth, *, percent: bool = False) -> str:
    """Return the bounds of a change in words, with their share; a dash where nothing is known of them."""
    reach = growth.reach
    if reach is None:
        return "–"
    low, high = reach.percent if percent else (reach.low, reach.high)
    share = f"{100 * reach.share:.0f} % "
    if low is None and high is None:
        return f"{share}any"
    if low is None or high is None:
        return f"{share}at most {signed(high)}" if low is None else f"{share}at least {signed(low)}"
    return f"{share}{signed(low)} to {signed(high)}"


def number(value: float | None) -> str:
    """Return a number with three figures or all before its point; a dash where there is none."""
    if value is None:
        return "–"
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return text.replace("-", "−") if float(text) else "0"


def signed(value: float | None) -> str:
    """Return the same with its sign."""
    if value is None:
        return "–"
    text = number(abs(value))
    return text if text == "0" else f"+{text}" if value > 0 else f"−{text}"


def counted_days(days: float | None) -> str:
    """Return a number of days in words."""
    return "" if days is None else "1 day" if days == 1 else f"{days:g} days"


def _beyond(growth: Growth) -> float:
    least = None if growth.reach is None else growth.reach.least
    return abs(growth.change) / least if least else float("inf")


def _flat(growth: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is said of a growth as one row: of its interval the bounds, of its rate that a year."""
    found = {k: v for k, v in growth.items() if not isinstance(v, dict | list)}
    held = growth["interval"] or {}
    return found | {
        "low": held.get("low"), "high": held.get("high"), "a_year": growth["rate"].get("year"),
        "by": held.get("by"),
    }  # fmt: skip
