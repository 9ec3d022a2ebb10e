"""PatchCore: how far each place's features are from the nearest of a core-set of those of normal images.

Roth, Pemula, Zepeda, Schölkopf, Brox, Gehler, "Towards total recall in industrial anomaly detection", CVPR 2022, arXiv
2106.08265. The core-set is chosen from a bounded sample of all places, so that memory does not grow with the cases; an
image's score is the distance of its farthest place after neighbouring places were averaged, without the paper's weight
by the density around the neighbour.
The core-set holds features of single places of training images: no pixels, and no word of whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from vesalius.anomalies._coreset import Reservoir, covering
from vesalius.anomalies._features import Features, rows_of
from vesalius.anomalies.contract import Normality, Size, smoothed

NAMES = {"patchcore": "PatchCore: the distance to the nearest of a core-set of features of normal places"}
OPTIONS = {"share": 0.01, "most": 10000}
SOURCE = "Roth et al., CVPR 2022, arXiv 2106.08265"
LEAST = 256  # rows, where a share of few places would be fewer
OVER = 5  # times as many rows are sampled as chosen
SAMPLED = 50_000  # rows that are sampled at most
SAMPLE_BYTES = 256 * 2**20  # that these take at most
CHUNK = 2**24  # distances that are computed at once


class Core(Normality):
    """A bank of features `(R, F)`, of which the first `held` are known."""

    bank: Tensor
    held: Tensor

    def __init__(self, net: Any, *, size: Size, channels: int, cases: int, share: float, most: int) -> None:
        super().__init__()
        self.features = Features(net, size, channels)
        z, y, x = self.features.grid
        self.room = rows_for(cases * z * y * x, share=share, most=most)
        self.register_buffer("bank", torch.zeros(self.room, self.features.channels))
        self.register_buffer("held", torch.zeros((), dtype=torch.int64))
        sampled = min(max(OVER * self.room, 2000), SAMPLED, SAMPLE_BYTES // (4 * self.features.channels))
        self._sampled, self._seen = max(sampled, self.room), Reservoir(max(sampled, self.room))

    def places(self, x: Tensor) -> Tensor:
        """Return how far each place is from the nearest of the bank, `(B, z, y, x)`, averaged with its neighbours."""
        rows = rows_of(self.features(x))
        known = self.bank[: int(self.held)] if int(self.held) else self.bank[:1]
        squares = known.pow(2).sum(dim=1)
        step = max(1, CHUNK // len(known))
        found = [
            (part.pow(2).sum(dim=1, keepdim=True) + squares - 2 * part @ known.T).amin(dim=1)
            for part in torch.split(rows, step)
        ]
        return smoothed(torch.cat(found).clamp_min(1e-12).sqrt().view(len(x), *self.features.grid))

    def score(self, field: Tensor) -> Tensor:
        """Return the distance of the farthest place, `(B,)`."""
        return field.flatten(1).amax(dim=1)

    def see(self, x: Tensor, generator: torch.Generator) -> None:
        """Sample places of a batch."""
        self._seen.add(rows_of(self.features(x)), generator)

    def settle(self, generator: torch.Generator) -> None:
        """Choose the core-set of what was sampled."""
        rows = self._seen.rows
        many = min(self.room, len(rows))
        chosen = rows[covering(rows, many, generator)]
        self.bank[: len(chosen)] = chosen.to(self.bank)
        self.held.fill_(len(chosen))
        self._seen = Reservoir(self._sampled)


def rows_for(places: int, *, share: float, most: int) -> int:
    """Return how many rows a core-set has: a share of all places, LEAST and at most `most`."""
    return int(min(max(round(share * places), LEAST), most, max(places, 1)))


def build(net: Any, *, size: Size, channels: int, cases: int, options: Mapping[str, Any]) -> Core:
    """Return an empty PatchCore over an encoder."""
    chosen = {**OPTIONS, **options}
    return Core(
        net, size=size, channels=channels, cases=cases, share=float(chosen["share"]), most=int(chosen["most"])
    )
