"""Statistics of cases: what a plan or a task's state needs to know of them, in parts that can be merged.

    Histogram   numbers, for quantiles          Moments    numbers, for mean, deviation and ends
    Tally       how often each value occurs     Distinct   how many different values there are
    Cases       the cases themselves, for what cannot be computed from less; merged in one memory, never sent

Each part has `merged(other)`, which is what it would be of both sets of cases at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from vesalius.core.case import Case
from vesalius.core.distinct import Distinct
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.histogram import Histogram
from vesalius.core.moments import Moments
from vesalius.core.tally import Tally


class Part(Protocol):
    """What can be merged. A package may bring its own: any frozen object with this method."""

    def merged(self, other: Any) -> Any:
        """Return what this would be of both sets of cases at once."""


P = TypeVar("P", bound=Part)


@dataclass(frozen=True)
class Statistics:
    """Parts by name. Merging is associative, and commutative but for the order in which names and values stand."""

    parts: Mapping[str, Part] = field(default_factory=dict)

    def part(self, name: str, kind: type[P]) -> P:
        """Return the part of that name, which is of that kind. Raises UnknownName where there is none."""
        found = self.parts.get(name)
        if not isinstance(found, kind):
            raise UnknownName(
                kind.__name__, name, [n for n, part in self.parts.items() if isinstance(part, kind)]
            )
        return found

    def merged(self, other: Statistics) -> Statistics:
        """Return the statistics of both sets of cases; a part that one side lacks is the other's.

        Raises DataError where a name stands for different things.
        """
        made = {**self.parts, **other.parts}
        for name in self.parts.keys() & other.parts.keys():
            one, two = self.parts[name], other.parts[name]
            if type(one) is not type(two):
                raise DataError(
                    f"the statistics '{name}' cannot be merged",
                    found=f"{type(one).__name__} and {type(two).__name__}",
                )
            made[name] = one.merged(two)
        return Statistics(made)

    def rounded(self, digits: int) -> Statistics:
        """Return the statistics with all histograms on wider bins, of so many binary digits."""
        return self._changed(lambda part: part.rounded(digits), Histogram)

    def keyed(self, key: bytes) -> Statistics:
        """Return the statistics with all that may name a patient as digests under a key."""
        return self._changed(lambda part: part.keyed(key), Distinct)

    def json(self) -> dict[str, Any]:
        """Return the statistics as plain data, to be sent.

        Raises DataError for values that are not under a key yet, and for parts that cannot be sent.
        """
        return {name: _json(name, part) for name, part in self.parts.items()}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Statistics:
        """Return statistics from their plain data. Raises DataError where these are none."""
        return cls({name: _parse(name, entry) for name, entry in data.items()})

    def _changed(self, change: Any, kind: type[Part]) -> Statistics:
        def one(part: Part) -> Any:
            if isinstance(part, Statistics):
                return part._changed(change, kind)
            return change(part) if isinstance(part, kind) else part

        return Statistics({name: one(part) for name, part in self.parts.items()})


@dataclass(frozen=True)
class Cases:
    """The cases themselves, in the order of their ids, for a state that cannot be computed from statistics.

    They can be merged where all of them lie in one memory. They are never written down or sent, so that a task which
    needs them cannot be trained where cases may not leave their house.
    """

    cases: tuple[Case, ...] = field(default=(), compare=False)
    ids: tuple[str, ...] = ()

    @classmethod
    def of(cls, cases: Iterable[Case]) -> Cases:
        """Return some cases as they are, in the order of their ids."""
        held = sorted(cases, key=lambda case: case.id)
        return cls(tuple(held), tuple(case.id for case in held))

    def merged(self, other: Cases) -> Cases:
        """Return the cases of both."""
        return Cases.of((*self.cases, *other.cases))


def columns(rows: Iterable[Sequence[float]], names: Sequence[str]) -> Statistics:
    """Return a histogram of each column of some rows, under its name."""
    held = list(rows)
    return Statistics({name: Histogram.of(row[k] for row in held) for k, name in enumerate(names)})


_SENT: dict[str, Any] = {
    "histogram": Histogram,
    "moments": Moments,
    "tally": Tally,
    "distinct": Distinct,
    "statistics": Statistics,
}


def _json(name: str, part: Part) -> dict[str, Any]:
    for word, kind in _SENT.items():
        if type(part) is kind:
            return {word: part.json()}  # type: ignore[attr-defined]
    raise DataError(
        f"the statistics '{name}' cannot be sent",
        found=type(part).__name__,
        hint=f"{', '.join(_SENT)} can",
    )


def _parse(name: str, entry: Mapping[str, Any]) -> Part:
    try:
        ((word, data),) = entry.items()
        found: Part = _SENT[word].parse(data)
        return found
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"the statistics '{name}' are damaged", found=str(error) or repr(error)) from None
