"""The explanations of many cases: mean maps on a grid that is worked out by hand, figures, and what was withheld."""

from __future__ import annotations

import math

import numpy as np
import pytest

from vesalius.core.image import Image
from vesalius.core.plan import DataPlan
from vesalius.explain.mean import Common, MeanMap, common
from vesalius.explain.overview import gains_of, means_of, methods_of, why


def plan(**changed: object) -> DataPlan:
    given = {"images": ["image"], "channels": 1, "dims": 2, "sampling": "whole", "size": [1, 8, 8]}
    return DataPlan.model_validate({**given, "normalise": [{"method": "zscore"}], **changed})


def picture(array: np.ndarray) -> Image:  # type: ignore[type-arg]
    return Image(array=array.astype(np.float32)[None, None])


def test_the_grid_is_the_models_own_where_all_cases_share_it() -> None:
    grid = common(plan(), parts=False)
    assert grid.shape == (1, 8, 8) and "the model sees every case, 8 × 8" in grid.words
    wide = np.zeros((8, 16))
    wide[:, 12:] = (
        1  # the right quarter of a picture twice as wide as high: two rows are left empty above and below
    )
    values, seen = grid.of(picture(wide))
    assert seen[0].sum() == 4 * 8 and not seen[0, :2].any() and not seen[0, 6:].any()
    assert values[0, 0, 2:6, 6:].min() > 0.8 and abs(values[0, 0, 2:6, :5]).max() < 0.1


@pytest.mark.parametrize("changed", [{"sampling": "patches"}, {"size": [1, 4096, 4096]}])
def test_else_each_image_is_stretched_onto_one_grid_and_that_is_said(changed: dict[str, object]) -> None:
    grid = common(plan(**changed), parts=False)
    assert grid.shape == (1, 128, 128) and "stretched" in grid.words
    assert "stretched" in common(plan(), parts=True).words
    for height, width in ((20, 30), (64, 64), (300, 10)):
        field = np.zeros((height, width))
        field[: height // 2, : width // 2] = 1
        values, seen = grid.of(picture(field))
        assert values.shape == (1, 1, 128, 128) and seen.all()
        assert values[0, 0, :50, :50].min() > 0.9 and abs(values[0, 0, 78:]).max() < 0.1


def test_images_that_lie_the_other_way_are_turned_before_they_are_joined() -> None:
    field = np.zeros((4, 6))
    field[:, :3] = 1
    affine = np.diag([-1.0, 1.0, 1.0, 1.0])  # x runs to the patient's right
    turned = Image(array=field.astype(np.float32)[None, None], affine=affine)
    values, _ = common(plan(sampling="patches"), parts=False).of(turned)
    assert values[0, 0, :, 80:].min() > 0.9 and values[0, 0, :, :48].max() < 0.1


def test_each_map_counts_the_same_and_what_says_nothing_does_not_count() -> None:
    mean, everywhere = MeanMap((1, 1, 4)), np.ones((1, 1, 4), bool)
    mean.add(np.array([[[4.0, 0, 0, 0]]]), everywhere)  # as an even map would say 1: 4, 0, 0, 0
    mean.add(np.array([[[0.0, 0, -1e6, 1e6]]]), everywhere)  # however large its numbers: 0, 0, -2, 2
    half = np.array([[[True, True, False, False]]])
    mean.add(np.array([[[1.0, 3.0, np.nan, 7.0]]]), half)  # of the two places that it looked at: 0.5, 1.5
    mean.add(np.zeros((1, 1, 4)), everywhere)
    assert (mean.fields, mean.flat, mean.halves) == (3, 1, None)
    assert mean.mean is not None
    assert mean.mean[0, 0].tolist() == pytest.approx([4.5 / 3, 1.5 / 3, -1, 1])
    assert MeanMap((1, 1, 4)).mean is None


def test_halves_of_maps_that_point_anywhere_do_not_agree_and_of_one_place_do() -> None:
    rng, everywhere = np.random.default_rng(0), np.ones((1, 12, 12), bool)
    noise, spot = MeanMap((1, 12, 12)), MeanMap((1, 12, 12))
    for _ in range(40):
        noise.add(rng.standard_normal((1, 12, 12)), everywhere)
        field = 0.3 * rng.standard_normal((1, 12, 12))
        field[0, 2:8, 5:9] += 3
        spot.add(field, everywhere)
    assert abs(noise.halves or 9) < 0.25 < 0.4 < (spot.halves or 0)
    centre = MeanMap((1, 12, 12))
    centre.add(np.exp(-np.add.outer(*[np.linspace(-1, 1, 12) ** 2] * 2))[None], everywhere)
    assert centre.like_middle == pytest.approx(1, abs=0.01)  # ties of the middle are broken by rounding


def row(case: str, asked: str, method: str, fails: str = "", **figures: float) -> dict[str, str]:
    return {"case": case, "asked": asked, "method": method, "fails": fails} | {
        k: str(v) for k, v in figures.items()
    }


def test_figures_are_means_over_all_cases_and_reasons_are_counted_without_their_numbers() -> None:
    rows = [
        row(f"c{k}", "yes" if k < 6 else "no", name, "" if k % 2 else f"it is no better (gain 0.{k}, the middle 0.9)",
            gain=k / 10, **{"covariate age": (-1) ** k * 2.0})
        for k in range(8) for name in ("a", "b")
    ]  # fmt: skip
    rows.append({"case": "c9", "asked": "no", "method": "c", "fails": "it needs a class token"})
    patients = {f"c{k}": f"p{k}" for k in range(10)}
    (yes, no), left_out = methods_of(rows, patients, {})
    assert (yes.words, yes.cases, no.words, no.cases, left_out) == ("yes", 6, "no", 3, ())
    first = yes.methods[0]
    assert (first.method, first.cases, first.held.value, first.withheld) == (
        "a",
        6,
        0.5,
        {"it is no better": 3},
    )
    assert first.figures["gain"].value == pytest.approx(0.25) and first.medians[
        "gain"
    ].value == pytest.approx(0.25)
    low, high = first.figures["gain"].low, first.figures["gain"].high
    assert low is not None and high is not None and 0.05 < low < 0.25 < high < 0.45
    all_hold = methods_of([row(f"c{k}", "yes", "a", gain=1.0) for k in range(3)], patients, {})[0][0].methods[
        0
    ]
    assert all_hold.held.high == 1 and all_hold.held.low == pytest.approx(0.025 ** (1 / 3))
    size, signed = first.beside["age"]
    assert size.value == 2 and signed.value == pytest.approx(0)
    assert no.methods[2].withheld == {"it needs a class token": 1} and not no.methods[2].figures
    assert gains_of(rows)["c4"] == pytest.approx(0.4) and "c9" not in gains_of(rows)
    assert why("a (x 0.5) b (y)") == "a b"


def test_intervals_are_over_patients_not_cases() -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(rng.standard_normal(10), 20)  # ten patients with twenty equal cases each
    cases = [f"c{k}" for k in range(200)]
    apart = means_of({"x": values}, cases, {c: c for c in cases})["x"]
    together = means_of({"x": values}, cases, {c: str(k // 20) for k, c in enumerate(cases)})["x"]
    assert (together.high or 0) - (together.low or 0) > 3 * ((apart.high or 0) - (apart.low or 0))
    holes = means_of({"x": np.array([1.0, math.nan, 3.0])}, cases[:3], {c: c for c in cases})["x"]
    assert holes.value == 2 and holes.n == 2


def test_a_grid_of_ones_own_shape_is_kept() -> None:
    grid = Common((1, 4, 4), "a grid")
    field = np.arange(16.0).reshape(4, 4)
    assert np.allclose(grid.of(picture(field))[0][0, 0], field)
