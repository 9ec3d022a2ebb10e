"""Instances: a mask for each thing, touching ones too, as ids over an image, with the label and the surety of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
from scipy import ndimage

from vesalius.answers import _grown as grown
from vesalius.answers import _stated as stated
from vesalius.answers import _unsure as unsure
from vesalius.answers._asking import label_place, number_place
from vesalius.answers.contract import Handling, Kept
from vesalius.answers.drawing import figures as draw
from vesalius.answers.drawing import planes
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.panels import Cell, Table, figure
from vesalius.answers.drawing.slices import Slice
from vesalius.answers.foreign.instances import LazyInstances, instance_answers
from vesalius.answers.mask import LARGEST_IN_PNG, SHOWN_UNITS, SIZES, unit_of
from vesalius.answers.numbers import HANDLING as NUMBERS
from vesalius.answers.value import number_changed
from vesalius.core import edges, grids, marks
from vesalius.core.answers.instances import COUNTS, Instances
from vesalius.core.answers.numbers import Numbers
from vesalius.core.ask import Ask
from vesalius.core.case import Case, Instance
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.growth import Changed
from vesalius.core.image import Array, Image
from vesalius.core.marks import Mark
from vesalius.core.palette import colour_of
from vesalius.core.promise import Limits
from vesalius.core.scorecard import Scorecard
from vesalius.core.stated import Statement
from vesalius.core.things import Things
from vesalius.core.words import counted
from vesalius.metrics import Rows
from vesalius.prepare.between import Between
from vesalius.prepare.case import load_mask
from vesalius.prepare.geometry import upright
from vesalius.prepare.things import load_things

TARGETS = ("instances",)
COUNTED = "counts"  # the way to promise something
LISTED = 2000  # of the surest things that a client is told of one by one


@dataclass(frozen=True, eq=False)
class Drawn:
    """The true mask of ids of a case, or its mask of labels, and the region within which it counts."""

    target: object
    region: Image | None

    def things(self, labels: Sequence[Label]) -> Things:
        """Return the true things; of a mask of labels the connected parts of each of `labels`."""
        return load_things(self.target, labels, region=self.region)


class InstancesHandling(Handling[Instances]):
    """What is done with instances. They are measured at once, and only their figures are kept."""

    kind = Instances
    objects = (".seg.dcm", ".sr.dcm")
    listing = "instances.csv"
    headlines = ("pq", "sq", "rq", "ap50", "ap", "aji", "count_relative")
    compared = ("pq", "ap50")
    metric_names: ClassVar[Mapping[str, str]] = {
        "pq": "PQ", "sq": "SQ", "rq": "RQ", "ap": "AP of masks", "ap50": "AP of masks at .5", "aji": "AJI",
        "count_mae": "mean count error", "count_relative": "relative count error", "count_bias": "count bias",
    }  # fmt: skip
    left_out: ClassVar[Mapping[str, str]] = {
        "crowd": "hold a region of many, so that their number is not known",
        "absent": "hold none, so that the label has no average precision",
    }
    baseline = "Otsu's threshold, split by watershed"
    monailabel = "others"  # a client would take ids for label values
    draws = True
    asks = ("label", "instance")
    ways = (COUNTED,)
    unsure_by = (unsure.ENTROPY, unsure.MARGIN)
    error = "1 − PQ"

    def columns(self, answer: Instances) -> dict[str, Any]:
        """Return how many things are called, and of each label their number and their mean size."""
        unit, each = unit_of(answer.image)
        found: dict[str, Any] = {"things": len(answer.called)}
        for label, sizes in _sizes_by_label(answer).items():
            found[f"{label}_things"] = len(sizes)
            found[f"{label}_mean_{'mm2' if unit == 'mm2' else unit}"] = (
                round(float(np.mean(sizes)) * each, 4) if sizes else 0.0
            )
        return found

    def listed(self, answer: Instances) -> list[dict[str, Any]]:
        """Return a row a thing: its id, label and probability, whether it is called, and its size with the unit.

        An answer without a thing has one row that is empty but for its case.
        """
        unit, each = unit_of(answer.image)
        sizes, called = _sizes(answer), set(answer.called)
        return [
            {
                "id": thing.id,
                "label": thing.label,
                "p": f"{thing.p:.6g}",
                "called": int(k in called),
                "size": round(sizes.get(thing.id, 0) * each, 4),
                "unit": unit,
            }
            for k, thing in enumerate(answer.things)
        ] or [dict.fromkeys(("id", "label", "p", "called", "size", "unit"), "")]

    def states(self, answer: Instances) -> list[Statement]:
        """Return of each label how many things are called, how large the largest is, and on which side they lie."""
        ids = answer.called_ids()

        def things(name: str) -> Array:
            own = [answer.things[k].id for k in answer.called if answer.things[k].label == name]
            each: Array = answer.table({one: n for n, one in enumerate(own, start=1)})[ids]
            return each

        names = [label.name for label in answer.labels]
        grid = stated.Grid.of(answer.image, names, lambda name: stated.ends_of(things(name) > 0))
        return [stated.of_things(name, things(name), grid) for name in names]

    def marks(self, answer: Instances) -> list[Mark]:
        """Return the labels, the grid, how many things are called, and how many voxels of each label a block has."""
        sizes = _sizes_by_label(answer)
        most = float(max(len(answer.called), 1))
        return [
            Mark("labels", ", ".join(f"{x.value} {x.name}" for x in answer.labels)),
            *marks.place(answer.image),
            *(Mark(f"things of {name}", float(len(held)), unit=most) for name, held in sizes.items()),
            marks.counts("voxels of each label", answer.sorts(), range(1, len(answer.labels) + 1)),
        ]

    def summary(self, answer: Instances) -> dict[str, Any]:
        """Return the labels with their colours, numbers and sizes, and the surest things one by one.

        A thing has its id, its label, its probability, whether it is called, its size, and a voxel of it `(z, y, x)`
        that lies near its middle.
        """
        unit, each = unit_of(answer.image)
        by_label = _sizes_by_label(answer)
        labels = [
            {
                "value": label.value,
                "name": label.name,
                "colour": colour_of(label, k),
                "things": len(by_label[label.name]),
                SIZES[unit]: round(sum(by_label[label.name]) * each, 4),
            }
            for k, label in enumerate(answer.labels)
        ]
        sizes, middles = _sizes(answer), _middles(answer)
        called = set(answer.called)
        order = sorted(range(len(answer.things)), key=lambda k: (k not in called, -answer.things[k].p))
        things = []
        for k in order[:LISTED]:
            thing = answer.things[k]
            if thing.id in middles:
                said = {"id": thing.id, "label": thing.label, "p": round(thing.p, 6), "called": k in called}
                things.append(
                    {**said, "at": middles[thing.id], SIZES[unit]: round(sizes[thing.id] * each, 4)}
                )
        return {"labels": labels, "things": things, "listed": len(things), "all": len(answer.things)}

    def lines(self, answer: Instances) -> list[Line]:
        """Return of each label how many things are called and how large they are on average, with its colour."""
        unit, each = unit_of(answer.image)
        held = _sizes_by_label(answer)
        found = []
        for k, label in enumerate(answer.labels):
            sizes = held[label.name]
            mean = f", {float(np.mean(sizes)) * each:,.4g} {SHOWN_UNITS[unit]} on average" if sizes else ""
            text = f"{counted(len(sizes), 'thing')}{mean}"
            found.append(Line(label.name, text, colour=colour_of(label, k)))
        return found

    def backdrop(self, answer: Instances) -> Image:
        """Return the labels of called things as greys, one for each."""
        return replace(answer.image, array=answer.sorts()[None].astype(np.uint16), channels=())

    def suffix(self, answer: Instances) -> str:
        """Return `.png` for the ids of a picture, where a PNG holds them all."""
        flat = answer.image.is_2d and answer.image.affine is None
        return ".png" if flat and int(answer.image.array.max(initial=0)) <= LARGEST_IN_PNG else ".nii.gz"

    def shown_by(self, answer: Instances, image: Image) -> Image:
        """Return the ids of called things: the fullest slice is shown."""
        return upright(replace(answer.image, array=answer.called_ids()[None]), image)

    def draw(self, axes: Any, answer: Instances, image: Image, shown: Slice) -> None:
        """Draw the outline of each called thing in the colour of its label, and a legend."""
        cut = self.shown_by(answer, image).array[0, shown.z]
        colours = {label.name: colour_of(label, k) for k, label in enumerate(answer.labels)}
        by_id = {answer.things[k].id: colours.get(answer.things[k].label, "#ffffff") for k in answer.called}
        planes.boundaries(axes, cut, by_id)
        there = {answer.things[k].label for k in answer.called if (cut == answer.things[k].id).any()}
        for name in (label.name for label in answer.labels if label.name in there):
            axes.plot([], [], color=colours[name], label=name)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(loc="lower right", fontsize=7, framealpha=0.6)

    def ask(self, answer: Instances, of: str, which: str | None) -> Ask:
        """Return the k-th of the called things, the surest first, or all of a label, by default of the commonest.

        Raises DataError where the answer has no such thing.
        """
        names = [label.name for label in answer.labels]
        if of == "instance":
            place = number_place(which, len(answer.called), what=of)
            thing = answer.things[answer.called[place]]
            where = answer.image.array[0] == thing.id
            return Ask(of, names.index(thing.label), where, words=f"instance {place + 1}, {thing.label}")
        held = _sizes_by_label(answer)
        most = max(range(len(names)), key=lambda k: len(held[names[k]]), default=0)
        place = label_place(answer.labels, which, default=most)
        if not held[names[place]]:
            there = [n for n in names if held[n]]
            raise DataError(
                f"the answer calls no {names[place]} to ask about",
                found=", ".join(there) or "nothing called",
                hint=f"ask about {there[0]}" if there else "another case",
            )
        return Ask(of, place, answer.sorts() == place + 1, words=names[place])

    def strangeness(self, answer: Instances, truth: Drawn, way: str) -> Mapping[str, float | Array]:
        """Return by label how far its count is off."""
        if way not in ("", COUNTED):
            raise UnknownName("way to promise something of instances", way, self.ways)
        return NUMBERS.strangeness(_counts(answer), _census(truth.things(answer.labels), answer.labels), "")

    def promised(self, answer: Instances, limits: Limits) -> Instances:
        """Return the answer with an interval for each count."""
        counts = NUMBERS.promised(_counts(answer), replace(limits, way="", about=None))
        if counts.promise is None:
            return answer
        says = (
            f"the true number of each label lies in its interval in at least {limits.share} cases like those of the "
            "calibration"
        )
        parts = {**answer.parts, COUNTS: counts}
        return replace(answer, promise=replace(counts.promise, says=says), parts=parts)

    def kept(self, answer: Instances, truth: Drawn) -> Kept | None:
        """Return whether each count's interval holds the true one."""
        if answer.promise is None:
            return None
        return NUMBERS.kept(_counts(answer), _census(truth.things(answer.labels), answer.labels))

    def unsure(self, answer: Instances, by: str) -> float:
        """Return the sum of the entropies of all things, called or not, or the largest of their margins."""
        return unsure.of_things(np.array([thing.p for thing in answer.things]), by)

    def found(self, answer: Instances) -> Array:
        """Return where any called thing is."""
        bits: Array = answer.called_ids() != 0
        return bits

    def planes(self, answer: Instances) -> Array:
        """Return where the called things of each label are."""
        sorts = answer.sorts()
        return np.stack([sorts == k for k in range(1, len(answer.labels) + 1)])

    def chances(self, answer: Instances) -> Array:
        """Return at each point the surety of the thing that is there, called or not, in the channel of its label."""
        ids = answer.image.array[0]
        found = np.zeros((len(answer.labels), *ids.shape), dtype=np.float32)
        for k, label in enumerate(answer.labels):
            table = np.zeros(
                max([int(ids.max(initial=0)), *(t.id for t in answer.things), 0]) + 1, np.float32
            )
            for thing in answer.things:
                if thing.label == label.name:
                    table[thing.id] = thing.p
            found[k] = table[ids]
        return found

    def placed(self, answer: Instances, low: Sequence[int], reference: Image) -> Instances:
        """Return the things on the whole grid, with nothing outside of their part."""
        part = answer.image.array
        array = np.zeros((1, *reference.shape), dtype=part.dtype)
        where = tuple(slice(a, a + n) for a, n in zip(low, part.shape[1:], strict=True))
        array[(slice(None), *where)] = part
        return replace(answer, image=replace(answer.image, array=array, affine=reference.affine))

    def misplaced(self, answer: Instances, reference: Image) -> str | None:
        """Return how the grid of the ids differs from its image's."""
        return grids.mask_fault(reference, answer.image)

    def changed(self, earlier: Instances, later: Instances, between: Between) -> Changed:
        """Return how many things of each label are called at both visits, and what became of each of them.

        Nothing is known of how far counts of things are off but by what is promised of them.
        """
        counts = [one.parts.get(COUNTS) for one in (earlier, later)]
        before, after = (
            one.values if isinstance(one, Numbers) else answer.counts().values
            for one, answer in zip(counts, (earlier, later), strict=True)
        )
        units = unit_of(earlier.image), unit_of(later.image)
        growths, notes, parts = [], list(grown.unregistered(between, "things")), []
        for place, label in enumerate(grown.labels_of(earlier.labels, later.labels)):
            if label.name in before and label.name in after:
                one = number_changed(
                    label.name, before[label.name], after[label.name], None, same=between.same
                )
                growths += [
                    replace(g, quantity="number", sizes=True, colour=colour_of(label, place))
                    for g in one.growths
                ]
                notes += one.notes
            if units[0][0] == units[1][0]:
                ids = _ids_of(earlier, label.name), _ids_of(later, label.name)
                own, said = grown.parts_of(
                    label.name, *ids, between, unit=units[0][0], each=(units[0][1], units[1][1])
                )
                parts += own
                notes += [said] if said else []
        return Changed(tuple(growths), tuple(parts), notes=tuple(notes))

    def carried(self, answer: Instances, between: Between) -> Instances:
        """Return the things on the later visit's grid, each voxel that of the nearest."""
        return replace(answer, image=between.carried(answer.image))

    def truth(self, target: Any, case: Case) -> Drawn:
        """Return the true things and the case's region."""
        return Drawn(target, load_mask(case.region) if case.region is not None else None)

    def measure(self, answer: Instances, truth: Drawn, case: Case) -> dict[str, Any]:
        """Return the figures of one case, within its region where it has one."""
        return cast("dict[str, Any]", self.judge.row(answer, truth.things(answer.labels)))

    def rows(self, measured: Sequence[Any], case_ids: Sequence[str]) -> Rows:
        """Return the table of the figures."""
        return cast(Rows, self.judge.table(measured, case_ids))

    def rate(self, answer: Instances, truth: Drawn, measured: dict[str, Any]) -> tuple[float, str]:
        """Return the panoptic quality of the case, and how many things were found."""
        rows = self.judge.table([measured], [""])
        quality = float(self.judge.summary(rows, np.array([0]))["pq"])
        hits, true, false = (int(rows[n].sum()) for n in ("hits", "true", "false"))
        return quality, f"PQ {quality:.3f}, {hits} of {counted(true, 'thing')} found, {false} false"

    def outlines(self, answer: Instances, truth: Drawn, reference: Image) -> tuple[Image, Image]:
        """Return the labels of both, with a gap of a voxel where two things touch, so that each has its outline."""
        place = {label.name: k for k, label in enumerate(answer.labels, start=1)}
        real = truth.things(answer.labels)
        table = np.zeros(int(real.ids.max(initial=0)) + 1, dtype=np.uint16)
        for thing, label in real.labels.items():
            table[thing] = place.get(label, 0)
        pair = [edges.apart(real.ids, table[real.ids]), edges.apart(answer.called_ids(), answer.sorts())]
        one, other = (upright(replace(answer.image, array=p[None]), reference) for p in pair)
        return one, other

    def each(self, rows: Rows) -> Array:
        """Return the panoptic quality of each case, NaN where nothing is and nothing was called."""
        figures = (self.judge.summary(rows, np.array([k]))["pq"] for k in range(len(rows)))
        return np.array(list(figures), dtype=np.float64)

    def case(self, rows: Rows, index: int) -> dict[str, Any]:
        """Return the panoptic quality of a case, its numbers, and what its figures are computed from."""
        figures = self.judge.summary(rows, np.array([index]))
        quality = {n: float(figures[n]) for n in ("pq", *(f"pq/{label}" for label in rows.info["labels"]))}
        totals = {n: int(rows[column][index].sum()) for n, column in (("things", "true"), ("called", "said"))}
        return {**quality, **totals, "kept": self.judge.kept(rows, index)}

    def again(self, card: Scorecard) -> Rows | None:
        """Return the rows that a scorecard was computed from."""
        if not card.cases or any("kept" not in case for case in card.cases):
            return None
        made = [{**case["kept"], "case": case["case"]} for case in card.cases]
        return cast(Rows, self.judge.again(made, card.labels))

    def colours(self, answer: Instances) -> dict[str, str]:
        """Return the colour of each label."""
        return {label.name: colour_of(label, place) for place, label in enumerate(answer.labels)}

    def legend(self, labels: Sequence[Label]) -> dict[str, int]:
        """Return the place of each label, as `outlines` has it."""
        return {x.name: k for k, x in enumerate(labels, start=1)}

    def facts(self, card: Scorecard) -> list[tuple[str, str]]:
        """Return when a thing counts as found."""
        return [
            (
                "found",
                "a called thing of the same label overlaps it by more than .5 (intersection over union)",
            ),
            ("average precision", "COCO's rules, with the overlap of masks"),
        ]

    def figures(self, card: Scorecard) -> list[Figure]:
        """Return the panoptic quality, case by case."""
        if not card.cases:
            return []
        text = "A dot a case; the box holds the middle half."
        return [Figure("Panoptic quality, case by case", draw.strip(card, "pq", "PQ"), text)]

    def case_table(self, card: Scorecard) -> Table | None:
        """Return all cases with their panoptic quality and numbers of things, the worst first."""
        if not card.cases:
            return None
        rows = []
        for case in card.cases:
            quality = case.get("pq")
            known = quality is not None and np.isfinite(quality)
            cells = [Cell(figure(quality, 3), quality) if known else Cell("–")]
            cells += [Cell(str(case.get(n, "")), case.get(n)) for n in ("things", "called")]
            rows.append((Cell(str(case["case"])), *cells))
        rows.sort(key=lambda row: 2.0 if row[1].number is None else row[1].number)
        heads = ("case", "PQ", "true things", "called things")
        return Table("All cases", heads, rows, "A dash: nothing is there and nothing was called.")

    def foreign(
        self, path: Path, cases: Sequence[Case], target: TargetInfo, *, positive: str | None = None
    ) -> LazyInstances:
        """Return the masks of ids in a folder, matched by file name, each read when it is asked for."""
        return instance_answers(path, cases, target)


def answer_of(truth: object, labels: Sequence[Label], reference: Image) -> Instances:
    """Return a truth as an answer that is sure of each thing, for who looks at it or holds another against it."""
    things = load_things(truth, labels)
    array = things.ids.astype(np.min_scalar_type(max(int(things.ids.max(initial=0)), 1)))
    listed = tuple(Instance(k, name) for k, name in things.labels.items() if k not in things.crowd)
    return Instances(
        image=replace(reference, array=array[None], channels=(), unit=None, times_s=None),
        things=listed,
        labels=tuple(labels),
    )


def _counts(answer: Instances) -> Numbers:
    """Return the answer's part of counts."""
    held = answer.parts.get(COUNTS)
    return held if isinstance(held, Numbers) else answer.counts()


def _census(truth: Things, labels: Sequence[Label]) -> dict[str, float | None]:
    """Return the true number of each label; None where a region of many things of it is there."""
    many = {truth.labels[k] for k in truth.crowd if k in truth.labels}
    counts = truth.counts()
    return {x.name: None if x.name in many else float(counts.get(x.name, 0)) for x in labels}


def _sizes(answer: Instances) -> dict[int, int]:
    """Return how many voxels each id has."""
    ids = answer.image.array[0]
    counts = np.zeros(int(ids.max(initial=0)) + 1, dtype=np.int64)
    for plane in ids:  # plane by plane: a count copies what it counts
        counts += np.bincount(plane.ravel().astype(np.int64), minlength=len(counts))
    return {int(k): int(counts[k]) for k in np.flatnonzero(counts) if k}


def _sizes_by_label(answer: Instances) -> dict[str, list[int]]:
    """Return the voxels of each called thing, by label."""
    sizes = _sizes(answer)
    found: dict[str, list[int]] = {label.name: [] for label in answer.labels}
    for k in answer.called:
        thing = answer.things[k]
        found.setdefault(thing.label, []).append(sizes.get(thing.id, 0))
    return found


def _middles(answer: Instances) -> dict[int, list[int]]:
    """Return a voxel `(z, y, x)` of each thing, of all of its own the nearest to its middle."""
    found: dict[int, list[int]] = {}
    ids = answer.image.array[0]
    for number, window in enumerate(ndimage.find_objects(ids.astype(np.int32, copy=False)), start=1):
        if window is not None:
            own = np.argwhere(ids[window] == number)
            nearest = own[((own - own.mean(axis=0)) ** 2).sum(axis=1).argmin()]
            found[number] = [int(w.start + n) for w, n in zip(window, nearest, strict=True)]
    return found


def _ids_of(answer: Instances, label: str) -> Array:
    """Return the ids `(Z, Y, X)` of the called things of a label, 0 elsewhere."""
    things = (answer.things[k] for k in answer.called)
    found: Array = answer.table({thing.id: thing.id for thing in things if thing.label == label})[
        answer.image.array[0]
    ]
    return found


HANDLING = InstancesHandling()
