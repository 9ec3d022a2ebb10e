"""Isotonic maps: pools by hand and as scikit-learn finds them, knots that are never sure, and the choice by folds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, softmax

from vesalius.core import isotonic
from vesalius.core.calibration import answered, apply, compared, fit, in_words, log_losses, method_of
from vesalius.core.errors import DataError, PlanError

RNG = np.random.default_rng(5)


def test_pools_by_hand() -> None:
    p = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    x, share, n = isotonic.pools(p, np.array([0, 1, 0, 1, 1]))
    assert np.allclose(x, [0.1, 0.25, 0.45]) and np.allclose(share, [0, 0.5, 1]) and n.tolist() == [1, 2, 2]


def test_pools_are_those_of_scikit_learn() -> None:
    iso = pytest.importorskip("sklearn.isotonic")
    p = np.round(RNG.random(400), 2)  # with ties
    truth = RNG.random(400) < p**2
    x, share, n = isotonic.pools(p, truth)
    reference = iso.IsotonicRegression(out_of_bounds="clip").fit(p, truth)
    levels = np.unique(p)
    place = np.repeat(
        np.arange(len(x)), np.diff([0, *np.searchsorted(np.cumsum(_counts(p)), np.cumsum(n)) + 1])
    )
    assert np.allclose(reference.predict(levels), share[place])


def _counts(p: np.ndarray) -> np.ndarray:
    return np.unique(p, return_counts=True)[1]


def test_a_knot_is_drawn_towards_the_base_rate_by_one_case() -> None:
    knots = isotonic.fit_knots(np.array([0.2, 0.2, 0.9, 0.9]), np.array([False, False, True, True]))
    assert knots is not None
    assert np.allclose(knots["x"], [0.2, 0.9]) and np.allclose(knots["y"], [0.5 / 3, 2.5 / 3])


def test_two_cases_and_no_order() -> None:
    right = isotonic.fit_knots(np.array([0.3, 0.6]), np.array([False, True]))
    wrong = isotonic.fit_knots(np.array([0.3, 0.6]), np.array([True, False]))
    assert right == {"x": [0.3, 0.6], "y": [0.25, 0.75]} and wrong is not None
    assert np.allclose(wrong["x"], [0.45]) and np.allclose(wrong["y"], [0.5])
    tied = isotonic.fit_knots(np.full(6, 0.4), np.arange(6) % 3 == 0)
    assert tied is not None and len(tied["x"]) == 1 and np.allclose(tied["y"], 1 / 3)


def test_one_kind_of_case_has_no_map_and_nan_is_refused() -> None:
    assert isotonic.fit_knots(np.array([0.1, 0.9]), np.array([True, True])) is None
    with pytest.raises(DataError, match="finite"):
        isotonic.fit_knots(np.array([0.1, np.nan]), np.array([True, False]))


def test_maps_rise_are_few_and_never_sure() -> None:
    p = RNG.random(5000)
    truth = RNG.random(5000) < p
    knots = isotonic.fit_knots(p, truth, most=20)
    assert knots is not None and len(knots["x"]) <= 20
    assert (np.diff(knots["x"]) > 0).all() and (np.diff(knots["y"]) > 0).all()
    found = isotonic.mapped({"b": knots}, np.array([[1.0, 0.0], [0.0, 1.0]]), labels=["a", "b"])
    assert (found > 0).all() and (found < 1).all() and np.allclose(found.sum(axis=1), 1)
    within = np.linspace(knots["x"][0], knots["x"][-1], 500)
    assert (
        np.diff(isotonic.mapped({"b": knots}, within[:, None], labels=["b"], multilabel=True)[:, 0]) > 0
    ).all()


def test_a_crooked_score_is_straightened_and_a_temperature_cannot() -> None:
    true = RNG.random(8000)
    y = (RNG.random(8000) < true).astype(int)
    said = true**3  # no temperature turns this into `true`
    logits = np.stack([np.zeros(8000), np.log(said / (1 - said) + 1e-12)], axis=1)
    calibration = fit(logits, y, labels=["a", "b"], rule=None, method="isotonic")
    after = answered(calibration, logits[:, None], labels=["a", "b"])[:, 1]
    assert np.abs(after - true).mean() < 0.03 < np.abs(apply(calibration, logits)[:, 1] - true).mean()
    chosen = fit(logits, y, labels=["a", "b"], rule=None, method="auto")
    assert (
        chosen["isotonic"] == calibration["isotonic"]
        and chosen["chosen"]["gain"] > chosen["chosen"]["se"] > 0
    )


def test_auto_keeps_the_temperature_where_maps_do_no_better() -> None:
    logits = RNG.normal(0, 2, (300, 3))
    y = (softmax(logits, axis=1).cumsum(1) < RNG.random((300, 1))).sum(1)
    found = fit(logits, y, labels=list("abc"), method="auto")
    assert "log loss" in str(in_words(found)) and in_words(fit(logits, y, labels=list("abc"))) is None
    assert "isotonic" not in found and found["chosen"]["method"] == "temperature"
    assert found["temperature"] == fit(logits, y, labels=list("abc"))["temperature"]
    few = compared(logits[:9], y[:9], labels=list("abc"))
    assert few == {"method": "temperature", "gain": None, "se": None, "n": 9}


def test_cases_of_a_patient_stay_together() -> None:
    """Every case ten times: what is fitted on nine copies fits the tenth, unless all ten go together."""
    logits = np.repeat(np.stack([np.zeros(24), RNG.normal(0, 1, 24)], axis=1), 10, axis=0)
    y = np.repeat(RNG.integers(0, 2, 24), 10)
    apart = compared(logits, y, labels=["a", "b"])
    together = compared(logits, y, labels=["a", "b"], patients=[str(k // 10) for k in range(240)])
    assert apart["gain"] > together["gain"] and together["method"] == "temperature"
    assert together["se"] > 2 * apart["se"], "24 patients say less than 240 cases"


def test_default_is_what_it_was_and_maps_average_members_first() -> None:
    logits = RNG.normal(0, 2, (60, 2))
    y = np.arange(60) % 2
    before = fit(logits, y, labels=["a", "b"])
    assert set(before) == {"temperature", "thresholds", "rule", "points"}
    raw = RNG.normal(0, 2, (5, 2))
    assert np.array_equal(answered(before, raw, labels=["a", "b"]), apply(before, raw).mean(axis=0))
    maps = {"b": {"x": [0.2, 0.8], "y": [0.1, 0.9]}}
    found = answered({"isotonic": maps}, raw, labels=["a", "b"])
    assert found[1] == pytest.approx(np.interp(softmax(raw, axis=1)[:, 1].mean(), [0.2, 0.8], [0.1, 0.9]))
    one = fit(logits[:, None], y, labels=["a", "b"], method="isotonic")
    two = fit(logits, y, labels=["a", "b"], method="isotonic")
    assert one == two, "an ensemble of one is one"


def test_several_labels_have_a_map_each_and_unknown_bits_do_not_count() -> None:
    p = RNG.random((500, 2))
    y = (RNG.random((500, 2)) < p**2).astype(int)
    y[:250, 1] = -1
    logits = np.log(p / (1 - p))
    found = fit(logits, y, labels=["a", "b"], multilabel=True, method="isotonic")
    knots = isotonic.fit_knots(expit(logits[250:, 1] / found["temperature"]), y[250:, 1] == 1)
    assert knots is not None and np.allclose(found["isotonic"]["b"]["y"], knots["y"])
    assert np.allclose(found["isotonic"]["b"]["x"], knots["x"])
    assert np.isnan(log_losses(p, np.full((500, 2), -1), multilabel=True)).all()


@pytest.mark.parametrize("multilabel", [False, True])
@pytest.mark.parametrize("labels", [["a", "b"], ["a", "b", "c"]])
def test_torch_says_the_same(labels: list[str], multilabel: bool) -> None:
    import torch

    from vesalius.tasks._mapped import mapped

    k = len(labels)
    p = softmax(RNG.normal(0, 2, (400, k)), axis=1)
    y = RNG.integers(0, 2, (400, k)) if multilabel else (p.cumsum(1) < RNG.random((400, 1))).sum(1)
    maps = isotonic.fit(p, y, labels=labels, multilabel=multilabel)
    tried = np.concatenate([p[:50], np.eye(k), np.full((1, k), 1 / k)])
    mine = mapped(maps, torch.from_numpy(tried), labels=labels, multilabel=multilabel).numpy()
    assert np.allclose(mine, isotonic.mapped(maps, tried, labels=labels, multilabel=multilabel), atol=1e-12)


def test_words() -> None:
    assert method_of(None) == "temperature" and method_of("auto") == "auto"
    with pytest.raises(PlanError, match="no method of calibration"):
        method_of("platt")
