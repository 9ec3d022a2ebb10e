"""Dynamic: the course of a lesion tells its kind, and neither a frame nor the mean does; times are kept uneven."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import vesalius as vs
from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.phantom import dynamic
from vesalius.phantom.contrast import kinetics


@pytest.fixture(scope="module")
def made() -> list[dynamic.DynamicPatient]:
    """Two hundred small series."""
    return [dynamic.patient(k, 3, size=32) for k in range(200)]


def auc(values: Array, positive: Array) -> float:
    """Area under the ROC curve whichever way the value points, by Mann and Whitney's statistic."""
    area = float(stats.mannwhitneyu(values[positive], values[~positive]).statistic) / (
        positive.sum() * (~positive).sum()
    )
    return max(area, 1 - area)


def test_the_oracle_that_reads_the_truth_is_always_right(made: list[dynamic.DynamicPatient]) -> None:
    assert all(dynamic.oracle(json.loads(json.dumps(one.truth()))) == one.kind for one in made)
    assert 70 < sum(one.kind == "malignant" for one in made) < 130


def test_the_course_tells_and_no_frame_and_no_mean_does(made: list[dynamic.DynamicPatient]) -> None:
    lesions = [(one.truth(), lesion) for one in made for lesion in one.truth()["lesions"]]
    malignant = np.array([lesion["kind"] == "malignant" for _, lesion in lesions])

    def level(told: dict[str, object], lesion: dict[str, object], second: float) -> float:
        times = np.array(told["times_s"])
        return float(np.interp(second, times, np.array(lesion["contrast"])))

    for second in (12, 20, 40, 80, 150, 250, 290):
        alone = np.array([level(told, lesion, second) for told, lesion in lesions])
        assert auc(alone, malignant) < 0.78  # chance alone reaches .57
    mean = np.array([np.mean(lesion["contrast"]) for _, lesion in lesions])
    assert auc(mean, malignant) < 0.6
    lost = np.array([level(*pair, 60) / level(*pair, 280) for pair in lesions])
    assert auc(lost, malignant) > 0.98


def test_pixels_show_the_course_that_is_told() -> None:
    one = dynamic.patient(4, 0, size=96, noise=0.0)
    told = one.truth()
    inside = one.mask == 1 + kinetics.KINDS.index(one.lesions[0].kind)
    grey = one.frames[:, inside].mean(axis=1) / 255
    linear = grey ** (1 / one.site.gamma)
    assert np.corrcoef(linear, told["lesions"][0]["contrast"])[0, 1] > 0.97


def test_times_are_fast_first_and_slow_later(made: list[dynamic.DynamicPatient]) -> None:
    for one in made:
        steps = np.diff(one.times_s)
        assert steps.min() > 2 and steps[:8].max() < 5 < 20 < steps[-3:].min()
        assert len(np.unique(np.round(steps, 2))) > 10
        assert np.array(one.frames).shape[0] == len(one.times_s)


def test_both_formats_hold_the_same_frames_times_and_mask(tmp_path: Path) -> None:
    one = dynamic.patient(1, 0)
    for format in ("npz", "dicom"):
        root = vs.phantom(tmp_path / format, kind="dynamic", cases=10, format=format)
        read = formats.read(Ref((root / "images" / f"{one.id}.{'npz' if format == 'npz' else 'dcm'}",)))
        assert isinstance(read, Image) and np.array_equal(read.array[:, 0, 0], one.frames)
        assert np.allclose(read.times_s or (), one.times_s, atol=1e-6)
        cohort = vs.read(root / "cohort.csv")
        assert set(cohort.targets) >= {"class", "mask"} and len(cohort.cases) == 10
        mask = cohort.case(one.id).targets["mask"]
        assert isinstance(mask, Ref)
        drawn = formats.read(mask)
        assert isinstance(drawn, Image) and np.array_equal(drawn.array[0, 0], one.mask)


def test_an_impossible_option_is_refused() -> None:
    with pytest.raises(DataError, match="pixels a side"):
        dynamic.patient(0, size=16)
    with pytest.raises(DataError, match="noise"):
        dynamic.patient(0, noise=11.0)
