"""Mask: which label each voxel of an image has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from scipy import ndimage

from vesalius import formats, metrics
from vesalius.answers import _grown as grown
from vesalius.answers import _outer as outer
from vesalius.answers import _stated as stated
from vesalius.answers import _unsure as unsure
from vesalius.answers._asking import label_place, number_place
from vesalius.answers._surface_moved import surfaces_moved
from vesalius.answers.contract import Handling, Judged, Kept, Panel
from vesalius.answers.drawing import figures as draw
from vesalius.answers.drawing import planes
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.panels import Cell, Table, decimals_of, figure, measured
from vesalius.answers.drawing.slices import Slice, plane_of
from vesalius.answers.foreign.masks import LazyMasks, mask_answers
from vesalius.core import grids, marks
from vesalius.core.answers.mask import Mask
from vesalius.core.ask import Ask
from vesalius.core.called import called_by
from vesalius.core.case import IGNORED, Case
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.doubt import NAT, Doubt, entropy
from vesalius.core.errors import DataError
from vesalius.core.growth import Changed, spread_of
from vesalius.core.image import Array, Image
from vesalius.core.marks import Mark
from vesalius.core.palette import colour_of
from vesalius.core.promise import LEVELS, Limits
from vesalius.core.scorecard import Scorecard
from vesalius.core.stated import Statement
from vesalius.core.words import listed
from vesalius.metrics import Interval, Rows
from vesalius.prepare.between import Between
from vesalius.prepare.case import load_mask
from vesalius.prepare.geometry import upright

TARGETS = ("mask",)
LARGEST_IN_PNG = 65535  # the largest label value that a PNG holds; masks with others become volumes
SIZES = {"ml": "volume_ml", "mm2": "area_mm2", "pixels": "pixels"}
SHOWN_IN = {
    "ml": "ml",
    "mm2": "mm²",
    "px": "voxels",
}  # the units in which metrics measure sizes, as they are written
SHOWN_UNITS = {"ml": "ml", "mm2": "mm²", "pixels": "pixels"}  # those of `label_sizes`
NEAR = 2  # voxels around what is called within which doubt counts
HEADS = {"hd95_mm": "HD95 (mm)", "hd95_px": "HD95 (pixels)"}
CLINICAL = 20  # labels at most of which a clinician's tables speak
MOST_COLUMNS = 8  # labels with a column of their own in the table of all cases


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
    compared = ("dice", "hd95_mm", "hd95_px")
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
    ways = ("voxels",)
    needs_levels = True
    unsure_by = (unsure.ENTROPY,)
    error = "1 − mean Dice"

    def columns(self, answer: Mask) -> dict[str, Any]:
        """Return each label's size under its name and unit."""
        return {f"{label.name}_{unit}": size for label, size, unit in label_sizes(answer)}

    def marks(self, answer: Mask) -> list[Mark]:
        """Return the labels, the grid, how many voxels of each label lie in each block, and which label has most."""
        labels, array = answer.labels, answer.image.array
        found = [Mark("labels", ", ".join(f"{x.value} {x.name}" for x in labels)), *marks.place(answer.image)]
        if answer.overlapping:
            return found + [marks.counts(f"voxels of {x.name}", array[k], [1]) for k, x in enumerate(labels)]
        found.append(marks.counts("voxels of each label", array[0], [x.value for x in labels]))
        sizes = {x.name: int((array[0] == x.value).sum()) for x in labels}
        sizes = {"nothing": array[0].size - sum(sizes.values()), **sizes}
        first, second, *_ = [*sorted(sizes.values(), reverse=True), 0]
        return [
            *found,
            Mark(
                "most voxels are", max(sizes, key=sizes.__getitem__), margin=(first - second) / array[0].size
            ),
        ]

    def summary(self, answer: Mask) -> dict[str, Any]:
        """Return the labels with their colours and sizes."""
        labels = [
            {
                "value": label.value,
                "name": label.name,
                "colour": colour_of(label, k),
                SIZES[unit]: size,
            }
            for k, (label, size, unit) in enumerate(label_sizes(answer))
        ]
        return {"overlapping": answer.overlapping, "labels": labels}

    def lines(self, answer: Mask) -> list[Line]:
        """Return each label's size, with its colour."""
        return [
            Line(label.name, f"{size:,.6g} {SHOWN_UNITS[unit]}", colour=colour_of(label, k))
            for k, (label, size, unit) in enumerate(label_sizes(answer))
        ]

    def backdrop(self, answer: Mask) -> Image:
        """Return the labels as greys, one for each."""
        bits = answer.image.array
        places = [x.value for x in answer.labels]
        grey = np.zeros((1, *bits.shape[1:]), np.uint16)
        for k, value in enumerate(places, start=1):
            grey[0][bits[k - 1] != 0 if answer.overlapping else bits[0] == value] = k
        return replace(answer.image, array=grey, channels=())

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
                colour = colour_of(label, n)
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

    def states(self, answer: Mask) -> list[Statement]:
        """Return of each label in how many parts it is there, how large the largest is, and on which side."""
        places = {x.name: k for k, x in enumerate(answer.labels)}
        grid = stated.Grid.of(answer.image, places, lambda name: stated.ends_of(_bits(answer, places[name])))
        return [stated.of_things(name, stated.numbered(_bits(answer, k)), grid) for name, k in places.items()]

    def point_doubt(self, mean: Array, expected: Array) -> dict[str, Array]:
        """Return a voxel's entropy, and what of it the opinions disagree in (mutual information), in nats."""
        whole = entropy(mean, axis=0)
        return {"entropy": whole, "mutual_information": np.maximum(whole - expected, 0)}

    def field_doubt(self, answer: Mask, fields: Mapping[str, Array], called: Array) -> Doubt:
        """Return the mean of each figure where something is called and two voxels around it, and how sizes spread.

        Where nothing is called it is the largest of any voxel: how near the model came to calling something. Sizes are
        those of single opinions' masks; `liver_ml_sd` is their standard deviation.
        """
        near = ndimage.binary_dilation(self.found(answer), iterations=NEAR)
        figures = {name: float(one[near].mean() if near.any() else one.max()) for name, one in fields.items()}
        units = dict.fromkeys(figures, NAT)
        for k, label in enumerate(answer.labels, start=1):
            unit, each = unit_of(answer.image)
            name = f"{label.name}_{unit}_sd"
            figures[name] = float(called[:, k].std(ddof=1)) * each
            units[name] = SHOWN_UNITS[unit]
        return Doubt(figures=figures, units=units)

    def strangeness(self, answer: Mask, truth: Drawn, way: str) -> Mapping[str, float | Array]:
        """Return for each label that is there which share of its voxels each threshold would miss, `(257,)`."""
        return dict(outer.missed(answer, _true_bits(answer, truth)))

    def promised(self, answer: Mask, limits: Limits) -> Mask:
        """Return the mask with the outer one that misses few of the true voxels, in the part `outer`."""
        return outer.promised(answer, limits)

    def kept(self, answer: Mask, truth: Drawn) -> Kept | None:
        """Return the share of each label's true voxels that the outer mask misses, and how large it is."""
        return outer.kept(answer, _true_bits(answer, truth))

    def losses(self, rows: Rows) -> Array:
        """Return what is lacking in the mean Dice over the labels that are there."""
        return np.asarray(1 - self.each(rows))

    def found(self, answer: Mask) -> Array:
        """Return where any label is."""
        bits: Array = (answer.image.array != 0).any(axis=0)
        return bits

    def unsure(self, answer: Mask, by: str) -> float | None:
        """Return the mean entropy near the border of what is called; None of a mask without levels."""
        chances = self.chances(answer)
        return None if chances is None else unsure.of_mask(self.found(answer), chances)

    def planes(self, answer: Mask) -> Array:
        """Return where each label is."""
        array = answer.image.array
        if answer.overlapping:
            bits: Array = array != 0
            return bits
        return np.stack([array[0] == label.value for label in answer.labels])

    def chances(self, answer: Mask) -> Array | None:
        """Return the chances that the levels of the mask stand for; None of a mask without them."""
        return outer.chances_of(answer) if LEVELS in answer.parts else None

    def placed(self, answer: Mask, low: Sequence[int], reference: Image) -> Mask:
        """Return the mask on the whole grid, without labels outside of its part."""
        part = answer.image.array
        array = np.zeros((part.shape[0], *reference.shape), dtype=part.dtype)
        where = tuple(slice(a, a + n) for a, n in zip(low, part.shape[1:], strict=True))
        array[(slice(None), *where)] = part
        whole = replace(answer, image=replace(answer.image, array=array, affine=reference.affine))
        if LEVELS not in answer.parts:
            return whole
        likely = np.zeros((len(answer.labels), *reference.shape), dtype=np.uint8)
        likely[(slice(None), *where)] = outer.levels_of(answer)
        return outer.with_levels(whole, likely)

    def misplaced(self, answer: Mask, reference: Image) -> str | None:
        """Return how the mask's grid differs from its image's."""
        return grids.mask_fault(reference, answer.image)

    def changed(self, earlier: Mask, later: Mask, between: Between) -> Changed:
        """Return how much each label grew, how far its surface moved, and what became of its connected parts."""
        labels = grown.labels_of(earlier.labels, later.labels)

        def sides(name: str) -> tuple[grown.Side, grown.Side]:
            return _side(earlier, name), _side(later, name)  # one label at a time is in memory

        units = (unit_of(earlier.image)[0], unit_of(later.image)[0])
        found = grown.grown(labels, sides, between, unit=units, answers=(earlier, later))
        parts, notes = [], list(found.notes)
        moved, left = surfaces_moved(labels, sides, between) if found.growths else ((), ())
        if found.growths:
            for label in labels:
                own, said = grown.parts_of_bits(label.name, sides(label.name), between, unit=units[0])
                parts += own
                notes += [said] if said else []
        notes += [*grown.unregistered(between, "connected parts"), *grown.lacking(between, found.growths)]
        return replace(found, parts=tuple(parts), notes=(*notes, *left), moved=moved)

    def carried(self, answer: Mask, between: Between) -> Mask:
        """Return the mask on the later visit's grid, each voxel that of the nearest."""
        return replace(answer, image=between.carried(answer.image), parts={})

    def truth(self, target: Any, case: Case) -> Drawn:
        """Return the true labels and the case's region, read."""
        return Drawn(load_mask(target), load_mask(case.region) if case.region is not None else None)

    def opinion(self, answer: Mask) -> Drawn:
        """Return the labels of the answer."""
        return Drawn(answer.image, None)

    def likeness(self, one: Drawn, other: Drawn) -> float:
        """Return the mean Dice of the labels that either has, where both know what is; NaN where neither has any."""
        a, b = one.image.array, other.image.array
        known = (a != IGNORED) & (b != IGNORED)
        labels = {int(v) for v in (*np.unique(a[known]), *np.unique(b[known]))} - {0}
        if not labels:
            return float("nan")
        found = []
        for label in labels:
            x, y = (a == label) & known, (b == label) & known
            found.append(2 * int((x & y).sum()) / (int(x.sum()) + int(y.sum())))
        return float(np.mean(found))

    def measure(self, answer: Mask, truth: Drawn, case: Case) -> dict[str, float]:
        """Return the figures of one case, within its region where it has one."""
        words = grids.difference(answer.image, truth.image)
        if words is not None:
            raise DataError(f"case {case.id}: the answer lies on another grid than the truth", found=words)
        return cast("dict[str, float]", self.judge.row(answer, truth.image, region=truth.region))

    def rows(self, measured: Sequence[Any], case_ids: Sequence[str]) -> Rows:
        """Return the table of the figures."""
        return cast(Rows, self.judge.table(measured, case_ids))

    def each(self, rows: Rows) -> Array:
        """Return the mean Dice over the labels that are there, NaN where none is."""
        dice = np.stack([v for k, v in rows.columns.items() if k.startswith("dice/")], axis=1)
        n = np.isfinite(dice).sum(axis=1)
        return np.asarray(np.where(n > 0, np.nansum(dice, axis=1) / np.maximum(n, 1), np.nan))

    def again(self, card: Scorecard) -> Rows:
        """Return the figures of each label."""
        made = [
            {n: float("nan") if v is None else float(v) for n, v in case.items() if n != "case"}
            for case in card.cases
        ]
        ids = [case["case"] for case in card.cases]
        sizes = (card.tolerance_mm, card.tolerance_px)
        mm, px = (1.0 if size is None else size for size in sizes)
        return cast(Rows, self.judge.table(made, ids, tolerance_mm=mm, tolerance_px=px))

    def rate(self, answer: Mask, truth: Drawn, measured: dict[str, float]) -> tuple[float, str]:
        """Return the mean Dice over the labels that are there."""
        dice = [v for k, v in measured.items() if k.startswith("dice/") and np.isfinite(v)]
        score = float(np.mean(dice)) if dice else float("nan")
        return score, f"Dice {score:.3f}"

    def outlines(self, answer: Mask, truth: Drawn, reference: Image) -> tuple[Image, Image]:
        """Return both masks; what nobody knows has no outline."""
        real = formats.recoded(truth.image, ((IGNORED, 0),))
        return upright(real, reference), upright(answer.image, reference)

    def colours(self, answer: Mask) -> dict[str, str]:
        """Return the colour of each label, as overlays and DICOM objects show it."""
        return {label.name: colour_of(label, place) for place, label in enumerate(answer.labels)}

    def clinical(self, rows: Rows, judged: Judged, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Return bias and limits of agreement of each label's size, in the unit in which it was measured.

        Beside them it says how the errors' spread grows with the size, by which changes of one patient are judged.
        """
        found: dict[str, Any] = {}
        for label in rows.info["labels"][:CLINICAL]:
            for unit in SHOWN_IN:
                a, b = (rows.columns.get(f"{side}_{unit}/{label}") for side in ("answer", "truth"))
                if a is not None and b is not None and np.isfinite(a - b).sum() > 1:
                    lines = judged(metrics.agreement(a, b))
                    found[label] = {"unit": unit, **{name: asdict(one) for name, one in lines.items()}}
                    spread = spread_of(a.tolist(), b.tolist())
                    found[label] |= {} if spread is None else {"spread": spread}
        return {"sizes": found} if found else {}

    def clinic(self, card: Scorecard) -> list[Panel]:
        """Return Bland and Altman's drawing of each label's size, and its figures."""
        sizes: Mapping[str, Any] = card.clinical.get("sizes", {})
        if not sizes or not card.cases:
            return []
        panels, rows, nice = {}, [], called_by([*card.labels, *sizes])
        digits = decimals_of(
            *(one[name]["value"] for one in sizes.values() for name in ("bias", "low", "high"))
        )
        for label, one in sizes.items():
            lines = {name: Interval(**one[name]) for name in ("bias", "low", "high")}
            pairs = [
                tuple(c.get(f"{side}_{one['unit']}/{label}") for side in ("answer", "truth"))
                for c in card.cases
            ]
            known = [(a, b) for a, b in pairs if a is not None and b is not None and np.isfinite(a - b)]
            panels[nice[label]] = ([a for a, _ in known], [b for _, b in known], lines)
            cells = (measured(lines[name], decimals=digits) for name in ("bias", "low", "high"))
            rows.append((Cell(nice[label]), Cell(str(len(known)), len(known)), *cells))
        units = {SHOWN_IN[one["unit"]] for one in sizes.values()}
        unit = f" ({units.pop()})" if len(units) == 1 else ""
        says = "A dot a case in which the truth or the answer holds the label. The line is the mean difference, the "
        says += "dashes hold 95 of 100 differences if these are normal; the bands are 95 % intervals."
        heads = ("label", "n", f"bias{unit}", "lower limit", "upper limit")
        return [
            Figure(
                "Agreement in size (Bland–Altman)", draw.agreement(panels, unit), says, wide=len(panels) > 1
            ),
            Table("Limits of agreement: answer minus truth", heads, rows),
        ]

    def case_table(self, card: Scorecard) -> Table | None:
        """Return the mean Dice of all cases, that of each label, and the largest surface distance; the worst first."""
        if not card.cases:
            return None
        shown = [label for label in card.labels if f"dice/{label}" in card.metrics][:MOST_COLUMNS]
        distance = next((n for n in ("hd95_mm", "hd95_px") if n in card.metrics), None)
        nice = called_by(card.labels)
        heads = [
            "case",
            "mean Dice",
            *(nice[label] for label in shown),
            *([f"largest {HEADS[distance]}"] if distance else []),
        ]
        rows = []
        for case in card.cases:
            dice = {label: case.get(f"dice/{label}") for label in card.labels}
            known = [v for v in dice.values() if v is not None and np.isfinite(v)]
            far = [
                v
                for k, v in case.items()
                if distance and k.startswith(f"{distance}/") and v is not None and np.isfinite(v)
            ]
            mean = float(np.mean(known)) if known else None
            cells = [_number(mean), *(_number(dice[label]) for label in shown)]
            rows.append(
                (Cell(str(case["case"])), *cells, *([_number(max(far, default=None), 1)] if distance else []))
            )
        rows.sort(key=lambda row: 2.0 if row[1].number is None else row[1].number)
        return Table("All cases", heads, rows, "A dash: the label is neither in the truth nor in the answer.")

    def figures(self, card: Scorecard) -> list[Figure]:
        """Return Dice and surface distance, case by case."""
        if not card.cases:
            return []
        found = [
            Figure(
                "Dice, case by case",
                draw.strip(card, "dice", "Dice"),
                "A dot a case; the box holds the middle half.",
            )
        ]
        for name in ("hd95_mm", "hd95_px"):
            if name in card.metrics:
                text = "Cases without a surface are missing here."
                found.append(Figure("HD95, case by case", draw.strip(card, name, HEADS[name]), text))
        return found

    def legend(self, labels: Sequence[Label]) -> dict[str, int]:
        """Return the value of each label."""
        return {x.name: x.value for x in labels}

    def foreign(
        self, path: Path, cases: Sequence[Case], target: TargetInfo, *, positive: str | None = None
    ) -> LazyMasks:
        """Return the masks in a folder, matched by file name, each read when it is asked for."""
        return mask_answers(path, cases, target)


def _true_bits(answer: Mask, truth: Drawn) -> Callable[[int], Array]:
    """Return what gives the voxels `(Z, Y, X)` that truly have the label at a place, within the case's region."""
    words = grids.difference(answer.image, truth.image)
    if words is not None:
        raise DataError("the answer lies on another grid than the truth", found=words)
    array = truth.image.array
    inside = None if truth.region is None else truth.region.array[0] != 0

    def bits(place: int) -> Array:
        each = array.shape[0] == len(answer.labels) and (answer.overlapping or array.shape[0] > 1)
        found: Array = array[place] == 1 if each else array[0] == answer.labels[place].value
        return found if inside is None else found & inside

    return bits


def _bits(answer: Mask, place: int) -> Array:
    """Return where the label at a place is, `(Z, Y, X)` of bits."""
    array = answer.image.array
    bits: Array = array[place] != 0 if answer.overlapping else array[0] == answer.labels[place].value
    return bits


def _side(answer: Mask, name: str) -> grown.Side:
    """Return where a label is, nowhere where the answer does not know it."""
    place = next((k for k, label in enumerate(answer.labels) if label.name == name), None)
    bits = np.zeros(answer.image.shape, bool) if place is None else _bits(answer, place)
    return grown.Side(bits, unit_of(answer.image)[1])


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


def unit_of(image: Image) -> tuple[str, float]:
    """Return the unit of sizes on an image's grid, and what one voxel is in it."""
    if image.spacing_mm is None:
        return "pixels", 1.0
    x, y, z = image.spacing_mm
    return ("mm2", x * y) if image.is_2d else ("ml", x * y * z / 1000)


def _number(value: float | None, decimals: int = 3) -> Cell:
    known = value is not None and np.isfinite(value)
    return Cell(figure(value, decimals), value) if known else Cell("–")


HANDLING = MaskHandling()
