"""The palette: the colours in which labels, curves and truths are shown, everywhere the same.

Overlays, reports, the viewer and the DICOM objects take a label's colour from here alone. A bundle is given the colours
of its labels when it is made (`chosen`), so that they stay what they are; where none were stored, as in bundles of
before, `colour_of` gives those that such bundles always had.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vesalius.core.cohort import Label
from vesalius.core.image import Array

SERIES = (
    "#e69f00", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#0072b2", "#f0e442", "#8b5a3c",
)  # fmt: skip
"""Eight colours that stay apart for every kind of colour vision, from each other and from TRUTH."""

TRUTH = "#ffffff"
"""The colour of the truth, dashed on a dark rim; no label and no curve has it."""

APART = 9.0  # of ΔE (CIE 1976) under each kind of colour vision, from which two labels of one picture are told apart
CLEAR = 15.0  # likewise, from which they are told apart at a glance: a recommended colour is kept from here on only

# What 3D Slicer and dcmqi recommend for the codes of DICOM's segmentation types (SNOMED CT); the standard itself names
# codes and no colours.
ANATOMY = {
    "10200004": "#dd8265",  # liver
    "11000004": "#6f9fc8",  # caudate nucleus
    "12738006": "#fafae1",  # brain
    "15776009": "#f9b46f",  # pancreas
    "15825003": "#e0614c",  # aorta
    "2748008": "#f4d631",  # spinal cord
    "23451007": "#f9ba96",  # adrenal gland
    "28231008": "#8b9662",  # gallbladder
    "30315005": "#cda78e",  # small intestine
    "32849002": "#d3ab8f",  # oesophagus
    "39607008": "#c5a591",  # lung
    "44567001": "#b6e4ff",  # trachea
    "59441001": "#44ac64",  # lymph node
    "64033007": "#b96653",  # kidney
    "64131007": "#0097ce",  # inferior vena cava
    "48345005": "#0097ce",  # superior vena cava
    "32764006": "#0097ce",  # portal vein
    "69695003": "#d88469",  # stomach
    "71854001": "#cca88f",  # colon
    "78961009": "#9d6ca2",  # spleen
    "80891009": "#ce6e54",  # heart
    "89837001": "#de9a84",  # bladder
    "955009": "#afd8f4",  # bronchus
    "421060004": "#e2ca86",  # spine
    "51282000": "#e2ca86",  # vertebra
    "113197003": "#fde89e",  # rib
    "4147007": "#90ee90",  # mass
    "108369006": "#90ee90",  # neoplasm
    "52988006": "#90ee90",  # lesion
    "27925004": "#90ee90",  # nodule
    "128462008": "#90ee90",  # metastasis
    "367643001": "#cdcd64",  # cyst
    "79654002": "#8ce0e4",  # oedema
    "50960005": "#bc411c",  # haemorrhage
    "6574001": "#d8bfd8",  # necrosis
    "396339007": "#913c42",  # thrombus
    "51114001": "#d8654f",  # artery
    "59820001": "#d8654f",  # vessel
    "29092000": "#0097ce",  # vein
    "272673000": "#f1d691",  # bone
    "309312004": "#6fb8d2",  # cartilage
    "55603005": "#e6dc46",  # fat
    "389081007": "#c8c8eb",  # grey matter
    "389080008": "#fafad2",  # white matter
    "71616004": "#c06858",  # muscle
    "39937001": "#b17a65",  # skin
    "87612001": "#d8654f",  # blood
    "65216001": "#55bcff",  # cerebrospinal fluid
    "78014005": "#d6e682",  # urine
    "15158005": "#daffff",  # air
}  # fmt: skip

BEFORE = (
    "#e6550d", "#3182bd", "#31a354", "#c51b8a", "#fdae6b",
    "#9ecae1", "#a1d99b", "#fa9fb5", "#756bb1", "#636363",
    "#17becf", "#bcbd22", "#e377c2", "#8c564b", "#ffd92f", "#1b9e77", "#d62728",
    "#7fc97f", "#386cb0", "#f0027f", "#66c2a5", "#b15928", "#cab2d6", "#ffff99",
)  # fmt: skip
"""The colours by place of labels that have none, as DICOM objects and pictures had them before there was a choice."""

# Machado, Oliveira and Fernandes 2009, severity 1: linear sRGB as it is seen without one kind of cone.
_VISION = np.array([
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
])  # fmt: skip
_TO_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750],
                    [0.0193339, 0.1191920, 0.9503041]])  # fmt: skip  # linear sRGB, D65
_WHITE = np.array([0.95047, 1.0, 1.08883])


def of_place(place: int) -> str:
    """Return the colour of a curve or a class by its place, from 0; they come again after the last."""
    return SERIES[place % len(SERIES)]


def rgb(colour: str) -> tuple[int, int, int]:
    """Return a colour `#rrggbb` as three numbers from 0 to 255. Raises ValueError for other text."""
    value = bytes.fromhex(colour.removeprefix("#"))
    if len(value) != 3:
        raise ValueError(f"not a colour: {colour!r}")
    return value[0], value[1], value[2]


def colour_of(label: Label, place: int) -> str:
    """Return the colour in which a label is shown: the data's own, else the bundle's, else that of its place before."""
    for colour in (label.colour, label.shown):
        if colour is not None and is_colour(colour):
            return colour
    return BEFORE[place % len(BEFORE)]


def by_name(labels: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return each label's colour by its name, of labels as a bundle's state keeps them."""
    rows = [Label(x["value"], x["name"], None, x.get("colour"), x.get("shown")) for x in labels]
    return {label.name: colour_of(label, place) for place, label in enumerate(rows)}


def is_colour(text: str) -> bool:
    """Return whether a text is a colour `#rrggbb`."""
    try:
        rgb(text)
    except ValueError:
        return False
    return True


def chosen(labels: Sequence[Label], codes: Sequence[str | None]) -> tuple[Label, ...]:
    """Return the labels with the colour that each is shown in, no two of one picture alike.

    `codes` are the labels' SNOMED CT codes, None where there is none. A label keeps the colour that its data have.
    One with a code gets its recommended colour, unless a label before it has one that is hard to tell from it; the
    others get those of `SERIES`, then of `BEFORE`, that lie apart from all that are taken; where there is none
    left, the one farthest from them.
    """
    taken = [TRUTH, *(x.colour for x in labels if x.colour is not None and is_colour(x.colour))]
    found: dict[int, str] = {}
    for place, (label, code) in enumerate(zip(labels, codes, strict=True)):
        wanted = ANATOMY.get(code or "")
        if label.colour is None and wanted is not None and nearest(wanted, taken) >= CLEAR:
            found[place] = wanted
            taken.append(wanted)
    for place, label in enumerate(labels):
        if label.colour is None and place not in found:
            apart = {c: nearest(c, taken) for c in (*SERIES, *BEFORE)}
            free = (c for least in (CLEAR, APART) for c, far in apart.items() if far >= least)
            found[place] = next(free, None) or max((*SERIES, *BEFORE), key=lambda c: apart[c])
            taken.append(found[place])
    return tuple(replace(x, shown=found[k]) if k in found else x for k, x in enumerate(labels))


def nearest(colour: str, others: Iterable[str]) -> float:
    """Return the least ΔE (CIE 1976) of a colour from any other, under full and each kind of dichromatic vision."""
    seen = [_seen(other) for other in others]
    return float(np.linalg.norm(np.array(seen) - _seen(colour), axis=2).min()) if seen else float("inf")


@functools.cache
def _seen(colour: str) -> Array:
    """Return CIELab of a colour under each kind of vision, `(4, 3)`."""
    part = np.array(rgb(colour)) / 255
    linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
    ratio = np.clip(_VISION @ linear, 0, 1) @ _TO_XYZ.T / _WHITE
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116).T
    found: Array = np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
    return found
