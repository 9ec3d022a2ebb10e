"""A core-set of many rows: a bounded sample of a stream, and of that sample the rows that cover it best."""

from __future__ import annotations

import torch
from torch import Tensor

NARROW = 32  # dimensions that distances between rows are compared in while rows are chosen


class Reservoir:
    """An even sample of at most `most` rows of a stream, however long that is: each row has the same chance.

    Each row draws a key, and those with the smallest keys stay (Vitter 1985; keys as in Efraimidis and Spirakis 2006).
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.seen, self._worst = 0, float("inf")
        self._keys: list[Tensor] = []
        self._rows: list[Tensor] = []

    def add(self, rows: Tensor, generator: torch.Generator) -> None:
        """Take in rows `(N, F)`."""
        keys = torch.rand(len(rows), generator=generator, dtype=torch.float64)
        self.seen += len(rows)
        stay = keys < self._worst
        self._keys.append(keys[stay])
        self._rows.append(rows.cpu()[stay])
        if sum(map(len, self._keys)) > self.most + max(self.most // 4, len(rows)):
            self._thin()

    def _thin(self) -> None:
        """Let go of all rows but those with the smallest keys."""
        keys, rows = torch.cat(self._keys), torch.cat(self._rows)
        if len(keys) > self.most:
            chosen = keys.topk(self.most, largest=False, sorted=False).indices.sort().values
            keys, rows = keys[chosen], rows[chosen]
            self._worst = float(keys.max())
        self._keys, self._rows = [keys], [rows]

    @property
    def rows(self) -> Tensor:
        """The sample, `(n, F)`."""
        self._thin()
        found: Tensor = self._rows[0]
        return found


def narrowed(rows: Tensor, generator: torch.Generator) -> Tensor:
    """Return rows `(N, F)` in at most NARROW dimensions, which about keep distances (Johnson, Lindenstrauss 1984)."""
    if rows.shape[1] <= NARROW:
        return rows
    matrix = torch.randn(rows.shape[1], NARROW, generator=generator) / NARROW**0.5
    thin: Tensor = rows @ matrix
    return thin


def covering(rows: Tensor, many: int, generator: torch.Generator) -> Tensor:
    """Return the places of `many` rows of `(N, F)` that cover all: each next one is the farthest from those chosen.

    The greedy choice is at most twice as far from the worst covered row as the best choice (Gonzalez 1985; Sener and
    Savarese 2018, arXiv 1708.00489). Distances are taken in few dimensions. Of fewer rows all are returned.
    """
    if len(rows) <= many:
        return torch.arange(len(rows))
    thin = narrowed(rows, generator)
    squares = thin.pow(2).sum(dim=1)
    place = int(torch.randint(len(thin), (1,), generator=generator))
    chosen = [place]
    nearest = torch.full((len(thin),), torch.inf)
    for _ in range(many - 1):
        apart = squares - 2 * (thin @ thin[place])
        nearest = torch.minimum(nearest, apart + squares[place])
        nearest[place] = -1.0
        place = int(nearest.argmax())
        chosen.append(place)
    return torch.tensor(chosen)
