"""Several sources of one body: the chance is the formula's, what each source tells is bounded, and images show it."""

from __future__ import annotations

import csv
import json
from math import exp
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage, stats

import vesalius as vs
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.image import Array
from vesalius.phantom import multimodal
from vesalius.phantom.bodies import ct, response
from vesalius.phantom.bodies.words import LEFT

EVEN = {**dict.fromkeys(response.WEIGHTS, 0.0), "sex": -1.0, "block": 1.0}


@pytest.fixture(scope="module")
def made() -> list[multimodal.BodyPatient]:
    """Thirty-two bodies."""
    return [multimodal.patient(k, 3) for k in range(32)]


@pytest.fixture(scope="module")
def people() -> tuple[list[dict[str, float]], Array]:
    """Three thousand people's factors, and whether they respond, by the formula written out here."""
    random = np.random.default_rng(11)
    factors = [response.draw_factors(random) for _ in range(3000)]
    total = np.array([sum(response.WEIGHTS[k] * v for k, v in f.items()) for f in factors])
    return factors, random.random(3000) < 1 / (1 + np.exp(-total))


def auc(values: Array, positive: Array) -> float:
    """Area under the ROC curve by Mann and Whitney's statistic."""
    u = stats.mannwhitneyu(values[positive], values[~positive]).statistic
    return float(u) / (positive.sum() * (~positive).sum())


def test_the_chance_by_hand() -> None:
    assert response.chance(EVEN) == pytest.approx(1 / (1 + exp(0.6 - 0.85)))
    assert response.chance(EVEN | {"scar": 1.0, "age": -2.0}) == pytest.approx(
        1 / (1 + exp(-(0.25 - 1.8 + 1.2)))
    )


def test_all_sources_tell_the_chance_and_none_the_share(people: tuple[list[dict[str, float]], Array]) -> None:
    factors, responds = people
    assert response.told_by(factors[0], tuple(response.SEEN_IN)) == pytest.approx(response.chance(factors[0]))
    assert response.told_by(factors[0], ()) == pytest.approx(responds.mean(), abs=0.03)


def test_what_a_source_tells_is_the_share_of_like_people(
    people: tuple[list[dict[str, float]], Array],
) -> None:
    """Calibrated: among those whom the MR gives about a third, about a third respond."""
    factors, responds = people
    told = np.array([response.told_by(f, ("mr",)) for f in factors])
    for low, high in ((0.1, 0.3), (0.3, 0.5), (0.5, 0.7), (0.7, 0.9)):
        like = (told >= low) & (told < high)
        assert responds[like].mean() == pytest.approx(told[like].mean(), abs=3 * 0.5 / np.sqrt(like.sum()))


def test_no_source_is_enough_and_all_together_nearly_are(
    people: tuple[list[dict[str, float]], Array],
) -> None:
    factors, responds = people

    def best(*sources: str) -> float:
        return auc(np.array([response.told_by(f, sources) for f in factors]), responds)

    single = {name: best(name) for name in response.IMAGES}
    assert max(single.values()) == pytest.approx(0.75, abs=0.03)
    assert min(single.values()) > 0.64
    assert best(*response.COVARIATES) == pytest.approx(0.65, abs=0.03)
    assert best(*response.SEEN_IN) == pytest.approx(0.92, abs=0.02)
    assert best(*response.IMAGES) > max(single.values()) + 0.07


def test_the_oracle_reads_the_truth(made: list[multimodal.BodyPatient]) -> None:
    for one in made:
        truth = json.loads(json.dumps(one.truth()))
        assert multimodal.oracle(truth) == pytest.approx(truth["chance"], abs=1e-5)
        for name in (*response.IMAGES, "text"):
            assert multimodal.oracle(truth, (name,)) == pytest.approx(truth["told_by"][name], abs=1e-5)
    with pytest.raises(UnknownName, match="source of phantom multimodal"):
        multimodal.oracle(made[0].truth(), ("pet",))


def rank(values: list[float], made: list[multimodal.BodyPatient], factor: str) -> float:
    return float(stats.spearmanr(values, [one.factors[factor] for one in made]).statistic)


def test_each_image_shows_its_factors(made: list[multimodal.BodyPatient]) -> None:
    """By simple measures of the pixels, not by a model."""
    stone = [float(np.clip(one.ct[:, :30] - 480.0, 0, None).sum()) for one in made]
    assert rank(stone, made, "calcium") > 0.8
    chambers = [float((one.ct[8:16, 12:38] > 150).sum()) for one in made]
    assert rank(chambers, made, "width") > 0.6
    fine = [one.xray - ndimage.gaussian_filter(one.xray.astype(float), 2) for one in made]
    lungs = [float(f[25:60, [*range(18, 38), *range(62, 80)]].std()) for f in fine]
    assert rank(lungs, made, "congestion") > 0.4
    assert rank([one.scar for one in made], made, "scar") > 0.999
    bright = []
    for one in made:
        blood = float(np.median(one.mr[2:5, 21:27, 21:27]))
        middle = one.mr[:9, 10:40, 12:38]
        bright.append(float((middle > 1.4 * blood).sum()))
    assert rank(bright, made, "scar") > 0.6


def test_words_name_the_block_and_nothing_else_follows_from_it(made: list[multimodal.BodyPatient]) -> None:
    for one in made:
        assert any(words in one.text for words in LEFT) == (one.factors["block"] > 0)
    left = np.array([one.factors["block"] > 0 for one in made])
    qrs = np.array([int(one.text.split("QRS ")[1].split(" ")[0]) for one in made])
    assert abs(qrs[left].mean() - qrs[~left].mean()) < 15  # three standard errors


def test_images_lie_in_frames_of_their_own(made: list[multimodal.BodyPatient]) -> None:
    case = made[0].as_case()
    images = {name: image for name, image in case.images.items() if isinstance(image, vs.Image)}
    assert list(images) == ["ct", "xray", "mr"] and images["xray"].affine is None
    for name, spacing in (("ct", ct.SPACING_MM), ("mr", (8.0, 2.6, 2.6))):
        affine = images[name].affine
        assert affine is not None
        assert np.linalg.norm(affine[:3, :3], axis=0) == pytest.approx(spacing[::-1])  # x, y, z
        cosines = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
        assert cosines.T @ cosines == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(cosines) == pytest.approx(1)
    assert not np.array_equal(images["ct"].affine, images["mr"].affine)  # type: ignore[arg-type]


def test_what_is_missing_changes_nothing_else() -> None:
    gone = [multimodal.patient(k, 3, missing=0.5) for k in range(6)]
    for k, one in enumerate(gone):
        whole = multimodal.patient(k, 3)
        assert (one.factors, one.responds, one.text) == (whole.factors, whole.responds, whole.text)
        assert np.array_equal(one.ct, whole.ct) and np.array_equal(one.mr, whole.mr)
        assert set(one.as_case().images) == set(multimodal.IMAGES) - set(one.missing)
        assert (one.as_case().covariates["lab"] is None) == ("lab" in one.missing)


def test_some_image_is_always_there_and_each_source_is_missing_as_often_as_asked() -> None:
    drawn = [multimodal._absent(np.random.default_rng(k), 0.4) for k in range(2000)]
    for name in ("lab", "text"):
        assert np.mean([name in gone for gone in drawn]) == pytest.approx(0.4, abs=0.035)
    for name in multimodal.IMAGES:  # a third of 0.4³ less
        share = np.mean([name in gone for gone in drawn])
        assert share == pytest.approx(0.4 - 0.4**3 / 3, abs=0.035)
    always = [multimodal._absent(np.random.default_rng(k), 1.0) for k in range(30)]
    assert all(len(set(multimodal.IMAGES) - set(gone)) == 1 for gone in always)
    assert len(set(always)) == 3


def test_a_cell_of_what_is_missing_is_empty(tmp_path: Path) -> None:
    root = vs.phantom(tmp_path / "bodies", kind="multimodal", cases=6, options={"missing": 0.5}, seed=3)
    truths = {t["id"]: t for t in json.loads((root / "truth.json").read_text())["cases"]}
    with (root / "cohort.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["case", "patient", "ct", "xray", "mr", "age", "sex", "lab", "text", "response"]
    for row in rows:
        empty = [name for name in multimodal.DROPPED if not row[name]]
        assert empty == truths[row["case"]]["missing"] and row["age"] and row["sex"]
        for name in set(multimodal.IMAGES) - set(empty):
            assert (root / row[name]).is_file()
    assert sum(len(t["missing"]) for t in truths.values()) > 5


def test_an_impossible_option_is_refused() -> None:
    with pytest.raises(DataError, match="missing"):
        multimodal.patient(0, missing=1.5)
    with pytest.raises(DataError, match="not negative"):
        multimodal.patient(-1)
