"""Random and adversarial cohorts of boxes in pictures, and what faster-coco-eval says of them."""

from __future__ import annotations

import numpy as np

from vesalius.core.answers.boxes import Boxes
from vesalius.core.case import Box
from vesalius.core.cohort import Label

Cohort = tuple[list[Boxes], list[tuple[Box, ...]], tuple[str, ...]]
SORTS = ("random", "ties", "crowd", "empty", "many", "edges", "absent")


def cohort(sort: str, seed: int) -> Cohort:
    """A made-up cohort: whole-number boxes, so that both sides compute the same overlaps."""
    rng = np.random.default_rng(seed)
    names = ("a",) if sort in ("edges", "many") else ("a", "b", "c")
    labels = tuple(Label(k, name) for k, name in enumerate(names))
    answers, truths = [], []
    for k in range(4 if sort == "many" else 12):
        real, found, p = [], [], []
        for _ in range(int(rng.integers(40, 90) if sort == "many" else rng.integers(0, 7))):
            name = str(rng.choice(names[:2] if sort == "absent" else names))
            y, x = rng.integers(0, 60, 2)
            h, w = rng.integers(3, 20, 2)
            crowd = sort == "crowd" and rng.random() < 0.4
            real.append(_box(y, x, h * (3 if crowd else 1), w * (3 if crowd else 1), name, crowd=crowd))
            for _ in range(int(rng.integers(0, 3))):  # missed, found, or found twice
                dy, dx, dh, dw = rng.integers(-1, 2, 4)
                wrong = str(rng.choice(names)) if rng.random() < 0.1 else name
                found.append(_box(y + dy, x + dx, max(h + dh, 1), max(w + dw, 1), wrong))
        for _ in range(int(rng.integers(0, 60 if sort == "many" else 5))):
            found.append(_box(*rng.integers(0, 60, 2), *rng.integers(1, 20, 2), str(rng.choice(names))))
        if sort == "empty" and k % 3 == 0:
            real = []
        if sort == "empty" and k % 4 == 0:
            found = []
        if sort == "edges":  # overlaps of exactly a half, two true ones equally near, and a copy of each box
            real = [_box(0, 0, 10, 10, "a"), _box(0, 20, 10, 10, "a"), _box(0, 30, 10, 10, "a"), *real]
            found = [_box(0, 0, 5, 10, "a"), _box(0, 25, 10, 10, "a"), _box(0, 0, 5, 10, "a"), *found]
        p = rng.random(len(found))
        p[: len(found) // 2] = p[: len(found) // 2] ** 0.5  # those that are near a true one are surer
        if sort in ("ties", "edges", "many"):
            p = np.round(p * 4) / 4
        answers.append(Boxes(boxes=tuple(found), p=p, labels=labels, case_id=str(k)))
        truths.append(tuple(real))
    return answers, truths, names


def by_coco(made: Cohort, most: int = 100) -> dict[str, float]:
    """Average precision by faster-coco-eval, by our names; labels without a true box are not there."""
    from faster_coco_eval import COCO, COCOeval_faster  # type: ignore[import-not-found]

    answers, truths, names = made
    place = {name: k + 1 for k, name in enumerate(names)}
    known = [
        {"id": n + 1, "image_id": k + 1, "category_id": place[b.label], "bbox": _xywh(b), "area": _area(b),
         "iscrowd": int(b.crowd)}
        for n, (k, b) in enumerate((k, b) for k, real in enumerate(truths) for b in real)
    ]  # fmt: skip
    images = [{"id": k + 1, "width": 100, "height": 100, "file_name": str(k)} for k in range(len(truths))]
    categories = [{"id": k, "name": n} for n, k in place.items()]
    data = {"info": {}, "images": images, "annotations": known, "categories": categories}
    found = [
        {"image_id": k + 1, "category_id": place[b.label], "bbox": _xywh(b), "score": float(p)}
        for k, answer in enumerate(answers)
        for b, p in zip(answer.boxes, answer.p, strict=True)
    ]
    truth = COCO(data)
    run = COCOeval_faster(truth, truth.loadRes(found), "bbox", print_function=lambda *_: None)
    run.params.iouThrs = np.concatenate([[0.1], np.linspace(0.5, 0.95, 10)])
    run.params.maxDets = [1, 10, most]
    run.evaluate()
    run.accumulate()
    precision = np.asarray(run.eval["precision"])[:, :, :, 0, -1]  # (T, R, K)
    ap = np.where(precision > -1, precision, np.nan).mean(axis=1)
    there = np.isfinite(ap[0])
    figures = {"ap10": ap[0], "ap50": ap[1], "ap": ap[1:].mean(axis=0)}
    each = {f"{m}/{n}": float(v[k]) for m, v in figures.items() for k, n in enumerate(names) if there[k]}
    return {m: float(v[there].mean()) for m, v in figures.items()} | each


def _box(y: int, x: int, h: int, w: int, name: str, *, crowd: bool = False) -> Box:
    return Box((0.0, float(y), float(x)), (1.0, float(y + h), float(x + w)), name, crowd)


def _xywh(box: Box) -> list[float]:
    return [box.low[2], box.low[1], box.high[2] - box.low[2], box.high[1] - box.low[1]]


def _area(box: Box) -> float:
    return (box.high[2] - box.low[2]) * (box.high[1] - box.low[1])
