"""Majority vote, of which a tie is said and never broken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vesalius.consensus.latent import shares
from vesalius.core.image import Array

TIED = -1  # no label has more than every other
NEAR = 1e-6  # probabilities that differ by less are tied


@dataclass(frozen=True, eq=False)
class Joined:
    """What experts say together of each pattern: probabilities `p` `(P, K)`, and the label `(P,)`, TIED where tied."""

    p: Array
    label: Array


def decided(p: Array) -> Joined:
    """Return the likeliest label of each row of probabilities `(P, K)`; TIED where two are as likely, up to NEAR."""
    order = np.sort(p, axis=1)
    tied = order[:, -1] - order[:, -2] < NEAR
    return Joined(p, np.where(tied, TIED, p.argmax(1)))


def majority(calls: Array, *, labels: int) -> Joined:
    """Return the share of the votes `(P, E)` for each label, and the label with the most; UNSEEN is no vote."""
    return decided(shares(calls, labels))
