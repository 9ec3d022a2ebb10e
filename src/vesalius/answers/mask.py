"""Mask: which label each voxel of an image has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from scipy import ndimage

from vesalius import formats
from vesalius.answers._asking import label_place, number_place
from vesalius.answers.contract import Handling
from vesalius.answers.drawing import figures as draw
from vesalius.answers.drawing import planes
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.slices import Slice, plane_of
from vesalius.answers.foreign.masks import LazyMasks, mask_answers
from vesalius.core import grids
from vesalius.core.answers.mask import Mask
from vesalius.core.ask import Ask
from vesalius.core.case import IGNORED, Case
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.core.scorecard import Scorecard
from vesalius.core.words import listed
from vesalius.dicom.values.colours import PALETTE
from vesalius.metrics import Rows
from vesalius.prepare.case import load_mask
from vesalius.prepare.geometry import upright

TARGETS = ("mask",)
LARGEST_IN_PNG = 65535  # the largest label value that a PNG holds; masks with others become volumes
SIZES = {"ml": "volume_ml", "mm2": "area_mm2", "pixels": "pixels"}


@dataclass(frozen=True, eq=False)
class Drawn:
    """The true labels of a case, and the region within which they count."""

    image: Image
    region: Image | None


class MaskHandling(Handling[Mask]):
    """What is done with a mask. Masks are measured at once, and only their figures are kept."""

    kind = Mask
    objects = (".seg.dcm", ".sr.dcm")
    headlines = ("dice", "hd95_mm", "hd95_px", "surface_dice_mm", "surface_dice_px", "volume_error")
    metric_names: ClassVar[Mapping[str, str]] = {
        "dice": "Dice", "jaccard": "Jaccard", "hd95_mm": "HD95", "hd95_px": "HD95", "surface_dice_mm": "surface Dice",
        "surface_dice_px": "surface Dice", "volume_error": "relative volume error",
        "volume_error_ml": "volume error", "volume_error_px": "volume error", "area_error_mm2": "area error",
    }  # fmt: skip
    left_out: ClassVar[Mapping[str, str]] = {
        "both_empty": "absent from truth and answer, not counted",
        "hd95_missing": "absent from truth or answer, so without a surface distance",
    }
    baseline = "the training-mean mask"
    monailabel = "segmentation"
    draws = True
    asks = ("label", "region")

    def columns(self, answer: Mask) -> dict[str, Any]:
        """Return each label's size under its name and unit."""
        return {f"{label.name}_{unit}": size for label, size, unit in label_sizes(answer)}

    def summary(self, answer: Mask) -> dict[str, Any]:
        """Return the labels with their colours and sizes."""
        labels = [
            {
                "value": label.value,
                "name": label.name,
                "colour": label.colour or PALETTE[k % len(PALETTE)],
                SIZES[unit]: size,
            }
            for k, (label, size, unit) in enumerate(label_sizes(answer))
        ]
        return {"overlapping": answer.overlapping, "labels": labels}

    def suffix(self, answer: Mask) -> str:
        """Return `.png` for the mask of a picture, where a PNG holds all its values."""
        flat = answer.image.is_2d and answer.image.affine is None
        return ".png" if flat and all(0 <= x.value <= LARGEST_IN_PNG for x in answer.labels) else ".nii.gz"

    def shown_by(self, answer: Mask, image: Image) -> Image:
        """Return the labels: the fullest slice is shown."""
        return upright(answer.image, image)

    def draw(self, axes: Any, answer: Mask, image: Image, shown: Slice) -> None:
        """Draw each label's outline, and a legend."""
        cut = plane_of(upright(answer.image, image), shown.z)
        for n, label in enumerate(answer.labels):
            where = cut == label.value
            if where.any():
                colour = label.colour or PALETTE[n % len(PALETTE)]
                planes.outline(axes, where, colour)
                axes.plot([], [], color=colour, label=label.name)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower right", fontsize=7, framealpha=0.6)

    def ask(self, answer: Mask, of: str, which: str | None) -> Ask:
        """Return a label and where it is, by default the largest; or the k-th of all connected regions by size.

        Raises DataError where the answer holds nothing of what is asked.
        """
        if of == "region":
            regions = _regions(answer)
            place, where = regions[number_place(which, len(regions), what=of)]
            return Ask(of, place, where, words=f"region {which or 1}, {answer.labels[place].name}")
        sizes = [int(_bits(answer, k).sum()) for k in range(len(answer.labels))]
        place = label_place(answer.labels, which, default=int(np.argmax(sizes)) if sizes else 0)
        if not sizes or not sizes[place]:
            wanted = f"'{answer.labels[place].name}'" if which and sizes else "any label"
            there = [x.name for x, n in zip(answer.labels, sizes, strict=True) if n]
            raise DataError(
                f"the answer has no voxel of {wanted} to ask about",
                found=listed(there, 6) or "an empty mask",
                hint=f"ask about {there[0]}" if there else "another case",
            )
        return Ask(of, place, _bits(answer, place), words=answer.labels[place].name)

    def found(self, answer: Mask) -> Array:
        """Return where any label is."""
        bits: Array = (answer.image.array != 0).any(axis=0)
        return bits

    def placed(self, answer: Mask, low: Sequence[int], reference: Image) -> Mask:
        """Return the mask on the whole grid, without labels outside of its part."""
        part = answer.image.array
        array = np.zeros((part.shape[0], *reference.shape), dtype=part.dtype)
        where = tuple(slice(a, a + n) for a, n in zip(low, part.shape[1:], strict=True))
        array[(slice(None), *where)] = part
        return replace(answer, image=replace(answer.image, array=array, affine=reference.affine))

    def misplaced(self, answer: Mask, reference: Image) -> str | None:
        """Return how the mask's grid differs from its image's."""
        return grids.mask_fault(reference, answer.image)

    def truth(self, target: Any, case: Case) -> Drawn:
        """Return the true labels and the case's region, read."""
        return Drawn(load_mask(target), load_mask(case.region) if case.region is not None else None)

    def measure(self, answer: Mask, truth: Drawn, case: Case) -> dict[str, float]:
        """Return the figures of one case, within its region where it has one."""
        words = grids.difference(answer.image, truth.image)
        if words is not None:
            raise DataError(f"case {case.id}: the answer lies on another grid than the truth", found=words)
        return cast("dict[str, float]", self.judge.row(answer, truth.image, region=truth.region))

    def rows(self, measured: Sequence[Any], case_ids: Sequence[str]) -> Rows:
        """Return the table of the figures."""
        return cast(Rows, self.judge.table(measured, case_ids))

    def rate(self, answer: Mask, truth: Drawn, measured: dict[str, float]) -> tuple[float, str]:
        """Return the mean Dice over the labels that are there."""
        dice = [v for k, v in measured.items() if k.startswith("dice/") and np.isfinite(v)]
        score = float(np.mean(dice)) if dice else float("nan")
        return score, f"Dice {score:.3f}"

    def outlines(self, answer: Mask, truth: Drawn, reference: Image) -> tuple[Image, Image]:
        """Return both masks; what nobody knows has no outline."""
        real = formats.recoded(truth.image, ((IGNORED, 0),))
        return upright(real, reference), upright(answer.image, reference)

    def figures(self, card: Scorecard) -> list[Figure]:
        """Return Dice and surface distance, case by case."""
        if not card.cases:
            return []
        dice = draw.strip(card, "dice")
        found = [
            Figure("Dice, case by case", dice, "A dot a case; the box holds the middle half.", wide=True)
        ]
        for name in ("hd95_mm", "hd95_px"):
            if name in card.metrics:
                text = "Cases without a surface are missing here."
                found.append(Figure("HD95, case by case", draw.strip(card, name), text, wide=True))
        return found

    def legend(self, labels: Sequence[Label]) -> dict[str, int]:
        """Return the value of each label."""
        return {x.name: x.value for x in labels}

    def foreign(
        self, path: Path, cases: Sequence[Case], target: TargetInfo, *, positive: str | None = None
    ) -> LazyMasks:
        """Return the masks in a folder, matched by file name, each read when it is asked for."""
        return mask_answers(path, cases, target)


def _bits(answer: Mask, place: int) -> Array:
    """Return where the label at a place is, `(Z, Y, X)` of bits."""
    array = answer.image.array
    bits: Array = array[place] != 0 if answer.overlapping else array[0] == answer.labels[place].value
    return bits


def _regions(answer: Mask) -> list[tuple[int, Array]]:
    """Return the connected regions of all labels, each with the place of its label, the largest first."""
    found = []
    for place in range(len(answer.labels)):
        numbered, count = ndimage.label(_bits(answer, place))
        found += [(place, numbered == k) for k in range(1, count + 1)]
    return sorted(found, key=lambda region: -int(region[1].sum()))


def label_sizes(answer: Mask) -> list[tuple[Label, float, str]]:
    """Return each label's size and its unit: `ml`, or `mm2` of a picture with spacing, or `pixels` without."""
    image = answer.image
    found: list[tuple[Label, float, str]] = []
    flat = image.array[0]
    for k, label in enumerate(answer.labels):
        count = int((image.array[k] != 0).sum() if answer.overlapping else (flat == label.value).sum())
        if image.spacing_mm is None:
            found.append((label, count, "pixels"))
            continue
        x, y, z = image.spacing_mm
        if image.is_2d:
            found.append((label, round(count * x * y, 3), "mm2"))
        else:
            found.append((label, round(count * x * y * z / 1000, 4), "ml"))
    return found


HANDLING = MaskHandling()
