"""OCT: layers lie in order and are as thick as told, drusen and fluid are where told, and speckle has its variance."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from scipy import stats

import vesalius as vs
from vesalius.core.errors import DataError
from vesalius.phantom import oct as scans
from vesalius.phantom.macula import scan
from vesalius.phantom.macula.findings import Cyst, Druse, Lens

LAYERS = ("rnfl", "gcl_ipl", "inl", "opl", "onl", "photoreceptors", "rpe", "choroid")


@pytest.fixture(scope="module")
def made() -> list[scans.OctPatient]:
    """Fifty scans."""
    return [scans.patient(k, 7) for k in range(50)]


def test_the_oracle_that_reads_the_truth_is_always_right(made: list[scans.OctPatient]) -> None:
    assert all(scans.oracle(json.loads(json.dumps(one.truth()))) == one.diagnosis for one in made)
    assert min(Counter(one.diagnosis for one in made).values()) > 7


def test_layers_lie_in_order_in_every_column(made: list[scans.OctPatient]) -> None:
    for one in (m for m in made if m.diagnosis == "normal"):
        for column in one.mask.T:
            ids = column[np.flatnonzero(np.diff(column, prepend=255))]
            assert list(ids[ids > 0]) == sorted(ids[ids > 0])
            assert {scans.LABELS[name] for name in LAYERS[2:]} <= set(ids.tolist())


def test_the_thickness_is_that_of_the_mask(made: list[scans.OctPatient]) -> None:
    """Counted in the mask: pixels from the nerve fibres to Bruch's membrane, in the central millimetre."""
    for one in made:
        truth = one.truth()
        wide = one.mask.shape[1]
        x = ((np.arange(wide) + 0.5) / wide - 0.5) * one.scanner.wide_mm
        central = one.mask[:, np.abs(x) <= 0.5]
        retina = (central > 0) & (central != scans.LABELS["choroid"])
        counted = retina.sum(axis=0).mean() * truth["um_a_row"]
        assert counted == pytest.approx(one.thickness_um, abs=2 * truth["um_a_row"])
        assert 150 < one.thickness_um < 560
    normal = [m.thickness_um for m in made if m.diagnosis == "normal"]
    assert min(normal) > 200 and max(normal) < 420


def test_layers_are_as_bright_as_they_should_be(made: list[scans.OctPatient]) -> None:
    def grey(one: scans.OctPatient, name: str) -> float:
        return float(np.median(one.picture[one.mask == scans.LABELS[name]]))

    for one in made:
        assert grey(one, "rpe") > grey(one, "rnfl") > grey(one, "inl") > grey(one, "onl")
        vitreous = one.picture[:10].mean()
        assert grey(one, "onl") > vitreous + 15
        for name in set(one.labels) & {"fluid"}:
            assert grey(one, name) < grey(one, "onl") - 10


def test_drusen_raise_the_epithelium_by_their_height(made: list[scans.OctPatient]) -> None:
    checked = 0
    for one in (m for m in made if len(m.drusen) == 1):
        (druse,) = one.drusen
        wide = one.mask.shape[1]
        column = int(np.clip(round((druse.x / one.scanner.wide_mm + 0.5) * wide - 0.5), 0, wide - 1))
        below = int((one.mask[:, column] == scans.LABELS["drusen"]).sum())
        assert below * one.truth()["um_a_row"] == pytest.approx(druse.high, abs=8)
        checked += 1
    assert checked > 1


def test_shapes_by_hand() -> None:
    at = np.array([0.0, 0.5, 1.0])
    assert Lens(0.0, 1.0, 80.0).raises(at) == pytest.approx([80, 60, 0])  # a parabola
    assert Druse(0.0, 0.5, 40.0).raises(at)[:2] == pytest.approx([40, 40 * np.exp(-0.9)])
    assert Cyst(0.0, 0.1, 50.0, "inner nuclear", 0.5).swells(at)[0] == pytest.approx(65)


def test_without_a_finding_the_rest_stays(made: list[scans.OctPatient]) -> None:
    index = next(k for k, one in enumerate(made) if one.labels == ("drusen", "fluid"))
    one = made[index]
    dry, flat = (scans.twin(index, 7, without=name) for name in ("fluid", "drusen"))
    assert dry.labels == ("drusen",) and dry.drusen == one.drusen and dry.diagnosis == "drusen"
    assert flat.labels == ("fluid",) and (flat.lenses, flat.cysts) == (one.lenses, one.cysts)
    assert not (dry.mask == scans.LABELS["fluid"]).any() and not (flat.mask == scans.LABELS["drusen"]).any()
    assert dry.eye == one.eye and dry.conditions == one.conditions


@pytest.mark.parametrize("name", ["A", "B"])
def test_speckle_has_mean_1_and_the_variance_of_its_frames(name: str) -> None:
    """The mean of n frames of |z|², z complex Gaussian, has variance 1 / n (Goodman 2007)."""
    scanner = scan.SCANNERS[name]
    found = scan._speckle((192, 256), scanner, 1.0, np.random.default_rng(0))
    assert found.mean() == pytest.approx(1, abs=1e-4)
    assert found.var() == pytest.approx(1 / scanner.frames, rel=0.1)
    assert (scan._speckle((4, 4), scanner, 0.0, np.random.default_rng(0)) == 1).all()


def test_how_bright_a_scan_is_does_not_tell_its_class(made: list[scans.OctPatient]) -> None:
    truth = np.array([one.diagnosis for one in made])
    values = np.array([one.picture.mean() for one in made])
    for name in scans.CLASSES:
        positive = truth == name
        u = stats.mannwhitneyu(values[positive], values[~positive]).statistic
        assert abs(u / (positive.sum() * (~positive).sum()) - 0.5) < 0.3  # three standard errors of 50


def test_the_files_say_what_the_truth_says(tmp_path: Path) -> None:
    root = vs.phantom(tmp_path / "oct", kind="oct", cases=12, options={"size": 96})
    truths = {t["id"]: t for t in json.loads((root / "truth.json").read_text())["cases"]}
    with (root / "cohort.csv").open() as file:
        for row in csv.DictReader(file):
            truth = truths[row["case"]]
            assert row["class"] == truth["class"]
            with Pillow.open(root / row["mask"]) as opened:
                mask = np.asarray(opened)
            assert {n: int((mask == v).sum()) for n, v in scans.LABELS.items()} == truth["pixels"]
            assert [n for n in scans.FINDINGS if row[n] == "yes"] == truth["findings"]
    cohort = vs.read(root)
    assert {label.name for label in cohort.targets["mask"].labels} <= set(scans.LABELS)
    assert set(scans.CLASSES) == {label.name for label in cohort.targets["class"].labels}


def test_an_impossible_option_is_refused() -> None:
    with pytest.raises(DataError, match="fluid"):
        scans.patient(0, fluid=1.5)
    with pytest.raises(DataError, match="pixels wide"):
        scans.patient(0, size=16)
    with pytest.raises(DataError, match="not negative"):
        scans.patient(-1)
