"""The time to an event, or to the last look when it had not happened: of one cause or several, entered late or not."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import ClassVar

from vesalius.cohorts._roles import TOLD, distinct, is_number
from vesalius.cohorts.targets._follow_up import DAYS, LONG_DAYS, paired, stem, units_in
from vesalius.cohorts.targets._happening import Coding, coding, may_be_events, says_none, word_of
from vesalius.cohorts.targets._strata import by_fifth
from vesalius.cohorts.targets.contract import Cells, Columns, Row, TargetKind
from vesalius.core.case import Event, Target
from vesalius.core.cohort import Label, Question, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.words import counted, listed

ROLES = ("time", "event", "entry", "arm")
ORDER = 40
CALLED = {
    "time": r"(?!.*(entry|enrol|enter|inclu|truncat)).*"
    r"(follow.?up|time.?to|duration|survival|^time|_time$|(^|[ _.-])(days|weeks|months|years)$).*",
    "event": r"(?!.*(days|weeks|months|years)).*"
    r"(event|dead|death|deceased|died|vital|censor|relapse|recurrence).*",
}
HOW = "events"  # --column events=2,months: the words that say it happened, and the unit of the times
NAME = "survival"  # what a table's target is called that has a name of its own in no column
STILL = 0  # the value of a label which says that nothing had happened


class TimeToEvent(TargetKind):
    """A value is an Event. Several times and events, each pair a target, are told apart by their columns' names."""

    name: ClassVar[str] = "event"
    ahead: ClassVar[bool] = True
    asks_anyway: ClassVar[bool] = True

    # --- recognised and read

    def holds(self, role: str, cells: Cells) -> bool:
        """Return whether cells may be times, numbers of which there are several; or an event, of few words."""
        if role == "event":
            return may_be_events(distinct(cells))
        return is_number(cells) and len(distinct(cells)) > 2

    def keeps(self, role: str, word: str, others: Cells) -> bool:
        """Return whether `none` in a column of events says that nothing had happened."""
        return role == "event" and word == "none" and says_none(distinct(others))

    def choose(self, fitting: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
        """Return all times and events that belong together by their names; without any, the first of each."""
        pairs = paired(fitting["time"], fitting["event"])
        if not pairs:
            return super().choose(fitting)
        return {"time": [time for time, _ in pairs], "event": [event for _, event in pairs]}

    def why(self, role: str, found: Mapping[str, str]) -> str:
        """Return why a column is the time or the event."""
        if role == "time":
            return f"a time, beside the event in '{found['event']}'"
        return f"few words, beside the time in '{found['time']}'"

    def describe(self, column: str, columns: Columns, notes: list[str]) -> TargetInfo | None:
        """Return the target of a column of times and the event beside it. Raises DataError where there is none."""
        event, entry = _beside(column, columns)
        for one in (column, *([entry] if entry else [])):
            _assert_numbers(one, columns.table[one])
        if entry is None:
            notes += [note for note in _late(columns) if note not in notes]
        code = _coding(event, columns)
        unit, why = _unit(column, columns)
        if why:
            notes.append(why)
        said = [f"time in '{column}' ({unit})", f"event in '{event}'"]
        if entry is not None:
            said.append(f"under observation since '{entry}' ({_unit(entry, columns)[0]})")
        if len(code.causes) > 1:
            causes = listed([f"'{cause}'" for cause in code.causes], 6)
            said.append(f"{causes} exclude one another")
            notes.append(
                f"'{event}': {causes} are taken as causes that exclude one another; --column {HOW}={code.causes[0]} "
                "takes all others as not happened"
            )
        if "none" in code.still:
            notes.append(f"'none' in '{event}' is taken as not happened, and an empty cell as not known")
        labels = (
            *(Label(STILL, w) for w in code.still),
            *(Label(k, w) for k, w in enumerate(code.causes, 1)),
        )
        arms = list(columns.of("arm"))
        if len(arms) > 1:
            raise DataError("need one column of treatments", found=listed(arms, 6), hint="--column arm=NAME")
        name, arm = _name(column, columns.of("time")), arms[0] if arms else None
        return TargetInfo(name, self.name, labels, ", ".join(said), unit=unit, arm=arm)

    def value(self, info: TargetInfo, row: Row) -> Event | None:
        """Return time and event; None where either is not known. Raises DataError for what cannot be."""
        time, event, entry = _columns_of(info, row)
        days, happened = row.cell(time), row.cell(event)
        if days is None or happened is None:
            return None
        since = row.cell(entry) if entry is not None else None
        if entry is not None and since is None:
            raise DataError(f"nothing says since when it was under observation ('{entry}' is empty)")
        scale = DAYS[info.unit or "days"]
        word = word_of(happened)
        label = next((x for x in info.labels if x.name == word), None)
        if label is None:
            raise DataError(f"'{happened}' does not say whether the event happened", hint="0 and 1")
        causes = [x.name for x in info.labels if x.value != STILL]
        came = label.value != STILL
        found = Event(
            float(days) * scale,
            came,
            label.name if came and len(causes) > 1 else None,
            None
            if since is None or entry is None
            else float(since) * DAYS[_named_unit(entry) or info.unit or "days"],
        )
        if (wrong := self.fault(found, None)) is not None:
            raise DataError(f"the times {wrong}")
        return found

    def question(self, column: str, columns: Columns) -> Question | None:
        """Return what the columns leave open: which word is the event, which unit is meant, or which event."""
        event, _ = _beside(column, columns)
        target = _name(column, columns.of("time"))
        code = _coding(event, columns)
        held = distinct(columns.table[event])
        if code.doubt is not None:
            words = listed([f"'{word}'" for word in held], 6)
            hint = f"--column {HOW}={word_of(held[-1])} if that says that it happened (several words: A,B)"
            return Question(target, code.doubt, words, hint)
        units = units_in(column)
        if len(units) > 1 and not _told_unit(columns):
            hint = f"--column {HOW}={code.causes[0] if code.causes else '1'},{units[0]}"
            return Question(target, f"'{column}' says several units of time", listed(units), hint)
        return _which_event(column, event, columns, target)

    # --- checked, spread and summed up

    def fault(self, value: Target, reference: Image | None) -> str | None:
        """Return that a time is negative, zero or no number, or that somebody entered at or after the end."""
        if not isinstance(value, Event):
            return None
        days, since = value.time_days, value.entry_days
        if not math.isfinite(days) or days < 0:
            return f"hold {days:g} days to the event, which must be a number above 0"
        if days == 0:
            return "hold 0 days to the event: nothing was observed after the start"
        if since is not None and not (math.isfinite(since) and 0 <= since < days):
            return f"begin at day {since:g} and end at day {days:g}: one must enter before the end"
        if value.cause is not None and not value.happened:
            return f"hold the cause '{value.cause}' of an event that had not happened"
        return None

    def nothing_to_learn(self, info: TargetInfo, held: Sequence[Target]) -> tuple[str, str] | None:
        """Return that nothing happened to anybody."""
        if any(isinstance(v, Event) and v.happened for v in held):
            return None
        return (
            f"no event in any of {counted(len(held), 'case')}",
            f"--column {HOW}=WORD with the word that says it happened",
        )

    def strata(self, values: Mapping[str, Target]) -> dict[str, str]:
        """Return whether it happened, and in which fifth of all times."""
        events = {case: v for case, v in values.items() if isinstance(v, Event)}
        fifths = by_fifth({case: v.time_days for case, v in events.items()})
        return {case: f"{v.happened}{fifths[case]}" for case, v in events.items()}


def _beside(time: str, columns: Columns) -> tuple[str, str | None]:
    """Return the column of events, and that of entries or None, of a column of times. Raises DataError."""
    times, events, entries = (list(columns.of(role)) for role in ROLES[:3])
    if not events or len(events) != len(times):
        raise DataError(
            f"need one column of events for each of times, got {len(events)} for {len(times)}",
            found=listed([f"'{name}'" for name in (*times, *events)], 6),
            hint="--column time=A,B --column event=C,D in the same order",
        )
    place = times.index(time)
    if len(entries) > 1 and len(entries) != len(times):
        raise DataError("need one column of entries, or one for each of times", found=listed(entries, 6))
    entry = entries[place if len(entries) > 1 else 0] if entries else None
    return events[place], entry


def _columns_of(info: TargetInfo, row: Row) -> tuple[str, str, str | None]:
    """Return the columns of time, event and entry that a target is read from."""
    times, events, entries = (list(row.columns(role)) for role in ROLES[:3])
    place = next(k for k, one in enumerate(times) if _name(one, times) == info.name)
    return times[place], events[place], (entries[place if len(entries) > 1 else 0] if entries else None)


def _name(time: str, times: Sequence[str]) -> str:
    """Return what the target of a column of times is called: what it is about, where there are several."""
    stems = [stem(one) for one in times]
    own = stem(time)
    if len(times) == 1 or not own:
        return NAME if stems.count(own) == 1 else time
    return own if stems.count(own) == 1 else time


def _coding(event: str, columns: Columns) -> Coding:
    told = [word for word in _told(columns) if word.casefold() not in DAYS]
    held = distinct(columns.table[event])
    several = len(columns.of("event")) > 1
    told = [word for word in told if not several or word_of(word) in {word_of(cell) for cell in held}]
    return coding(event, held, told=told)


def _told(columns: Columns) -> list[str]:
    return [word.strip() for word in columns.told.get(HOW, "").split(",") if word.strip()]


def _told_unit(columns: Columns) -> str | None:
    return next((word.casefold() for word in _told(columns) if word.casefold() in DAYS), None)


def _named_unit(column: str) -> str | None:
    units = units_in(column)
    return units[0] if len(units) == 1 else None


def _unit(column: str, columns: Columns) -> tuple[str, str]:
    """Return the unit of a column of times, and what is worth knowing of it."""
    if (told := _told_unit(columns)) is not None:
        named = _named_unit(column)
        odd = f"'{column}' is taken as {told}, as told, though its name says {named}"
        return told, odd if named not in (None, told) else ""
    if (named := _named_unit(column)) is not None:
        return named, ""
    longest = max((float(cell) for cell in distinct(columns.table[column])), default=0.0)
    why = f"'{column}' is taken as days, as its name gives no unit"
    if 0 < longest < LONG_DAYS:
        why += f"; the longest is {longest:g}, which may be months (--column {HOW}=months)"
    return "days", why


def _late(columns: Columns) -> list[str]:
    """Return that columns may be times of entry, which nobody named."""
    called = re.compile(r".*(entry|left.?trunc).*")
    found = [
        c
        for c, cells in columns.table.items()
        if called.fullmatch(c.casefold()) and is_number(cells) and c not in columns.roles.get("time", ())
    ]
    return [
        f"'{c}' may say since when each was under observation; --column entry={c} heeds it" for c in found
    ]


def _assert_numbers(column: str, cells: Cells) -> None:
    if not is_number(cells):
        odd = next((cell for cell in distinct(cells) if not is_number([cell])), "")
        raise DataError(
            f"column '{column}' must hold times as numbers of one unit",
            found=f"'{odd}'" if odd else "no cell",
            hint="an empty cell where none is known",
        )


def _which_event(time: str, event: str, columns: Columns, target: str) -> Question | None:
    """Return the question which time belongs to which event, where a table has several and no names agree."""
    if any(columns.reasons.get(c, "").endswith(TOLD) for c in (time, event)) or stem(time) == stem(event):
        return None
    rivals = {
        role: [
            c
            for c, cells in columns.table.items()
            if re.fullmatch(CALLED[role], c.strip().casefold()) and KIND.holds(role, cells)
        ]
        for role in CALLED
    }
    if max(map(len, rivals.values())) < 2:
        return None
    return Question(
        target,
        f"nothing says that the event in '{event}' belongs to the time in '{time}'",
        "; ".join(listed([f"'{c}'" for c in found], 4) for found in rivals.values()),
        f"--column time={time} --column event={event} if it does",
    )


KIND = TimeToEvent()
