"""A model among experts: by hand, and against experts of whom it is one."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.case import IGNORED, Case
from vesalius.core.cohort import Label
from vesalius.core.image import Image
from vesalius.core.interval import Interval
from vesalius.evaluate.among import MARGIN, Among, sentence, verdict

LABELS = (Label(0, "no"), Label(1, "yes"))
EXPERTS = ("expert a", "expert b", "expert c")


def said(yes: bool) -> Scores:
    return Scores(labels=LABELS, p=np.array([0.2, 0.8] if yes else [0.8, 0.2]), kind="exclusive")


def case(name: str, *words: str | None) -> Case:
    return Case(name, {}, reference=None, targets={e: w for e, w in zip(EXPERTS, words, strict=True) if w})


def test_the_model_takes_each_experts_place_in_turn_by_hand() -> None:
    among = Among(EXPERTS, "Scores")
    among.add(case("1", "yes", "yes", "no"), said(True))
    among.add(case("2", "no", "yes", None), said(True))
    among.add(case("3", "yes", None, None), said(False))
    found = among.found()["figures"]
    # case 1: model with (b, c), (a, c), (a, b): 1/2, 1/2, 1; experts there: 1/2, 1/2, 0
    # case 2: model with b, then with a: 1, 0; experts there: 0, 0. Case 3 has nobody to agree with.
    assert found["model"]["value"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert found["experts"]["value"] == pytest.approx((1 / 3 + 0) / 2)
    assert found["difference"]["n"] == 2
    assert found["with/expert a"]["value"] == pytest.approx(1 / 3) and found["with/expert a"]["n"] == 3
    assert "in 2 cases" in sentence(among.found())


def test_a_model_that_is_as_the_experts_are_is_as_good_and_a_guess_is_worse() -> None:
    rng = np.random.default_rng(0)
    for share, wanted in ((0.85, "as good"), (0.5, "worse"), (1.0, "better")):
        among = Among(EXPERTS, "Scores")
        for k in range(300):
            truth = rng.random() < 0.5
            words = ["yes" if (rng.random() < 0.85) == truth else "no" for _ in EXPERTS]
            among.add(case(str(k), *words), said((rng.random() < share) == truth))
        found = among.found()
        assert found["verdict"] == wanted, (share, found["figures"]["difference"])


def test_masks_are_compared_by_dice_where_both_know_what_is() -> None:
    def drawn(*values: int) -> Image:
        return Image(np.array(values, np.int16).reshape(1, 1, 1, -1))

    held = Case(
        "1", {}, reference=None, targets={"expert a": drawn(1, 1, 0, 0), "expert b": drawn(1, 0, 0, IGNORED)}
    )
    among = Among(EXPERTS[:2], "Mask")
    among.add(held, Mask(image=drawn(1, 1, 1, 1), labels=(Label(1, "x"),)))
    table = among.alike[0]
    np.testing.assert_allclose(table, [[np.nan, 2 / 3], [2 / 3, np.nan], [4 / 6, 2 / 4]])


def test_verdicts_are_those_of_the_interval() -> None:
    for low, high, wanted in (
        (0.01, 0.1, "better"),
        (-MARGIN, 0.1, "as good"),
        (-0.2, -0.01, "worse"),
        (-0.2, 0.1, "open"),
        (-0.04, -0.01, "as good"),
    ):
        assert verdict(Interval(0.0, low, high, 9)) == wanted
    assert verdict(Interval(0.0, None, None, 1)) == "open"
