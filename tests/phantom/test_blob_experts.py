"""The blob's experts err as often as is stated, and the last two together."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.phantom.blob import cohort_truth, patient
from vesalius.phantom.common.experts import EXPERTS, calls, chosen
from vesalius.phantom.contract import Recipe


def test_experts_call_as_often_right_as_is_stated_and_the_last_two_err_together() -> None:
    many, experts = 1500, chosen(5)
    positive = np.arange(many) % 2 == 0
    called = [calls(experts, 0, k, positive=bool(positive[k])) for k in range(many)]
    wrong = np.array([[said[e.name] for e in experts] for said in called]) != positive[:, None]
    for k, expert in enumerate(experts):
        assert 1 - wrong[positive, k].mean() == pytest.approx(expert.sensitivity, abs=0.05)
        assert 1 - wrong[~positive, k].mean() == pytest.approx(expert.specificity, abs=0.05)
    together = np.corrcoef(wrong.T)
    assert together[3, 4] > 0.7 and np.abs(together[:4, :4] - np.eye(4)).max() < 0.1


def test_outlines_of_poor_experts_are_poor_and_alike() -> None:
    drawn = [
        p for k in range(8) if (p := patient(k, 0, size=64, experts=5, experts_say="lesion")).lesion.any()
    ]

    def dice(a: str, b: str) -> float:
        pairs = [(p.experts[a], p.experts[b] if b else p.lesion) for p in drawn]
        return float(np.mean([2 * (x & y).sum() / (x.sum() + y.sum()) for x, y in pairs]))

    assert dice("A", "") > 0.9 > 0.8 > dice("D", "")
    assert dice("D", "E") > dice("D", "A") + 0.1
    empty = next(p for k in range(8) if not (p := patient(k, 0, experts=2, experts_say="lesion")).positive)
    assert not any(np.any(m) for m in empty.experts.values())


def test_experts_change_nothing_else_and_the_truth_knows_them() -> None:
    plain, seen = patient(3, 1, size=64), patient(3, 1, size=64, experts=5)
    np.testing.assert_array_equal(plain.volume, seen.volume)
    assert set(seen.truth()["experts"]) == set("ABCDE") and "experts" not in plain.truth()
    recipe = Recipe("blob", 2, 0, "png", {"experts": 5, "experts_say": "class"})
    known = cohort_truth(recipe)["experts"]
    assert known["E"]["errs_with"] == "D" and known["A"]["sensitivity"] == EXPERTS[0].sensitivity
    with pytest.raises(DataError, match="2 to 5"):
        patient(0, experts=1)
