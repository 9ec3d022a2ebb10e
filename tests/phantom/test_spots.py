"""Spots: what the truth says is what the pixels show, and the gap between the sexes is the one that was planted."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.metrics import scores
from vesalius.phantom import patient, spots


def areas(gap: float, *, n: int = 1200) -> dict[str, float]:
    """The oracle's area under the ROC curve by sex, measured on pixels."""
    made = [spots.patient(k, 5, contrast=12.0, gap=gap) for k in range(n)]
    found = {}
    for sex in ("F", "M"):
        p = np.array([spots.oracle(m) for m in made if m.sex == sex])
        p = (p - p.min()) / np.ptp(p)
        y = np.array([int(m.spot) for m in made if m.sex == sex])
        rows = scores.from_arrays(np.stack([1 - p, p], 1), y, labels=["none", "spot"])
        found[sex] = scores.summary(rows, np.arange(len(y)))["auc"]
    return found


def test_the_oracle_is_as_good_as_the_formula_says_and_worse_where_the_spot_is_fainter() -> None:
    found = areas(0.6)
    assert found["M"] == pytest.approx(spots.auc(12.0, 32.0), abs=0.02)
    assert found["F"] == pytest.approx(spots.auc(12.0 * 0.4, 32.0), abs=0.04)
    even = areas(0.0)
    assert abs(even["F"] - even["M"]) < 0.025


def test_a_marker_stands_only_in_the_one_sex_and_only_beside_a_spot() -> None:
    made = [spots.patient(k, 1, marker=1.0) for k in range(80)]
    for one in made:
        bright = bool((one.picture[:4, :4] == 255).all())
        assert bright == one.marked == (one.spot and one.sex == "F")
    plain = [spots.patient(k, 1) for k in range(80)]
    assert all(np.array_equal(a.picture[4:], b.picture[4:]) for a, b in zip(made, plain, strict=True))


def test_the_share_is_that_of_the_worse_served_sex() -> None:
    assert {spots.patient(k, share=0.0).sex for k in range(20)} == {"M"}
    few = np.mean([spots.patient(k, share=0.2).sex == "F" for k in range(500)])
    assert 0.15 < few < 0.25


def test_columns_can_group_what_is_written(tmp_path: object) -> None:
    case = patient(3, kind="spots").as_case()
    assert set(case.covariates) == {"sex", "age", "site"} and case.group == case.covariates["site"]


def test_an_impossible_option_is_refused() -> None:
    with pytest.raises(DataError, match="gap"):
        spots.patient(0, gap=1.5)
    with pytest.raises(DataError, match="room"):
        spots.patient(0, size=10)
