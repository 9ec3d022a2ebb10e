"""Colours of labels: their own, or one of a palette; as RGB and as DICOM's scaled CIELab (PS3.3 C.10.7.1.1)."""

from __future__ import annotations

import numpy as np

PALETTE = (
    "#e6550d", "#3182bd", "#31a354", "#c51b8a", "#fdae6b",
    "#9ecae1", "#a1d99b", "#fa9fb5", "#756bb1", "#636363",
    "#17becf", "#bcbd22", "#e377c2", "#8c564b", "#ffd92f", "#1b9e77", "#d62728",
    "#7fc97f", "#386cb0", "#f0027f", "#66c2a5", "#b15928", "#cab2d6", "#ffff99",
)  # fmt: skip
_WHITE = np.array([0.9642, 1.0, 0.8251])  # D50
_TO_XYZ = np.array([[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169],
                    [0.0139322, 0.0971045, 0.7141733]])  # fmt: skip  # sRGB, adapted to D50


def rgb(colour: str | None, place: int) -> tuple[int, int, int]:
    """Return a colour `#rrggbb` as three numbers from 0 to 255; the palette's at that place where there is none."""
    text = (colour or "").removeprefix("#")
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != 3:
        value = bytes.fromhex(PALETTE[place % len(PALETTE)][1:])
    return value[0], value[1], value[2]


def cielab(colour: str | None, place: int) -> list[int]:
    """Return the colour as L*, a* and b*, each scaled to 16 bits."""
    part = np.array(rgb(colour, place)) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    ratio = _TO_XYZ @ linear / _WHITE
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    scaled = [(116 * y - 16) / 100, (500 * (x - y) + 128) / 255, (200 * (y - z) + 128) / 255]
    return [round(65535 * min(max(float(v), 0.0), 1.0)) for v in scaled]
