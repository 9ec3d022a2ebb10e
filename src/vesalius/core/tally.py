"""Tally: how often each word or value occurs, as a summary that can be merged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

Plain = str | float | tuple[Any, ...] | None  # what a tally counts: what JSON can hold, and tuples of it


@dataclass(frozen=True, slots=True)
class Tally:
    """How often each value occurs in `n` things, of which each may have one value, several or none.

    Values stand in the order of their appearance; merged, those of the first tally come first. Two tallies are equal
    where all counts are, whatever their order.
    """

    n: int = 0
    counts: Mapping[Plain, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Iterable[Plain]) -> Tally:
        """Return the tally of things that have one value each."""
        counts = Counter(values)
        return cls(counts.total(), dict(counts))

    @classmethod
    def of_each(cls, rows: Iterable[Iterable[Plain]]) -> Tally:
        """Return the tally of things that have some values each; one that a thing repeats counts once."""
        held = [dict.fromkeys(row) for row in rows]
        return cls(len(held), dict(Counter(chain.from_iterable(held))))

    @classmethod
    def summed(cls, rows: Iterable[Mapping[Any, int]]) -> Tally:
        """Return the tally of things that each hold so many of some values, such as a mask's voxels of each label."""
        n, counts = 0, Counter[Plain]()
        for row in rows:
            n += 1
            counts.update(row)
        return cls(n, dict(counts))

    def __getitem__(self, value: Plain) -> int:
        """Return how often a value occurs; 0 where it does not."""
        return self.counts.get(value, 0)

    def __iter__(self) -> Iterator[Plain]:
        """Return the values, in the order of their appearance."""
        return iter(self.counts)

    def __len__(self) -> int:
        """Return how many different values there are."""
        return len(self.counts)

    def merged(self, other: Tally) -> Tally:
        """Return the tally of both sets of things."""
        both = Counter(self.counts)
        both.update(other.counts)
        return Tally(self.n + other.n, dict(both))

    def json(self) -> dict[str, Any]:
        """Return the tally as plain data."""
        return {"n": self.n, "counts": [[value, n] for value, n in self.counts.items()]}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Tally:
        """Return a tally from its plain data."""
        return cls(int(data["n"]), {_plain(value): int(n) for value, n in data["counts"]})


def _plain(value: Any) -> Plain:
    """Return a value with the lists in it as tuples, as JSON knows none."""
    return tuple(map(_plain, value)) if isinstance(value, list) else value
