"""Draw the pictures of docs/phantoms.md: phantoms with their truth. `python tools/phantom_pictures.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from vesalius.core.case import Box
from vesalius.core.image import Array, Triple
from vesalius.core.palette import BEFORE
from vesalius.phantom import chest, ct, patient, smear
from vesalius.phantom.abdomen.window import windowed
from vesalius.phantom.reports.patient import DictatedPatient
from vesalius.phantom.reports.published import CHEST
from vesalius.phantom.thorax.course import OFTEN

OUT = Path(__file__).resolve().parent.parent / "docs" / "pictures"
SIDE, GAP = 384, 6
MANY = (13, 19, 5)  # of the CTs: two with metastases, one with cysts
REPORTED = (2, 6, 11, 15)  # of the films with reports
MIDDLE = slice(14, 114)  # of a CT's slice of 128 pixels a side


def main() -> None:
    """Write the four pictures."""
    sheet("phantom-smear.jpg", [outlined(smear.patient(k)) for k in (0, 14, 10)])
    sheet("phantom-chest.jpg", [boxed(chest.patient(k)) for k in (12, 16, 35, 36)])
    dictated = [patient(k, kind="chest", seed=18, options=CHEST["options"]) for k in REPORTED]
    sheet("phantom-reports.jpg", [told(one) for one in dictated if isinstance(one, DictatedPatient)])
    lesions = [ct.patient(k, 1, size="medium", lesions="many") for k in MANY]
    sheet("phantom-lesions.jpg", [sliced(one) for one in lesions])


def sheet(name: str, pictures: Sequence[Image.Image]) -> None:
    """Write pictures side by side."""
    whole = Image.new("RGB", (len(pictures) * (SIDE + GAP) - GAP, SIDE), "white")
    for k, picture in enumerate(pictures):
        whole.paste(picture, (k * (SIDE + GAP), 0))
    whole.save(OUT / name, quality=88, optimize=True)


def outlined(one: smear.SmearPatient) -> Image.Image:
    """A field with the outline of what is seen of each cell."""
    scale = SIDE // len(one.ids)
    picture = np.asarray(Image.fromarray(one.picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)).copy()
    ids = one.ids.repeat(scale, axis=0).repeat(scale, axis=1)
    edge = np.zeros(ids.shape, bool)
    edge[1:] |= ids[1:] != ids[:-1]
    edge[:, 1:] |= ids[:, 1:] != ids[:, :-1]
    picture[edge] = (20, 130, 60)
    return Image.fromarray(picture)


def boxed(one: chest.ChestPatient) -> Image.Image:
    """A film with the box of each finding and its name."""
    picture = large(one.picture)
    for finding, box in zip(one.findings, one.boxes, strict=True):
        draw(picture, box, SIDE / len(one.picture), chest.FINDINGS.index(finding.label), finding.label)
    return picture


def told(one: DictatedPatient) -> Image.Image:
    """A film with the box of each thing that its findings say."""
    grey = np.asarray(one.last.image.array)[0, 0]
    picture = large(grey)
    for _, box in one.last.places:
        draw(picture, box, SIDE / len(grey), list(OFTEN).index(box.label), box.label)
    return picture


def sliced(one: ct.AbdomenPatient) -> Image.Image:
    """The slice of a CT that cuts most lesions, with their boxes."""
    cuts = np.zeros(len(one.image))
    for box in one.boxes:
        cuts[int(box.low[0]) : int(box.high[0])] += 1
    z = int(np.argmax(cuts + 0.01 * np.array([(one.lesions[k] > 0).mean() for k in range(len(cuts))])))
    picture = large(windowed(one.image[z])[MIDDLE, MIDDLE])
    shift = (0.0, float(MIDDLE.start), float(MIDDLE.start))
    for box in one.boxes:
        if box.low[0] <= z < box.high[0]:
            here = replace(box, low=minus(box.low, shift), high=minus(box.high, shift))
            draw(
                picture,
                here,
                SIDE / (MIDDLE.stop - MIDDLE.start),
                ("cyst", "malignant").index(box.label),
                box.label,
            )
    return picture


def minus(corner: Triple, by: Triple) -> Triple:
    """A corner moved back."""
    return corner[0] - by[0], corner[1] - by[1], corner[2] - by[2]


def large(grey: Array) -> Image.Image:
    """A grey picture in the size of the sheet."""
    return Image.fromarray(grey).resize((SIDE, SIDE), Image.Resampling.LANCZOS).convert("RGB")


def draw(picture: Image.Image, box: Box, scale: float, number: int, word: str) -> None:
    """Draw a box and its name above it."""
    pen, colour = ImageDraw.Draw(picture), BEFORE[number % len(BEFORE)]
    top, left, bottom, right = (scale * v for v in (*box.low[1:], *box.high[1:]))
    pen.rectangle((left, top, right - 1, bottom - 1), outline=colour, width=2)
    pen.text((left + 1, max(top - 12, 0)), word, fill=colour)


if __name__ == "__main__":
    main()
