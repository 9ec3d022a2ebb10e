"""Cases that are mirrored: left is right, in images and masks alike, while the header and the words stay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vesalius.phantom.faults._turn import turn, turned_boxes
from vesalius.phantom.faults.contract import Planted, Site

ORDER = 2
NEEDS = ("pixels",)


def plant(site: Site, share: float, random: np.random.Generator) -> list[Planted]:
    """Mirror a share of the cases along the columns of their images."""
    return turn(site, share, random, kind="mirrored", axis=2)


def texts(site: Site, planted: Sequence[Planted], texts: Mapping[str, str]) -> Mapping[str, str]:
    """Return the texts with boxes where they are now."""
    return turned_boxes(planted, texts)
