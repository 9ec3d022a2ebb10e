"""Where all cases are right the bootstrap has no width: what so few patients can say, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius import metrics
from vesalius.core.answers.curve import Curve
from vesalius.core.case import Event
from vesalius.core.scorecard import Interval
from vesalius.metrics import Standing, bootstrap, curve, mask, scores

EXACT = {n: 0.025 ** (1 / n) for n in (2, 3, 4, 5, 6, 10)}  # (1 − .95) / 2 = low ** n


def judged(judge, rows, patients):
    return bootstrap(
        rows,
        judge.summary,
        patients=patients,
        counts=judge.counts(rows),
        standing=metrics.standing(judge, rows),
        n=50,
    )


def two_classes(truths):
    y = np.array(truths)
    p = np.where(y == 1, 0.9, 0.1)
    return scores.from_arrays(np.column_stack([1 - p, p]), y, labels=["no", "yes"])


def test_each_figure_of_two_classes_stands_on_its_own_cases() -> None:
    found = judged(scores, two_classes([1] * 4 + [0] * 6), list(range(10)))
    for name, n in (
        ("accuracy", 10),
        ("recall", 4),
        ("precision", 4),
        ("f1", 4),
        ("specificity", 6),
        ("balanced_accuracy", 4),
        ("auc", 4),
        ("average_precision", 4),
    ):
        one = found[name]
        assert (one.value, one.high) == (1.0, 1.0) and one.low == pytest.approx(EXACT[n]), name
    assert (found["brier"].low, found["brier"].high) == pytest.approx((0.01, 0.01))  # no share: as it was


def test_patients_count_and_not_their_cases() -> None:
    patients = ["a"] * 3 + ["b"] * 2 + ["c"] * 5
    found = judged(scores, two_classes([1] * 5 + [0] * 5), patients)
    assert found["recall"].low == pytest.approx(EXACT[2]) and found["accuracy"].low == pytest.approx(EXACT[3])
    assert found["recall"].n == 10


def test_none_right_is_the_mirror_image_and_a_share_between_stays_as_it_was() -> None:
    rows = two_classes([1] * 4 + [0] * 6)
    wrong = scores.from_arrays(1 - rows["p"], rows["y"], labels=["no", "yes"])
    none = judged(scores, wrong, list(range(10)))["accuracy"]
    assert (none.value, none.low) == (0.0, 0.0) and none.high == pytest.approx(1 - EXACT[10])
    p = rows["p"].copy()
    p[0] = p[9]
    some = scores.from_arrays(p, rows["y"], labels=["no", "yes"])
    plain = bootstrap(some, scores.summary, patients=range(10), n=50)
    assert judged(scores, some, list(range(10)))["accuracy"] == plain["accuracy"]


def test_a_mean_over_labels_stands_on_the_rarest() -> None:
    y = np.array([0] * 6 + [1] * 5 + [2] * 2)
    rows = scores.from_arrays(np.eye(3)[y], y, labels=list("abc"))
    found = judged(scores, rows, list(range(13)))
    assert found["recall/a"].low == pytest.approx(EXACT[6]) and found["recall/c"].low == pytest.approx(
        EXACT[2]
    )
    assert found["recall"].low == found["balanced_accuracy"].low == pytest.approx(EXACT[2])


def test_what_is_not_known_counts_for_no_label() -> None:
    y = np.array([[1, 1], [1, -1], [1, 0], [0, 0], [0, -1]])
    rows = scores.from_arrays(np.clip(y, 0.1, 0.9), y, labels=["a", "b"], kind="multilabel")
    found = judged(scores, rows, list(range(5)))
    assert found["accuracy/a"].low == pytest.approx(EXACT[5]) and found["accuracy/b"].low == pytest.approx(
        EXACT[3]
    )
    assert found["recall/a"].low == pytest.approx(EXACT[3]) and found["specificity/a"].low == pytest.approx(
        EXACT[2]
    )


def test_a_mask_that_is_the_truth_in_every_case_is_not_one_for_sure() -> None:
    rows = mask.table([{"dice/liver": 1.0}] * 3 + [{}], list("abcd"))
    found = judged(mask, rows, list("abcd"))
    assert found["dice"].low == found["dice/liver"].low == pytest.approx(EXACT[3])  # of three it is known


def test_a_concordance_of_one_stands_on_events_and_on_pairs() -> None:
    days = np.array([250.0, 950, 1900])

    def low(patients: int, with_event: int) -> float | None:
        times = [100.0 * (k + 1) for k in range(patients)]
        truths = [Event(t, k < with_event) for k, t in enumerate(times)]
        said = [
            Curve(times_days=days, survival={"": np.exp(-days / t)}, risk=-t, case_id=str(k))
            for k, t in enumerate(times)
        ]
        return judged(curve, curve.rows(said, truths), list(range(patients)))["c_index"].low

    assert low(20, 16) == pytest.approx(EXACT[10])  # twenty patients make ten pairs that share nobody
    assert low(40, 10) == pytest.approx(EXACT[10])  # of forty each pair needs one of ten events


@pytest.mark.parametrize("share,n", [(0.6, 5), (0.9, 10)])
def test_the_chance_to_see_only_ones_is_what_the_bound_allows(share: float, n: int) -> None:
    """Numbers from 0 to 1 of any law: all are 1 with a chance of at most their mean to the power of n."""
    rng = np.random.default_rng(0)
    drawn = np.where(rng.random((20_000, n)) < share, 1.0, 0.0)
    alone = (drawn == 1).all(axis=1).mean()
    softer = np.where(
        rng.random((20_000, n)) < share / 2, 1.0, share / (2 - share)
    )  # the same mean, fewer ones
    assert softer.mean() == pytest.approx(share, abs=0.01)
    assert (softer == 1).all(axis=1).mean() <= alone == pytest.approx(share**n, abs=0.01)
    low = metrics.widened(Interval(1.0, 1.0, 1.0, n, 0), n).low
    assert low is not None and low**n == pytest.approx(0.025)


def test_only_what_has_no_width_at_an_end_is_widened() -> None:
    for one in (
        Interval(1.0, 0.9, 1.0, 9, 0),
        Interval(0.5, 0.5, 0.5, 9, 0),
        Interval(1.0, None, None, 9, 0, "why"),
    ):
        assert metrics.widened(one, 9) == one
    odd = Standing(frozenset({"kappa"}))
    assert metrics.at_ends({"x": Interval(1.0, 1.0, 1.0, 9, 0)}, odd, patients=range(9))["x"].low == 1.0
