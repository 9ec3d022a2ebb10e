"""N4: a smooth bias field of an MR is found and divided out (Tustison et al. 2010), by SimpleITK."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from vesalius.core.errors import DataError, MissingExtra
from vesalius.core.image import Array
from vesalius.prepare.harmonise.contract import TINY, Applied, Back, Known, Method

TAKES = "image"
SCALE = False
LOCAL = True
UNDO = True
EXTRA = "itk"
OPTIONS = {"rounds": 20, "levels": 3, "longest": 32}
LIMITS = {"rounds": {"ge": 1}, "levels": {"ge": 1, "le": 6}, "longest": {"ge": 8}}
SMALLEST = 6  # voxels a side, below which no field is fitted along that axis


class N4(Method):
    """Divides by a field of B-splines, found on a grid whose longest side has about `longest` voxels."""

    def apply(self, channel: Array, known: Known) -> Applied:
        """Return the image without its bias field, as bright on average. Raises DataError, MissingExtra."""
        sitk = _library()
        options = {**OPTIONS, **known.options}
        low = min(0.0, float(channel.min()))
        lifted = (channel - low).astype(np.float32)
        top = float(lifted.max())
        if top < TINY or float(lifted.std()) < TINY * top:
            raise DataError(
                "an image has no contrast to find a bias field in", found=f"all of it is {low + top:.4g}"
            )
        flat = lifted.shape[0] == 1
        whole = sitk.GetImageFromArray((lifted[0] if flat else lifted) / top)
        shrunk = [max(1, min(-(-n // options["longest"]), n // SMALLEST or 1)) for n in whole.GetSize()]
        small = sitk.Shrink(whole, shrunk)
        inside = sitk.Cast(small > float(lifted.mean()) / top / 2, sitk.sitkUInt8)
        n4 = sitk.N4BiasFieldCorrectionImageFilter()
        n4.SetNumberOfThreads(1)  # sums in one order, so that the same image gives the same bits
        n4.SetMaximumNumberOfIterations([options["rounds"]] * options["levels"])
        n4.Execute(small, inside)
        log_field = sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(whole)).astype(np.float32)
        log_field = log_field[None] if flat else log_field
        body = lifted > lifted.mean(dtype=np.float64) / 2
        field = np.exp(log_field - log_field[body].mean(dtype=np.float64)).astype(np.float32)
        return Applied((lifted / field + np.float32(low)).astype(np.float32), {"field": field, "low": low})

    def undo(self, channel: Array, back: Back) -> Array:
        """Return the image with its bias field again."""
        low = np.float32(back["low"])
        was: Array = ((channel - low) * back["field"] + low).astype(np.float32)
        return was


def _library() -> Any:
    try:
        return importlib.import_module("SimpleITK")
    except ModuleNotFoundError as error:
        raise MissingExtra("SimpleITK", EXTRA) from error


METHOD = N4()
