"""Explanations as further models, `NAME+METHOD`: 3D Slicer shows labels, so a map is given in bands of its values.

Source: MONAI Label's 3D Slicer module, which imports what a model of type `segmentation` answers as a label map.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import formats
from vesalius.core.errors import UnknownName
from vesalius.core.image import Array
from vesalius.serve.http.catalogue import Catalogue, ServedModel

SIGN = "+"  # in no name of a model
SHARES = (
    0.20,
    0.10,
    0.05,
)  # of the image that speaks most for the answer; the last is within those before it
BANDS = {f"strongest {share:.0%}": k for k, share in enumerate(SHARES, start=1)}


def listed(models: Catalogue) -> dict[str, dict[str, Any]]:
    """Return a model for each model and method that can explain it, in MONAI Label's words."""
    return {
        f"{m.name}{SIGN}{method}": {
            "type": "segmentation",
            "dimension": m.about["dims"],
            "labels": BANDS,
            "description": (
                f"What the answer of {m.name} rests on, by {method}: the parts of the image that speak most for it. "
                "For research, not a medical device"
            ),
            "config": {"ask": ""},
        }
        for m in models.by_name.values()
        for method in m.mapping_explainers
    }


def meant(models: Catalogue, name: str) -> tuple[ServedModel, str | None]:
    """Return the model of a name, and the method of one that explains. Raises UnknownName."""
    plain, sign, method = name.partition(SIGN)
    found = models.get(plain)
    if sign and method not in found.mapping_explainers:
        raise UnknownName("explainer", method[:64], found.mapping_explainers)
    return found, method if sign else None


def in_bands(field: Array) -> Array:
    """Return the band of each voxel of a map, uint8: 0 where it does not speak for the answer, or not among the most.

    A band holds at most its share of the voxels that the map says something of, but for voxels that are alike.
    """
    there = np.isfinite(field)
    found = np.zeros(field.shape, np.uint8)
    if there.any():
        for share, band in zip(SHARES, BANDS.values(), strict=True):
            least = float(np.quantile(field[there], 1 - share, method="higher"))
            found[there & (field >= least) & (field > 0)] = band
    return found


def banded(path: Path) -> Path:
    """Write a map's bands beside it as NIfTI, and return that file. Raises OutputError."""
    out = path.with_name("bands.nii.gz")
    if not out.is_file():
        image = formats.read(path)
        formats.write(replace(image, array=in_bands(image.array), unit=None), out)
    return out
