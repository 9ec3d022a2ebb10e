"""CLAHE: contrast evened out region by region, within a limit (Zuiderveld 1994), by scikit-image."""

from __future__ import annotations

import numpy as np

from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.prepare.harmonise.contract import TINY, Applied, Known, Method

TAKES = "image"
RANK = 60
SCALE = True
LOCAL = True
OPTIONS = {"limit": 0.01, "regions": 8}
LIMITS = {"limit": {"gt": 0, "le": 1}, "regions": {"ge": 1, "le": 64}}
ENDS = (0.1, 99.9)  # per cent: single voxels far out do not decide what the others become


class Clahe(Method):
    """Adaptive histogram equalisation of a plane or a volume; grey values of different places lose their order."""

    def apply(self, channel: Array, known: Known) -> Applied:
        """Return grey values from 0 to 1. Raises DataError for an image without contrast."""
        from skimage.exposure import equalize_adapthist

        options = {**OPTIONS, **known.options}
        low, high = (float(p) for p in np.percentile(channel, ENDS))
        if high - low < TINY:
            raise DataError(
                "an image has no contrast to be evened out", found=f"all of it is about {low:.4g}"
            )
        scaled = np.clip((channel - low) / (high - low), 0, 1)
        flat = scaled.shape[0] == 1
        whole = scaled[0] if flat else scaled
        size = [max(1, n // options["regions"]) for n in whole.shape]
        made = equalize_adapthist(whole, kernel_size=size, clip_limit=options["limit"]).astype(np.float32)
        return Applied(made[None] if flat else made)


METHOD = Clahe()
