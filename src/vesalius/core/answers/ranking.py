"""Ranking: other cases, the nearest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from vesalius.core.answers import Answer
from vesalius.core.image import Array
from vesalius.core.shown import cut, some


@dataclass(frozen=True, eq=False, kw_only=True)
class Ranking(Answer):
    """Other cases by distance, nearest first.

    `among` is how many cases were compared, where the list may be cut, and `places` where each of the listed stands
    among all of these, from 0, by which a model's likeness to it is asked for. `same` `(N,)` is how likely each shares
    a label with what was asked. None where nobody says.
    """

    case_ids: tuple[str, ...]
    distances: Array  # (N,)
    among: int | None = field(default=None, metadata={"stored": "where given"})
    places: tuple[int, ...] | None = field(default=None, metadata={"stored": "where given"})
    same: Array | None = field(default=None, metadata={"stored": "where given"})

    def _says(self) -> Iterable[str]:
        pairs = zip(self.case_ids, self.distances.tolist(), strict=True)
        yield "nearest: " + some((f"{cut(case)} {far:.3g}" for case, far in pairs), len(self.case_ids))


@dataclass(frozen=True)
class Kin(Mapping[str, float]):
    """The truth about a ranking: how much each case that should be found is worth, above 0.

    `labels` are those of the query itself.
    """

    worth: Mapping[str, float]
    labels: tuple[str, ...] = ()

    def __getitem__(self, case: str) -> float:
        return self.worth[case]

    def __iter__(self) -> Iterator[str]:
        return iter(self.worth)

    def __len__(self) -> int:
        return len(self.worth)
