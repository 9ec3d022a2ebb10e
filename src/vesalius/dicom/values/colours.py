"""Colours of labels in DICOM: which code recommends which, and a colour as scaled CIELab (PS3.3 C.10.7.1.1)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core import palette
from vesalius.core.cohort import Label
from vesalius.dicom.values.terms import terms_of

_WHITE = np.array([0.9642, 1.0, 0.8251])  # D50
_TO_XYZ = np.array([[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169],
                    [0.0139322, 0.0971045, 0.7141733]])  # fmt: skip  # sRGB, adapted to D50


def chosen(labels: Sequence[Label]) -> tuple[Label, ...]:
    """Return the labels with the colours that they are shown in, as their DICOM codes recommend where they have any."""
    types = [terms_of(label).type for label in labels]
    return palette.chosen(labels, [value if scheme == "SCT" else None for value, scheme, _ in types])


def cielab(colour: str) -> list[int]:
    """Return a colour `#rrggbb` as L*, a* and b*, each scaled to 16 bits."""
    part = np.array(palette.rgb(colour)) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    ratio = _TO_XYZ @ linear / _WHITE
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    scaled = [(116 * y - 16) / 100, (500 * (x - y) + 128) / 255, (200 * (y - z) + 128) / 255]
    return [round(65535 * min(max(float(v), 0.0), 1.0)) for v in scaled]
