"""Cases that stand on their head: above is below, in images and masks alike, while the header and the words stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vesalius.phantom.faults._turn import turn, turned_boxes
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 2
NEEDS = ("pixels",)


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Turn a share of the cases over: a picture along its rows, a volume from head to feet."""
    return turn(site, share, random, kind="upside_down", axis=None)


def texts(site: Site, planted: Sequence[Planted], texts: Mapping[str, str]) -> Mapping[str, str]:
    """Return the texts with boxes where they are now."""
    return turned_boxes(planted, texts)
