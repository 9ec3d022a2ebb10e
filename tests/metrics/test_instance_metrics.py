"""Metrics of Instances against hand-worked cases, and against slow code that follows the papers word by word."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.answers.instances import Instances
from vesalius.core.case import Instance
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.core.things import Things, meetings
from vesalius.metrics import instances as judge

LABELS = (Label(1, "red"), Label(2, "white"))


def answer(ids: np.ndarray, things: list[tuple[int, str, float]], **more: float) -> Instances:
    made = tuple(Instance(*t) for t in things)
    return Instances(image=Image(ids[None]), things=made, labels=LABELS, thresholds=more or None)


def figures(answers: list[Instances], truths: list[Things]) -> dict[str, float]:
    rows = judge.rows(answers, truths)
    return judge.summary(rows, np.arange(len(rows)))


def test_a_case_by_hand() -> None:
    truth, ours = np.zeros((1, 4, 10), np.int32), np.zeros((1, 4, 10), np.int32)
    truth[0, 0, :4], truth[0, 1, :4], truth[0, 2, :4] = 1, 2, 3
    ours[0, 0, :3], ours[0, 1, :2], ours[0, 3, :5] = 1, 2, 3  # IoU 3/4; 2/4, which is not above .5; nothing
    got = figures(
        [answer(ours, [(1, "red", 0.9), (2, "red", 0.8), (3, "white", 0.7)])],
        [Things(truth, {1: "red", 2: "red", 3: "white"})],
    )
    assert got["sq/red"] == 0.75 and got["rq/red"] == 1 / (1 + 0.5 + 0.5) and got["pq/red"] == 0.375
    assert got["pq/white"] == 0.0 and np.isnan(got["sq/white"]) and got["pq"] == 0.1875
    assert got["ap50/red"] == 1.0, "COCO's match is from .5 on"
    assert got["ap/red"] == pytest.approx((1 + 5 * 51 / 101) / 10)
    assert got["ap50/white"] == 0.0 and got["ap50"] == 0.5
    assert got["aji/red"] == 5 / 8 and got["aji/white"] == 0.0
    assert got["sensitivity/red"] == 0.5 and got["precision/red"] == 0.5
    assert got["count_mae"] == 0.0 and got["count_bias/red"] == 0.0


def test_what_is_not_called_counts_in_average_precision_alone() -> None:
    ids = np.zeros((1, 2, 8), np.int32)
    ids[0, 0, :4], ids[0, 1, :4] = 1, 2
    truth = Things(np.where(ids == 1, 1, 0), {1: "red"})
    got = figures([answer(ids, [(1, "red", 0.9), (2, "red", 0.2)], red=0.5)], [truth])
    assert got["pq/red"] == got["ap50/red"] == 1.0 and got["count_bias/red"] == 0.0
    got = figures([answer(ids, [(1, "red", 0.2), (2, "red", 0.9)], red=0.5)], [truth])
    assert got["pq/red"] == 0.0 and got["ap50/red"] == 0.5 and got["aji/red"] == 0.0


def test_a_crowd_is_neither_missed_nor_a_false_alarm() -> None:
    truth, ours = np.zeros((1, 2, 10), np.int32), np.zeros((1, 2, 10), np.int32)
    truth[0, 0, :4], truth[0, 1, :] = 1, 2
    ours[0, 0, :4], ours[0, 1, :3], ours[0, 1, 3:6] = 1, 2, 3
    things = Things(truth, {1: "red", 2: "red"}, crowd=frozenset({2}))
    rows = judge.rows([answer(ours, [(1, "red", 0.5), (2, "red", 0.9), (3, "red", 0.8)])], [things])
    got = judge.summary(rows, np.array([0]))
    assert got["pq/red"] == got["ap50/red"] == got["aji/red"] == 1.0 and np.isnan(got["count_mae/red"])
    assert judge.excluded(rows)["crowd/red"] == 1


def test_what_nobody_knows_counts_for_nothing() -> None:
    truth, ours = np.zeros((1, 2, 10), np.int32), np.zeros((1, 2, 10), np.int32)
    truth[0, 0, :4] = 1
    ours[0, 0, :8], ours[0, 1, 5:] = 1, 2
    unknown = np.zeros(ours.shape, bool)
    unknown[0, :, 4:] = True
    got = figures(
        [answer(ours, [(1, "red", 0.9), (2, "red", 0.9)])], [Things(truth, {1: "red"}, unknown=unknown)]
    )
    assert got["pq/red"] == 1.0 and got["count_bias/red"] == 0.0


def blobs(rng: np.random.Generator, many: int, shape: tuple[int, int, int]) -> np.ndarray:
    ids = np.zeros(shape, np.int32)
    for k in range(1, many + 1):
        low = [int(rng.integers(0, n)) for n in shape]
        size = [int(rng.integers(1, max(2, n // 2))) for n in shape]
        ids[tuple(slice(a, a + n) for a, n in zip(low, size, strict=True))] = k
    return ids


def slow(ours: list[tuple[np.ndarray, dict]], theirs: list[tuple[np.ndarray, dict]], label: str) -> dict:
    """PQ, AJI and AP at .5 of one label, mask by mask, as Kirillov, Kumar and COCO write them."""
    iou_sum = tp = fp = fn = 0
    joints, scored, true = [], [], 0
    for case, ((a, said), (b, real)) in enumerate(zip(ours, theirs, strict=True)):
        mine = [(a == k, p) for k, (name, p) in said.items() if name == label and (a == k).any()]
        mine.sort(key=lambda m: -m[1])
        truths = [b == k for k, name in real.items() if name == label and (b == k).any()]
        true += len(truths)
        ious = np.array([[(m & t).sum() / (m | t).sum() for t in truths] for m, _ in mine]).reshape(
            len(mine), len(truths)
        )
        hits = [(i, j) for i in range(len(mine)) for j in range(len(truths)) if ious[i, j] > 0.5]
        tp, iou_sum = tp + len(hits), iou_sum + sum(ious[i, j] for i, j in hits)
        fp, fn = fp + len(mine) - len(hits), fn + len(truths) - len(hits)
        joint = union = 0
        used = set()
        for j, t in enumerate(truths):  # Kumar 2017, algorithm 1
            i = int(ious[:, j].argmax()) if len(mine) else -1
            if i >= 0 and ious[i, j] > 0:
                joint, union = joint + (mine[i][0] & t).sum(), union + (mine[i][0] | t).sum()
                used.add(i)
            else:
                union += t.sum()
        union += sum(m.sum() for i, (m, _) in enumerate(mine) if i not in used)
        joints += [joint / union] if union else []
        taken = set()
        for i in sorted(range(len(mine)), key=lambda i: -mine[i][1]):
            free = [j for j in range(len(truths)) if j not in taken and ious[i, j] >= 0.5]
            best = max(free, key=lambda j: (ious[i, j], j), default=None)
            taken |= set() if best is None else {best}
            scored.append((mine[i][1], case, best is not None))
    every = tp + (fp + fn) / 2
    scored.sort(key=lambda s: -s[0])
    found, precision, recall = 0, [], []
    for n, (_, _, hit) in enumerate(scored, start=1):
        found += hit
        precision.append(found / n)
        recall.append(found / true if true else 0)
    at = [
        max((p for p, r in zip(precision, recall, strict=True) if r >= x), default=0.0)
        for x in np.linspace(0, 1, 101)
    ]
    return {
        "pq": iou_sum / every if every else np.nan, "aji": np.mean(joints) if joints else np.nan,
        "ap50": float(np.mean(at)) if true else np.nan,
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_random_masks_agree_with_slow_code(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (1, 14, 16) if seed % 2 else (4, 7, 8)
    answers, truths, ours, theirs = [], [], [], []
    for _ in range(4):
        b = blobs(rng, int(rng.integers(0, 7)), shape)
        a = (
            np.roll(b, int(rng.integers(0, 2)), axis=2) * (rng.random(shape) < 0.97)
            if rng.random() < 0.8
            else b * 0
        )
        a = np.where(blobs(rng, 2, shape) == 1, 9, a)
        names = ("red", "white")
        said = {k: (str(rng.choice(names)), float(rng.random())) for k in map(int, np.unique(a)) if k}
        real = {k: str(rng.choice(names)) for k in map(int, np.unique(b)) if k}
        said = {k: (real.get(k, v[0]), v[1]) for k, v in said.items()}
        ours.append((a, said))
        theirs.append((b, real))
        answers.append(answer(a, [(k, n, p) for k, (n, p) in said.items()]))
        truths.append(Things(b, real))
    got = figures(answers, truths)
    for name in ("red", "white"):
        want = slow(ours, theirs, name)
        for metric, value in want.items():
            assert got[f"{metric}/{name}"] == pytest.approx(value, abs=1e-12, nan_ok=True), metric


def test_resamples_are_those_of_cohorts_made_of_them_and_rows_come_back() -> None:
    rng = np.random.default_rng(5)
    answers, truths = [], []
    for _ in range(5):
        b = blobs(rng, 5, (1, 12, 12))
        a = np.roll(b, 1, axis=1)
        real = {k: "red" if k % 2 else "white" for k in map(int, np.unique(b)) if k}
        answers.append(answer(a, [(k, real[k], float(rng.random())) for k in map(int, np.unique(a)) if k]))
        truths.append(Things(b, real))
    rows, index = judge.rows(answers, truths), np.array([0, 3, 3, 1])
    again = judge.rows([answers[k] for k in index], [truths[k] for k in index])
    want = judge.summary(again, np.arange(4))
    got = judge.summary(rows, index)
    assert got.keys() == want.keys()
    for name, value in want.items():
        assert got[name] == pytest.approx(value, nan_ok=True), name
    kept = [{"case": c, **judge.kept(rows, k)} for k, c in enumerate(rows.case_ids)]
    back = judge.summary(judge.again(kept, rows.info["labels"]), index)
    assert all(back[n] == pytest.approx(v, nan_ok=True) for n, v in got.items())
    both = judge.joined(rows, again)
    assert len(both) == 9 and judge.summary(both, index) == pytest.approx(got, nan_ok=True)


def test_ids_that_meet_are_counted() -> None:
    one, other = np.array([[[1, 1, 0, 0]]]), np.array([[[0, 7, 7, 0]]])
    named, counted = meetings(one, other)
    assert named.tolist() == [[0, 7], [1, 0], [1, 7]] and counted.tolist() == [1, 1, 1]
