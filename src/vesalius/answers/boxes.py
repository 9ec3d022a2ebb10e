"""Boxes: where things lie in an image, as boxes with labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vesalius import formats, metrics
from vesalius.answers import _box_doubt, _missed
from vesalius.answers import _box_figures as shown
from vesalius.answers import _grown as grown
from vesalius.answers import _moved_boxes as moved
from vesalius.answers import _stated as stated
from vesalius.answers import _unsure as unsure
from vesalius.answers._asking import number_place
from vesalius.answers.contract import ForeignAnswers, Handling, Judged, Kept, Panel
from vesalius.answers.drawing import framing
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.panels import Table
from vesalius.answers.drawing.slices import Slice
from vesalius.answers.foreign.boxes import CORNERS, box_answers
from vesalius.answers.numbers import HANDLING as NUMBERS
from vesalius.answers.value import number_changed
from vesalius.core.answers.boxes import COUNTS, Boxes, counts_of
from vesalius.core.answers.numbers import Numbers
from vesalius.core.ask import Ask
from vesalius.core.case import Box, Case, Ref
from vesalius.core.census import census
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.doubt import Doubt
from vesalius.core.errors import UnknownName, VesaliusError
from vesalius.core.growth import Changed, errors_of
from vesalius.core.image import Array, Image, Triple
from vesalius.core.marks import Mark
from vesalius.core.palette import colour_of
from vesalius.core.promise import Limits
from vesalius.core.scorecard import Scorecard
from vesalius.core.stated import Statement
from vesalius.core.words import counted
from vesalius.metrics import Rows
from vesalius.metrics import boxes as judge
from vesalius.prepare.between import Between

TARGETS = ("boxes",)
KNOWN_AGAIN = 16  # of the surest boxes
COUNTED, MISSED = "counts", "missed"  # the ways to promise something
FROC_RATES = 2.0 ** np.linspace(-3, 3, 25)  # false boxes an image at which the curve is drawn
CLINICAL = 12  # labels at most of which curves are drawn
OUTSIDE = 1.0  # voxels by which a box may reach beyond its image


class BoxesHandling(Handling[Boxes]):
    """What is done with boxes. What is called is shown and counted; figures are of all candidates."""

    kind = Boxes
    objects = (".sr.dcm",)
    headlines = ("ap50", "ap10", "ap", "froc", "sensitivity", "false_per_image")
    metric_names: ClassVar[Mapping[str, str]] = {
        "ap": "AP, IoU .5 to .95", "ap50": "AP at IoU .5", "ap10": "AP at IoU .1", "froc": "FROC score", "f1": "F1",
        "false_per_image": "false boxes an image", "count_mae": "error of counts",
        "count_relative": "relative error of counts", "count_bias": "bias of counts",
        "count_spearman": "Spearman ρ of counts", "count_inside": "counts within the promised interval",
        "count_width": "width of the promised intervals",
        **{f"sensitivity_at_{n}": f"sensitivity at {n.replace('_', '/')} false an image"
           for n in ("1_8", "1_4", "1_2", "1", "2", "4", "8")},
    }  # fmt: skip
    one_sided = ("sensitivity", "precision", "false_per_image", "count_inside", "count_width")
    left_out: ClassVar[Mapping[str, str]] = {
        "crowd": "true count not known, for a region of many things is there",
        "absent": "no true box in any case, left out of means",
    }
    baseline = "the true boxes of the training case that is most like the others, whatever the image shows"
    compared = ("ap50", "ap10", "sensitivity", "false_per_image")
    monailabel = "detection"
    draws = True
    asks = ("box",)
    ways = (COUNTED, MISSED)
    unsure_by = (unsure.ENTROPY, unsure.MARGIN)
    error = "1 − F1"
    listing = "boxes.csv"

    # --- what is written of them and shown

    def columns(self, answer: Boxes) -> dict[str, Any]:
        """Return how many boxes are called, of each label too, the label of the surest, and the highest probability."""
        called = answer.called
        names = [answer.boxes[k].label for k in called]
        return {
            "boxes": len(called),
            **{f"{label.name}_boxes": names.count(label.name) for label in answer.labels},
            "surest": names[0] if names else "",
            "highest_p": float(np.max(answer.p)) if len(answer.boxes) else 0.0,
        }

    def listed(self, answer: Boxes) -> list[dict[str, Any]]:
        """Return a row a candidate, the surest first: label, corners, probability, and whether it is called.

        Corners are in pixels of the image from 0 on, high excluded, as in the layout of boxes beside images. An answer
        without a box has one row that is empty but for its case.
        """
        called = set(answer.called)
        rows = [
            {
                "label": answer.boxes[k].label,
                **dict(zip(CORNERS, (*answer.boxes[k].low, *answer.boxes[k].high), strict=True)),
                "p": float(answer.p[k]),
                "called": int(k in called),
            }
            for k in np.argsort(-np.asarray(answer.p), kind="stable").tolist()
        ]
        return rows or [dict.fromkeys(("label", *CORNERS, "p", "called"), "")]

    def summary(self, answer: Boxes) -> dict[str, Any]:
        """Return each label with its colour, how many of it are called, and from which probability on."""
        names = [answer.boxes[k].label for k in answer.called]
        every = [box.label for box in answer.boxes]
        labels = [
            {
                "name": label.name,
                "colour": colour_of(label, k),
                "called": names.count(label.name),
                "candidates": every.count(label.name),
                "threshold": (answer.thresholds or {}).get(label.name),
            }
            for k, label in enumerate(answer.labels)
        ]
        return {"fields": self.columns(answer), "labels": labels}

    def states(self, answer: Boxes) -> list[Statement]:
        """Return of each label how many boxes are called, how large the largest is, and on which side they lie."""
        every: dict[str, float] = {}
        for box, chance in zip(answer.boxes, np.asarray(answer.p).tolist(), strict=True):
            every[box.label] = max(chance, every.get(box.label, 0.0))
        called = [answer.boxes[k] for k in answer.called]
        p = [float(answer.p[k]) for k in answer.called]
        names = [x.name for x in answer.labels]

        def corners(name: str) -> Array:
            return stated.corners_of([box for box in called if box.label == name])

        grid = stated.Grid.of(answer.on, names, corners) if isinstance(answer.on, Image) else None
        return stated.of_boxes(names, called, p, every, grid)

    def marks(self, answer: Boxes) -> list[Mark]:
        """Return how many boxes are called, and the labels, probabilities and corners of the surest of all."""
        p = np.asarray(answer.p, dtype=np.float64)
        surest = np.argsort(-p, kind="stable")[:KNOWN_AGAIN].tolist()
        chosen = [answer.boxes[k] for k in surest]
        corners = [float(x) for box in chosen for x in (*box.low, *box.high)]
        limits = answer.thresholds or {}
        far = [abs(q - limits[b.label]) for q, b in zip(p, answer.boxes, strict=True) if b.label in limits]
        return [
            Mark("boxes", str(len(answer.called)), margin=min(far, default=1.0)),
            Mark("labels of the surest boxes", ", ".join(box.label for box in chosen)),
            Mark("probabilities of the surest boxes", tuple(float(p[k]) for k in surest)),
            Mark(
                "corners of the surest boxes", tuple(corners), unit=max(map(abs, corners), default=1.0) or 1.0
            ),
        ]

    def lines(self, answer: Boxes) -> list[Line]:
        """Return the label, the probability and the place of each box that is called, the surest first."""
        colours = framing.colours(answer)
        found = [
            Line(
                answer.boxes[k].label,
                f"{float(answer.p[k]):.3f} at z, y, x {_place(answer.boxes[k].low)} to {_place(answer.boxes[k].high)}",
                share=float(answer.p[k]),
                colour=colours.get(answer.boxes[k].label),
            )
            for k in answer.called
        ]
        left = len(answer.boxes) - len(found)
        return [*found, Line("not called", counted(left, "candidate"))] if left else found

    def colours(self, answer: Boxes) -> dict[str, str]:
        """Return the colour of each label, as pictures and the viewer show it."""
        return {label.name: colour_of(label, k) for k, label in enumerate(answer.labels)}

    def shown_by(self, answer: Boxes, image: Image) -> Image | None:
        """Return through which slices the surest called box reaches, so that one is shown; None without a box."""
        called = answer.called or tuple(np.argsort(-np.asarray(answer.p), kind="stable")[:1].tolist())
        return framing.reached([answer.boxes[k] for k in called[:1]], image) if called else None

    def shown_beside(self, answer: Boxes, truth: Any, image: Image) -> Image | None:
        """Return through which slices called and true boxes reach, so that the one with most of them is shown."""
        every = [*(answer.boxes[k] for k in answer.called), *truth]
        return framing.reached(every, image) if every else None

    def draw(self, axes: Any, answer: Boxes, image: Image, shown: Slice) -> None:
        """Draw each called box that the slice cuts, in the colour of its label, with its label and probability."""
        framing.draw(axes, answer, image, shown)

    def draw_truth(self, axes: Any, truth: Any, image: Image, shown: Slice) -> None:
        """Draw the true boxes that the slice cuts, in dashes of the truth's own colour; crowds in dots."""
        framing.draw_truth(axes, truth, image, shown)

    def legend(self, labels: Sequence[Label]) -> dict[str, int]:
        """Return the labels, whose colours the pictures have."""
        return {x.name: x.value for x in labels}

    # --- what is asked of them, how far opinions are apart, and what is promised

    def ask(self, answer: Boxes, of: str, which: str | None) -> Ask:
        """Return the k-th box; by default the surest."""
        surest = int(np.argmax(answer.p)) if len(answer.p) else 0
        place = number_place(which, len(answer.boxes), what=of, default=surest)
        box = answer.boxes[place]
        label = next((k for k, x in enumerate(answer.labels) if x.name == box.label), None)
        return Ask(
            of, place, words=f"box {place + 1}, {box.label}", box=np.array([box.low, box.high]), label=label
        )

    def doubt(self, answer: Boxes, samples: Sequence[Boxes]) -> Doubt:
        """Return how far opinions are apart in the probability, the place and the number of called boxes."""
        return _box_doubt.doubt(answer, samples)

    def strangeness(self, answer: Boxes, truth: Any, way: str) -> Mapping[str, float | Array]:
        """Return by label how far its count is off, or, of `missed`, the shares that thresholds would miss."""
        if way == MISSED:
            return dict(_missed.missed(answer, truth))
        if way not in ("", COUNTED):
            raise UnknownName("way to promise something of boxes", way, self.ways)
        return NUMBERS.strangeness(_counts(answer), census(truth), "")

    def promised(self, answer: Boxes, limits: Limits) -> Boxes:
        """Return the answer with an interval for each count, or with the outer boxes that miss few of the true ones."""
        if limits.way == MISSED:
            return _missed.promised(answer, limits)
        counts = NUMBERS.promised(_counts(answer), replace(limits, way="", about=None))
        if counts.promise is None:
            return answer
        says = (
            f"the true number of each label lies in its interval in at least {limits.share} cases like those of the "
            "calibration"
        )
        return replace(
            answer,
            promise=replace(counts.promise, says=says),
            parts={**answer.parts, COUNTS: counts},
        )

    def kept(self, answer: Boxes, truth: Any) -> Kept | None:
        """Return whether each count's interval holds the true one, or the share that the outer boxes miss."""
        if answer.promise is None:
            return None
        if answer.promise.part == _missed.OUTER:
            return _missed.kept(answer, truth)
        return NUMBERS.kept(_counts(answer), census(truth))

    def sure(self, answer: Boxes) -> float:
        """Return the F1 score that the answer's own probabilities lead one to expect of what it calls."""
        called = np.zeros(len(answer.boxes), dtype=bool)
        called[list(answer.called)] = True
        return _expected(np.asarray(answer.p, dtype=np.float64), called)

    def unsure(self, answer: Boxes, by: str) -> float:
        """Return the sum of the entropies of all boxes, called or not, or the largest of their margins."""
        return unsure.of_things(np.asarray(answer.p), by)

    def sureness(self, rows: Rows) -> Array:
        """Return the F1 score that each answer's own probabilities lead one to expect."""
        pairs = zip(rows["p"], rows["called"], strict=True)
        return np.array([_expected(p, called) for p, called in pairs], dtype=np.float64)

    def losses(self, rows: Rows) -> Array:
        """Return what is lacking in the F1 score of each case."""
        return np.asarray(1 - self.each(rows))

    # --- where they lie in their image

    def placed(self, answer: Boxes, low: Sequence[int], reference: Image) -> Boxes:
        """Return the boxes moved by the place at which the part began, in parts too."""
        moved = tuple(replace(b, low=_moved(b.low, low), high=_moved(b.high, low)) for b in answer.boxes)
        parts = {
            name: self.placed(part, low, reference) if isinstance(part, Boxes) else part
            for name, part in answer.parts.items()
        }
        return replace(answer, boxes=moved, parts=parts)

    def misplaced(self, answer: Boxes, reference: Image) -> str | None:
        """Return which box has no extent, or reaches further beyond the image than rounding explains."""
        size = np.array(reference.shape, dtype=np.float64)
        for k, box in enumerate(answer.boxes, start=1):
            low, high = np.array(box.low), np.array(box.high)
            where = f"box {k}, {box.label}, from {_place(box.low)} to {_place(box.high)} (z, y, x)"
            if not (np.isfinite(low).all() and np.isfinite(high).all() and (low < high).all()):
                return f"{where} is empty"
            if (low < -OUTSIDE).any() or (high > size + OUTSIDE).any():
                whole = ", ".join(f"{n:g}" for n in size)
                return (
                    f"{where} lies outside of an image of {whole}; corners are pixels of the image, z, y, x"
                )
        return None

    # --- held against the truth

    def truth(self, target: Any, case: Case) -> tuple[Box, ...]:
        """Return the true boxes."""
        return tuple(target)

    def measure(self, answer: Boxes, truth: Any, case: Case) -> dict[str, Any]:
        """Return corners, probabilities and true boxes, to be matched when all cases are there."""
        return judge.row(replace(answer, case_id=case.id), truth, spacing_mm=_spacing(case.image))

    def rows(self, measured: Sequence[Any], case_ids: Sequence[str]) -> Rows:
        """Return the table of all cases, boxes matched with true ones."""
        return judge.table(measured, case_ids)

    def rate(self, answer: Boxes, truth: Any, measured: Any) -> tuple[float, str]:
        """Return the F1 score of what is called, 1 where there is nothing and nothing was called."""
        rows = judge.table([measured or judge.row(answer, truth)], [answer.case_id])
        right, wrong, true = (int(x.sum()) for x in judge.of_cases(rows))
        caption = f"{right} of {counted(true, 'box', 'boxes')} found, {wrong} false"
        return float(self.each(rows)[0]), caption

    def each(self, rows: Rows) -> Array:
        """Return the F1 score of what is called in each case, 1 where there is nothing and nothing was called."""
        right, wrong, true = (x.sum(axis=1) for x in judge.of_cases(rows))
        every = right + wrong + true
        return np.asarray(np.where(every > 0, 2 * right / np.maximum(every, 1), 1.0))

    def strata(self, rows: Rows) -> Array:
        """Return whether there truly is anything."""
        return np.asarray((rows["true"].sum(axis=1) > 0).astype(np.int64))

    def again(self, card: Scorecard) -> Rows | None:
        """Return the rows of what was matched; None where a card does not hold it."""
        rules = card.curves.get("rules")
        if not rules or not all("p" in case for case in card.cases):
            return None
        info = {**rules, "hit": judge.Hit(**rules["hit"]), "thresholds": dict(card.thresholds)}
        ids = [str(case["case"]) for case in card.cases]
        return judge.again(card.cases, ids, labels=card.labels, info=info)

    def case(self, rows: Rows, index: int) -> dict[str, Any]:
        """Return what one case's boxes came to, of which figures can be made again."""
        return judge.kept(rows, index)

    # --- scorecard and report

    def curves(self, rows: Rows) -> dict[str, Any]:
        """Return precision and recall by label, what is found by size, and the rules that all figures follow."""
        return shown.curves(rows)

    def clinical(self, rows: Rows, judged: Judged, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Return FROC curves with their intervals, and the agreement of counts."""
        labels = [x for k, x in enumerate(rows.info["labels"]) if rows["true"][:, k].any()][:CLINICAL]
        places = [rows.info["labels"].index(x) for x in labels]

        def sensitivities(table: Rows, index: Array) -> dict[str, float]:
            found = judge.froc_curve(table, index, FROC_RATES)[places]
            return {f"{n} {k}": float(v) for n, row in enumerate(found) for k, v in enumerate(row)}

        points = judged(sensitivities) if labels else {}
        curves = {
            label: {
                "x": FROC_RATES.tolist(),
                **shown.band([points[f"{n} {k}"] for k in range(len(FROC_RATES))]),
            }
            for n, label in enumerate(labels)
        }
        counts = {
            label: {
                name: asdict(one)
                for name, one in judged(metrics.agreement(rows[f"x/{label}"], rows[f"y/{label}"])).items()
            }
            for label in labels
            if np.isfinite(rows[f"y/{label}"]).sum() > 1
        }
        return {"froc": curves, "counts": counts} if labels else {}

    def facts(self, card: Scorecard) -> list[tuple[str, str]]:
        """Return when a box has found a true one, how many count, and what is called."""
        return shown.facts(card)

    def figures(self, card: Scorecard) -> list[Figure]:
        """Return precision and recall, the FROC curves, and what is found by size."""
        return shown.figures(card)

    def clinic(self, card: Scorecard) -> list[Panel]:
        """Return what a call means, label by label, and how counts agree with the true ones."""
        return shown.clinic(card)

    def case_table(self, card: Scorecard) -> Table | None:
        """Return how many boxes of all cases are true, called, found and false; the worst first."""
        rows = self.again(card)
        return None if rows is None or not len(rows) else shown.cases(rows, self.each(rows))

    # --- at two visits

    def changed(self, earlier: Boxes, later: Boxes, between: Between) -> Changed:
        """Return how many boxes of each label are called at both visits, and what became of each of them."""
        known = {} if between.card is None else between.card.clinical.get("counts", {})
        counts = [one.parts.get(COUNTS) for one in (earlier, later)]
        before, after = (
            one.values if isinstance(one, Numbers) else counts_of(answer).values
            for one, answer in zip(counts, (earlier, later), strict=True)
        )
        growths, notes, parts = [], list(grown.unregistered(between, "boxes")), []
        for place, label in enumerate(grown.labels_of(earlier.labels, later.labels)):
            if label.name in before and label.name in after:
                one = number_changed(
                    label.name,
                    before[label.name],
                    after[label.name],
                    errors_of(known.get(label.name), between.card),
                    same=between.same,
                )
                growths += [
                    replace(g, quantity="number", sizes=True, colour=colour_of(label, place))
                    for g in one.growths
                ]
                notes += one.notes
            if between.placed:
                parts += moved.followed(earlier, later, label.name, between)
        return Changed(tuple(growths), tuple(parts), notes=tuple(notes))

    def carried(self, answer: Boxes, between: Between) -> Boxes:
        """Return the boxes on the later visit's image."""
        return moved.carried(answer, between)

    # --- another tool's boxes

    def foreign(
        self, path: Path, cases: Sequence[Case], target: TargetInfo, *, positive: str | None = None
    ) -> ForeignAnswers:
        """Return the boxes in a table with a row a box, or in COCO's JSON of results. Raises DataError."""
        return box_answers(path, cases, target)


def _counts(answer: Boxes) -> Numbers:
    """Return the part that says the counts, or how many boxes are called."""
    part = answer.parts.get(COUNTS)
    return part if isinstance(part, Numbers) else counts_of(answer)


def _expected(p: Array, called: Array) -> float:
    """Return the F1 score that is expected of called boxes where probabilities mean what they say.

    Where nothing is called it is the chance that there is nothing.
    """
    if not called.any():
        return float(np.prod(1 - p))
    right = float(p[called].sum())
    return 2 * right / (int(called.sum()) + float(p.sum()))


def _spacing(image: Ref | Image | None) -> Triple | None:
    """Return the spacing of a case's image `(x, y, z)`, from its header where it is not read; None where not known."""
    if isinstance(image, Image):
        return image.spacing_mm
    try:
        found = None if image is None else formats.header(image)
    except VesaliusError:
        return None
    if found is None:
        return None
    if found.spacing_mm is not None or found.affine is None:
        return found.spacing_mm
    x, y, z = (float(v) for v in np.linalg.norm(np.asarray(found.affine)[:3, :3], axis=0))
    return x, y, z


def _place(corner: Triple) -> str:
    return ", ".join(f"{v:.4g}" for v in corner)


def _moved(corner: Triple, by: Sequence[int]) -> Triple:
    return (corner[0] + by[0], corner[1] + by[1], corner[2] + by[2])


HANDLING = BoxesHandling()
