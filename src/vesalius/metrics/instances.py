"""Metrics of Instances: panoptic quality, average precision of masks, the aggregated Jaccard index, and counts.

Things are matched once a case and threshold; a resample only weighs the cases. Average precision has the rules of boxes
(COCO), with the overlap of masks in place of theirs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core.answers.instances import Instances
from vesalius.core.errors import GeometryError
from vesalius.core.image import Array
from vesalius.core.things import Things, meetings
from vesalius.metrics import _ragged as ragged
from vesalius.metrics import numbers
from vesalius.metrics._counted import excluded, renamed
from vesalius.metrics._matching import HIT, NEITHER, greedy
from vesalius.metrics._otsu import baseline
from vesalius.metrics._rows import Rows

__all__ = [
    "again", "baseline", "best_overlaps", "counts", "excluded", "joined", "kept", "occurrences", "row", "rows",
    "summary", "table",
]  # fmt: skip

ANSWER = "Instances"
DESCRIPTIONS = {
    "pq": {"text": "panoptic quality: segmentation quality times recognition quality (Kirillov 2019)",
           "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "sq": {"text": "segmentation quality: mean IoU of the things that are found", "better": "higher", "low": 0.0,
           "high": 1.0, "unit": ""},
    "rq": {"text": "recognition quality: F1 of the things that are called, found at an IoU above .5",
           "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "ap": {"text": "average precision of masks, the mean over IoU .5 to .95 in steps of .05 (COCO)",
           "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "ap50": {"text": "average precision of masks at an IoU of .5 (COCO)", "better": "higher", "low": 0.0,
             "high": 1.0, "unit": ""},
    "aji": {"text": "aggregated Jaccard index, the mean over images (Kumar 2017)", "better": "higher", "low": 0.0,
            "high": 1.0, "unit": ""},
    "sensitivity": {"text": "share of true things that a called one finds at an IoU above .5", "better": "higher",
                    "low": 0.0, "high": 1.0, "unit": ""},
    "precision": {"text": "share of called things that find a true one at an IoU above .5", "better": "higher",
                  "low": 0.0, "high": 1.0, "unit": ""},
    "count_mae": {"text": "mean size of the error of the number of called things", "better": "lower", "low": 0.0,
                  "high": None, "unit": ""},
    "count_relative": {"text": "mean of |count − truth| / truth, over cases that have any", "better": "lower",
                       "low": 0.0, "high": None, "unit": ""},
    "count_bias": {"text": "mean error of the number of called things, count minus truth", "better": "zero",
                   "low": None, "high": None, "unit": ""},
}  # fmt: skip
IOU = np.linspace(0.5, 0.95, 10)  # COCO's
MOST = 100  # of the surest things of one label and case that count, as COCO has it
_COUNTED = {"mae": "count_mae", "relative": "count_relative", "bias": "count_bias"}
_SUMS = ("iou", "hits", "false", "true", "crowds", "said", "joint", "union")  # of each label in a case
_CELLS = ("p", "label", "hit", "neither")


def row(answer: Instances, truth: Things) -> dict[str, Any]:
    """Return what is kept of one case until all are there: sums by label, and how each thing ended.

    What the truth does not know counts for nothing: those voxels are taken out of the answer, too. Raises
    GeometryError where the grids differ.
    """
    ids = answer.image.array[0]
    if ids.shape != truth.ids.shape:
        raise GeometryError(
            f"case {answer.case_id}: truth and answer must lie on one grid",
            found=f"{ids.shape} and {truth.ids.shape}",
        )
    met = _Met.of(ids, truth)
    called = {answer.things[k].id for k in answer.called}
    things = [t for t in answer.things if t.id in met.sizes]  # others lie where nothing is known
    names = dict.fromkeys(
        (*(x.name for x in answer.labels), *truth.labels.values(), *(t.label for t in things))
    )
    sums, ends = {}, np.zeros((len(things), len(IOU)), dtype=np.int8)
    for name in names:
        mine = sorted((k for k, t in enumerate(things) if t.label == name), key=lambda k: -things[k].p)
        real = [k for k in truth.labels if truth.labels[k] == name and k in met.true_sizes]
        crowd = np.array([k in truth.crowd for k in real], dtype=bool)
        if mine and real:
            near = met.overlaps([things[k].id for k in mine], real, crowd)
            ends[mine] = greedy(near, crowd, IOU.tolist())[0]
        sums[name] = met.sums([things[k].id for k in mine if things[k].id in called], real, crowd)
    return {
        "sums": sums, "labels": [x.name for x in answer.labels], "p": np.array([t.p for t in things]),
        "names": [t.label for t in things], "ends": ends,
    }  # fmt: skip


def best_overlaps(answer: Instances, truth: Things) -> Array:
    """Return of each thing of an answer the largest overlap (IoU) with a true one of its label, `(N,)`.

    NaN of one that counts for nothing: most of it lies in a region of many, or where nothing is known.
    """
    met = _Met.of(answer.image.array[0], truth)
    overlaps = np.full(len(answer.things), np.nan)
    for name in {t.label for t in answer.things}:
        mine = [k for k, t in enumerate(answer.things) if t.label == name and t.id in met.sizes]
        real = [k for k in truth.labels if truth.labels[k] == name and k in met.true_sizes]
        crowd = np.array([k in truth.crowd for k in real], dtype=bool)
        near = met.overlaps([answer.things[k].id for k in mine], real, crowd)
        best = np.where(crowd[None], 0.0, near).max(axis=1, initial=0.0)
        within = (near * crowd[None]).sum(axis=1) > 0.5
        overlaps[mine] = np.where(within & (best <= 0.5), np.nan, best)
    return overlaps


def rows(answers: Sequence[Instances], truths: Sequence[Things]) -> Rows:
    """Return a row a case. Raises GeometryError."""
    made = [row(a, t) for a, t in zip(answers, truths, strict=True)]
    return table(made, [a.case_id for a in answers])


def table(made: Sequence[Mapping[str, Any]], case_ids: Sequence[str]) -> Rows:
    """Return the rows from what `row` gave for each case.

    Of one label and case the 100 surest things count in average precision, as in COCO; all of them where any case truly
    has more than 100 of one label.
    """
    labels = list(dict.fromkeys(n for one in made for n in (*one["labels"], *one["sums"])))
    place = {name: k for k, name in enumerate(labels)}
    sums = {name: np.zeros((len(made), len(labels))) for name in _SUMS}
    cells: dict[str, list[Array]] = {name: [] for name in _CELLS}
    bits = 1 << np.arange(len(IOU), dtype=np.int32)
    for k, one in enumerate(made):
        for name, held in one["sums"].items():
            for column in _SUMS:
                sums[column][k, place[name]] = held[column]
        cells["p"].append(np.asarray(one["p"], dtype=np.float64))
        cells["label"].append(np.array([place[n] for n in one["names"]], dtype=np.int16))
        cells["hit"].append(((one["ends"] == HIT) * bits).sum(axis=1).astype(np.int32))
        cells["neither"].append(((one["ends"] == NEITHER) * bits).sum(axis=1).astype(np.int32))
    return _of(case_ids, labels, sums, cells)


def kept(rows: Rows, index: int) -> dict[str, Any]:
    """Return what of one row a scorecard keeps, as JSON takes it; `again` makes rows of it."""
    return {name: rows[name][index].tolist() for name in (*_SUMS, *_CELLS)}


def again(cases: Sequence[Mapping[str, Any]], labels: Sequence[str]) -> Rows:
    """Return the rows that `kept` kept, of cases with their id under `case`."""
    sums = {n: np.array([c[n] for c in cases], dtype=np.float64).reshape(len(cases), -1) for n in _SUMS}
    kinds = {"p": np.float64, "label": np.int16, "hit": np.int32, "neither": np.int32}
    cells = {n: [np.array(c[n], dtype=kinds[n]) for c in cases] for n in _CELLS}
    return _of([str(c["case"]) for c in cases], labels, sums, cells)


def joined(first: Rows, second: Rows) -> Rows:
    """Return the rows of two tables of the same labels, one after the other."""
    sums = {n: np.concatenate([first[n], second[n]]) for n in _SUMS}
    cells = {n: [*first[n], *second[n]] for n in _CELLS}
    return _of((*first.case_ids, *second.case_ids), first.info["labels"], sums, cells)


def summary(rows: Rows, index: Array) -> dict[str, float]:
    """Return every figure of each label, `pq/NAME`, and its mean over the labels, `pq`.

    Panoptic quality is of all things of the cases together, and a label that is called where it never truly is has 0,
    as Kirillov's code has it. Average precision leaves out labels without a true thing. NaN where a figure is not
    defined.
    """
    held, labels = rows.prepared or _prepared(rows), rows.info["labels"]
    weight = np.bincount(index, minlength=len(rows))
    iou, hits, false, true = (weight @ rows[n] for n in ("iou", "hits", "false", "true"))
    every = hits + (false + true - hits) / 2
    seen = np.zeros(len(held["case"]) + 1, dtype=np.int64)
    np.cumsum(weight[held["case"]], out=seen[1:])
    ap = ragged.precisions(dict(held), weight, seen, true.astype(np.int64)).mean(axis=1).reshape(len(IOU), -1)
    index_of = _ratio(rows["joint"], rows["union"])
    there = np.isfinite(index_of)
    each = {
        "pq": _ratio(iou, every), "sq": _ratio(iou, hits), "rq": _ratio(hits, every),
        "ap": ap.mean(axis=0), "ap50": ap[0], "aji": _ratio(weight @ np.nan_to_num(index_of), weight @ there),
        "sensitivity": _ratio(hits, true), "precision": _ratio(hits, hits + false),
    }  # fmt: skip
    found: dict[str, float] = {}
    for name, values in each.items():
        known = values[np.isfinite(values)]
        found[name] = float(known.mean()) if len(known) else float("nan")
        found |= {f"{name}/{label}": float(v) for label, v in zip(labels, values, strict=True)}
    return found | renamed(numbers.summary(rows, index), _COUNTED)


def counts(rows: Rows) -> dict[str, int]:
    """Return of how many cases each figure speaks, where not of all: those with a thing, true or called."""
    found: dict[str, int] = {}
    some = (rows["true"] > 0) | (rows["hits"] + rows["false"] > 0)
    for names, there in (
        (("pq", "rq", "precision"), some), (("aji",), rows["union"] > 0), (("sq",), rows["hits"] > 0),
        (("sensitivity",), rows["true"] > 0),
    ):  # fmt: skip
        for name in names:
            found[name] = int(there.any(axis=1).sum())
            found |= {f"{name}/{x}": int(there[:, k].sum()) for k, x in enumerate(rows.info["labels"])}
    return found | renamed(numbers.counts(rows), _COUNTED)


def occurrences(rows: Rows) -> dict[str, tuple[int, int, int]]:
    """For each label: cases with a true thing, cases with a called one, and all cases."""
    return {
        label: (int((rows["true"][:, k] > 0).sum()), int((rows["said"][:, k] > 0).sum()), len(rows))
        for k, label in enumerate(rows.info["labels"])
    }


class _Met:
    """Which things of an answer and of the truth meet on how many voxels, where anything is known."""

    def __init__(self, both: dict[tuple[int, int], int], sizes: dict[int, int], true: dict[int, int]) -> None:
        self.both, self.sizes, self.true_sizes = both, sizes, true

    @classmethod
    def of(cls, ids: Array, truth: Things) -> _Met:
        """Return what is counted of the ids `(Z, Y, X)` of an answer beside the truth."""
        theirs = truth.ids
        if truth.unknown is not None:
            ids, theirs = np.where(truth.unknown, 0, ids), np.where(truth.unknown, 0, theirs)
        named, counted = meetings(ids, theirs)
        sizes: dict[int, int] = {}
        true: dict[int, int] = {}
        for (a, b), n in zip(named.tolist(), counted.tolist(), strict=True):
            sizes[a] = sizes.get(a, 0) + n
            true[b] = true.get(b, 0) + n
        both = {(a, b): n for (a, b), n in zip(named.tolist(), counted.tolist(), strict=True) if a and b}
        return cls(both, {k: n for k, n in sizes.items() if k}, {k: n for k, n in true.items() if k})

    def overlaps(self, mine: Sequence[int], real: Sequence[int], crowd: Array) -> Array:
        """Return intersections over unions `(N, M)`; over the answer's own size where `crowd` marks many things."""
        near = np.zeros((len(mine), len(real)))
        rows, columns = ({k: n for n, k in enumerate(ids)} for ids in (mine, real))
        for (a, b), n in self.both.items():
            if a in rows and b in columns:
                many = bool(crowd[columns[b]])
                whole = self.sizes[a] if many else self.sizes[a] + self.true_sizes[b] - n
                near[rows[a], columns[b]] = n / whole
        return near

    def sums(self, called: Sequence[int], real: Sequence[int], crowd: Array) -> dict[str, float]:
        """Return what a case adds to the figures of one label: `called` are the answer's ids, `real` the true ones."""
        near = self.overlaps(called, real, crowd)
        single = np.where(crowd[None], 0.0, near)
        hits = single > 0.5  # at most one of a row and of a column, for things do not overlap
        within = (near * crowd[None]).sum(axis=1) > 0.5 if near.size else np.zeros(len(called), bool)
        joint, union, used = 0, 0, set[int]()
        plain = [k for k, many in zip(real, crowd, strict=True) if not many]
        for k in plain:
            best = int(np.argmax(single[:, real.index(k)])) if called else -1
            met = self.both.get((called[best], k), 0) if best >= 0 else 0
            joint += met
            union += self.true_sizes[k] + (self.sizes[called[best]] - met if met else 0)
            used |= {called[best]} if met else set()
        idle = {a for a, lost in zip(called, within, strict=True) if lost}
        union += sum(self.sizes[a] for a in called if a not in used and a not in idle)
        return {
            "iou": float(single[hits].sum()), "hits": float(hits.sum()),
            "false": float((~hits.any(axis=1) & ~within).sum()) if len(called) else 0.0,
            "true": float(len(plain)), "crowds": float(crowd.sum()), "said": float(len(called)),
            "joint": float(joint), "union": float(union),
        }  # fmt: skip


def _of(
    case_ids: Sequence[str],
    labels: Sequence[str],
    sums: Mapping[str, Array],
    cells: Mapping[str, list[Array]],
) -> Rows:
    columns = {**sums, **{name: ragged.column(column) for name, column in cells.items()}}
    if len(case_ids):
        x = {n: sums["said"][:, k] for k, n in enumerate(labels)}
        y = {n: np.where(sums["crowds"][:, k] > 0, np.nan, sums["true"][:, k]) for k, n in enumerate(labels)}
        columns |= dict(numbers.from_arrays(x, y).columns)
    most = int(sums["true"].max(initial=0))
    info = {
        "labels": tuple(labels), "units": dict.fromkeys(labels, "1"), "alike": True,
        "most": MOST if most <= MOST else max((len(p) for p in cells["p"]), default=0),
    }  # fmt: skip
    bare = Rows(tuple(case_ids), columns, info)
    return Rows(bare.case_ids, bare.columns, bare.info, _prepared(bare))


def _prepared(rows: Rows) -> dict[str, Array]:
    held = ragged.ordered(rows["p"], rows["label"], many=len(rows.info["labels"]), most=rows.info["most"])
    starts = np.concatenate([[0], np.cumsum([len(x) for x in rows["label"]])]).astype(np.int64)
    at = starts[held["case"]] + held["cell"]
    hit, neither = (
        np.concatenate([*rows[n], np.zeros(0, np.int32)]).astype(np.int64)[at] for n in ("hit", "neither")
    )
    bit = np.arange(len(IOU))
    flags = np.where((hit[:, None] >> bit) & 1, HIT, np.where((neither[:, None] >> bit) & 1, NEITHER, 0))
    return held | ragged.grouped(flags, held)


def _ratio(top: Array, bottom: Array) -> Array:
    top, bottom = np.asarray(top, dtype=np.float64), np.asarray(bottom, dtype=np.float64)
    found: Array = np.divide(top, bottom, out=np.full(top.shape, np.nan), where=bottom > 0)
    return found
