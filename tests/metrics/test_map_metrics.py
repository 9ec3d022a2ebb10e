"""Metrics of a field against scikit-image's, and what is known of them without computing."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius import metrics
from vesalius.core.answers.map import Map
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.metrics.map import MOST_DB, psnr, ssim


def pair(*shape: int) -> tuple[Array, Array]:
    draw = np.random.default_rng(0)
    y = draw.random(shape) + np.linspace(0, 2, shape[-1])
    return y + draw.normal(0, 0.1, shape), y


@pytest.mark.parametrize("shape", [(1, 1, 32, 40), (1, 16, 24, 20)])
def test_psnr_and_ssim_are_scikit_images(shape: tuple[int, ...]) -> None:
    measure = pytest.importorskip("skimage.metrics")
    x, y = pair(*shape)
    reach = float(np.ptp(y))
    assert psnr(x, y) == pytest.approx(measure.peak_signal_noise_ratio(y, x, data_range=reach))
    theirs = measure.structural_similarity(
        y[0].squeeze(), x[0].squeeze(), data_range=reach, gaussian_weights=True, use_sample_covariance=False
    )
    assert ssim(x, y) == pytest.approx(theirs, abs=1e-6)


def test_equal_images_and_a_known_error() -> None:
    _, y = pair(1, 1, 16, 16)
    assert psnr(y, y) == MOST_DB and ssim(y, y) == pytest.approx(1.0)
    ends = np.zeros((1, 1, 10, 10))
    ends[0, 0, 0, 0] = 10.0  # the reach is 10, the error 1 everywhere: 20 dB
    assert psnr(ends + 1.0, ends) == pytest.approx(20.0)


def test_rows_mean_over_cases_and_refuse_another_grid() -> None:
    judge = metrics.for_answer("Map")
    x, y = pair(1, 1, 16, 16)
    answers = [Map(image=Image(a), quantity="q", case_id=str(k)) for k, a in enumerate((x, y))]
    rows = judge.rows(answers, [Image(y), Image(y)])
    found = judge.summary(rows, np.array([0, 1, 1]))
    assert found["mae"] == pytest.approx(float(np.abs(x - y).mean()) / 3)
    assert found["psnr"] == pytest.approx((psnr(x, y) + 2 * MOST_DB) / 3)
    with pytest.raises(DataError, match="different grids"):
        judge.rows(answers[:1], [Image(y[..., :8])])
    placed = Map(image=Image(y, affine=np.eye(4)), quantity="q", case_id="0")
    with pytest.raises(DataError, match="flipped along y"):
        judge.rows([placed], [Image(y, affine=np.diag([1.0, -1.0, 1.0, 1.0]))])
