"""Batches of P labels with K cases each, so that every case has others of its own label to be held against."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


class ByLabel:
    """Draws the places of a batch: `batch // each` labels at random, of each `each` cases, of different patients first.

    `labels` says by place which labels a case has, none where it has no target; a case of several stands under each.
    Where there are fewer labels than that, each gives more cases. A place is drawn twice only where all of its label
    are drawn. Hermans et al. 2017, arXiv:1703.07737, section 2. It is a pure function of the step and the generator.
    """

    def __init__(
        self,
        labels: Sequence[Sequence[Hashable]],
        patients: Sequence[str | None],
        *,
        batch: int,
        each: int,
    ) -> None:
        self.batch, self.each = batch, max(1, min(each, batch))
        held: dict[Hashable, list[int]] = {}
        for place, several in enumerate(labels):
            for label in several:
                held.setdefault(label, []).append(place)
        self.held = list(held.values())
        self.patients = [p if p is not None else f"case {k}" for k, p in enumerate(patients)]

    def __call__(self, step: int, generator: torch.Generator) -> list[int]:
        import torch

        def order(n: int) -> list[int]:
            found: list[int] = torch.randperm(n, generator=generator).tolist()
            return found

        chosen: list[int] = []
        shares = self._shares()
        for label, share in zip(order(len(self.held)), shares, strict=False):
            places = [self.held[label][k] for k in order(len(self.held[label]))]
            places = self._apart([p for p in places if p not in chosen] or places)
            chosen += [places[k % len(places)] for k in range(share)]
        return chosen

    def _shares(self) -> list[int]:
        """Return how many cases each of the drawn labels gives, which are `batch` in all."""
        many = max(1, min(len(self.held), self.batch // self.each))
        return [self.batch // many + (k < self.batch % many) for k in range(many)]

    def _apart(self, places: Sequence[int]) -> list[int]:
        """Return places with one of each patient first, then the others."""
        seen: set[str] = set()
        first: list[int] = []
        later: list[int] = []
        for place in places:
            whose = self.patients[place]
            (later if whose in seen else first).append(place)
            seen.add(whose)
        return [*first, *later]
