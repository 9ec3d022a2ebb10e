"""The time to an event, or to the last look when it had not happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from vesalius.cohorts._roles import distinct, is_number
from vesalius.cohorts._several import NO, YES
from vesalius.cohorts.targets._strata import by_fifth
from vesalius.cohorts.targets.contract import Cells, Columns, Row, TargetKind
from vesalius.core.case import Event, Target
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError

ROLES = ("time", "event")
ORDER = 40
CALLED = {
    "time": r".*(follow.?up|time.?to|duration|survival|^time|_time$|(^|[ _.-])(days|weeks|months|years)$).*",
    "event": r".*(event|dead|death|deceased|died|vital|censor|relapse|recurrence).*",
}
NAME = "survival"  # what a table's target is called, as it lies in two columns
_DAYS = {"month": 30.4375, "week": 7.0, "year": 365.25}


class TimeToEvent(TargetKind):
    """A value is an Event."""

    name: ClassVar[str] = "event"
    ahead: ClassVar[bool] = True

    def holds(self, role: str, cells: Cells) -> bool:
        """Return whether cells may be times, numbers of which there are several; or an event, which has two values."""
        many = len(distinct(cells))
        return is_number(cells) and many > 2 if role == "time" else many <= 2

    def why(self, role: str, found: Mapping[str, str]) -> str:
        """Return why a column is the time or the event."""
        if role == "time":
            return f"a time, beside the event in '{found['event']}'"
        return f"two values, beside the time in '{found['time']}'"

    def describe(self, column: str, columns: Columns, notes: list[str]) -> TargetInfo | None:
        """Return the target of the first column of times, where there is one of events."""
        events = columns.of("event")
        if column != columns.of("time")[0] or not events:
            return None
        if _unit(column) == 1.0 and "day" not in column.casefold():
            notes.append(f"'{column}' is taken as days, as its name gives no unit")
        return TargetInfo(NAME, self.name, (), f"time in '{column}', event in '{events[0]}'")

    def value(self, info: TargetInfo, row: Row) -> Event | None:
        """Return time and event; None where either is not known."""
        time, event = row.columns("time")[0], row.columns("event")[0]
        days, happened = row.cell(time), row.cell(event)
        if days is None or happened is None:
            return None
        return Event(float(days) * _unit(time), _truth(happened) != ("censor" in event.casefold()))

    def strata(self, values: Mapping[str, Target]) -> dict[str, str]:
        """Return whether it happened, and in which fifth of all times."""
        events = {case: v for case, v in values.items() if isinstance(v, Event)}
        fifths = by_fifth({case: v.time_days for case, v in events.items()})
        return {case: f"{v.happened}{fifths[case]}" for case, v in events.items()}


def _unit(column: str) -> float:
    """Return how many days one unit of a column of times is."""
    return next((days for word, days in _DAYS.items() if word in column.casefold()), 1.0)


def _truth(cell: str) -> bool:
    word = cell.casefold()
    if word in YES or word in NO:
        return word in YES
    raise DataError(f"'{cell}' does not say whether the event happened", hint="0 and 1")


KIND = TimeToEvent()
