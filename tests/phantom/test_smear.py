"""Smear: every cell is where the truth says, boxes are whole cells and ids what is seen of them, and slides differ."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from scipy import ndimage

import vesalius as vs
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.phantom import smear
from vesalius.phantom.blood.render import thickness


@pytest.fixture(scope="module")
def made() -> list[smear.SmearPatient]:
    """Forty fields of twenty slides."""
    return [smear.patient(k, 7) for k in range(40)]


def darkness(one: smear.SmearPatient) -> Array:
    """How much darker a pixel's green is than the brightest tenth of the picture."""
    green = one.picture[..., 1].astype(float)
    return np.asarray(np.quantile(green, 0.9) - green)


def test_the_cells_are_the_dark_parts_and_every_one_is_seen(made: list[smear.SmearPatient]) -> None:
    for one in made:
        dark = darkness(one)
        inner = ndimage.binary_erosion(one.ids > 0, iterations=3)
        far = ~ndimage.binary_dilation(one.ids > 0, iterations=5)
        assert dark[inner].mean() > dark[far].mean() + 20
        assert set(np.unique(one.ids)) - {0} == set(range(1, len(one.cells) + 1))


def test_a_box_is_the_whole_cell_and_an_id_what_is_seen_of_it(made: list[smear.SmearPatient]) -> None:
    hidden = 0
    for one in made[:15]:
        for cell, box in zip(one.truth()["cells"], one.boxes, strict=True):
            rows, columns = np.nonzero(one.ids == cell["number"])
            seen = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
            assert cell["visible_box"] == seen  # the tightest box around the ids
            assert cell["box"] == [*box.low[1:], *box.high[1:]]
            outer = np.array(cell["box"])
            assert (outer[:2] <= seen[:2]).all() and (outer[2:] >= seen[2:]).all()
            assert cell["visible_share"] == pytest.approx(len(rows) / cell["pixels"], abs=1e-3)
            assert cell["visible_share"] >= 0.55
            hidden += cell["visible_share"] < 1
            inside = outer[0] > 0 and outer[1] > 0 and outer[2] < 192 and outer[3] < 192
            if inside:
                assert cell["pixels"] == pytest.approx(np.pi * cell["radius_pixels"] ** 2, rel=0.15, abs=6)
    assert hidden > 50


def test_the_share_of_cells_laid_at_another_is_an_option() -> None:
    def touching(overlap: float) -> float:
        cells = [
            c
            for k in range(16)
            for c in smear.patient(k, 2, size=128, overlap=overlap, density=0.2).truth()["cells"]
        ]
        return float(np.mean([bool(c["touches"]) for c in cells if c["label"] == "red_cell"]))

    none, some, many = (touching(share) for share in (0.0, 0.3, 0.8))
    assert none < 0.2 < some - 0.1 < some < many - 0.2


def test_neighbours_touch_both_ways(made: list[smear.SmearPatient]) -> None:
    cells = made[3].truth()["cells"]
    pairs = {(c["number"], n) for c in cells for n in c["touches"]}
    assert pairs and pairs == {(b, a) for a, b in pairs}


def test_counts_vary_and_sorts_differ_in_size(made: list[smear.SmearPatient]) -> None:
    reds = [one.counts["red_cell"] for one in made]
    assert min(reds) < 15 and max(reds) > 40
    radii: dict[str, list[float]] = {sort: [] for sort in smear.SORTS}
    for one in made:
        for cell in one.cells:
            radii[cell.label].append(cell.radius * smear.PIXEL_UM)
    assert (
        max(radii["platelet"])
        < min(radii["red_cell"])
        < np.mean(radii["red_cell"])
        < min(radii["white_cell"])
    )


def test_without_a_sort_the_others_stay() -> None:
    index = next(k for k in range(20) if smear.patient(k, 7).counts["white_cell"])
    one, other = smear.patient(index, 7), smear.twin(index, 7, without="white_cell")
    assert other.counts == one.counts | {"white_cell": 0}
    left = [c.centre for c in one.cells if c.label != "white_cell"]
    assert left == [c.centre for c in other.cells]
    white = [k + 1 for k, c in enumerate(one.cells) if c.label == "white_cell"]
    near = ndimage.binary_dilation(np.isin(one.ids, white), iterations=12)  # what the blur reaches
    assert np.array_equal(one.picture[~near], other.picture[~near])
    assert not np.array_equal(one.picture, other.picture)


def test_fields_of_one_slide_share_its_stain() -> None:
    first, second, third = (smear.patient(k, 1) for k in range(3))
    assert first.slide == second.slide != third.slide
    assert first.patient == second.patient != third.patient
    assert smear.patient(1, 1, fields=1).patient == "S0001"


def test_a_red_cell_is_the_disc_of_evans_and_fung() -> None:
    """By hand: at the middle .81 · 1.5 − … of 2.6 µm for a pallor of a half and the flat rest, at the rim nothing."""
    assert float(thickness(np.array([0.0]), 0.5)[0]) == pytest.approx(0.5 * 0.81 / 2.6 + 0.5 * 0.85)
    assert float(thickness(np.array([1.0]), 0.5)[0]) == 0
    pale, deep = (float(thickness(np.array([0.0]), p)[0]) for p in (0.9, 0.2))
    assert pale < 0.3 < 0.7 < deep


def test_paler_slides_have_a_higher_grade_and_paler_centres(made: list[smear.SmearPatient]) -> None:
    assert [smear.hypochromia(p) for p in (0.44, 0.45, 0.6, 0.75)] == list(smear.GRADES)
    ratios: dict[str, list[float]] = {}
    for one in made:
        dark = darkness(one)
        for cell in one.cells:
            y, x = (int(c) for c in cell.centre)
            if cell.label == "red_cell" and 20 < y < 170 and 20 < x < 170:
                rim = dark[y, x + int(0.65 * cell.radius)] + dark[y + int(0.65 * cell.radius), x]
                ratios.setdefault(one.slide.hypochromia, []).append(2 * dark[y, x] / max(rim, 1))
    middles = [float(np.median(ratios[grade])) for grade in smear.GRADES]
    assert middles == sorted(middles, reverse=True) and middles[0] > middles[-1] + 0.2


def test_the_files_say_what_the_truth_says(tmp_path: Path) -> None:
    root = vs.phantom(tmp_path / "smear", kind="smear", cases=4, options={"size": 96}, seed=3)
    truths = {t["id"]: t for t in json.loads((root / "truth.json").read_text())["cases"]}
    with (root / "boxes.csv").open() as file:
        boxes = list(csv.DictReader(file))
    with (root / "instances" / "instances.csv").open() as file:
        instances = list(csv.DictReader(file))
    with (root / "cohort.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(boxes[0]) == ["case", "label", "y0", "x0", "y1", "x1"]
    assert list(instances[0]) == ["case", "id", "label"]
    for row in rows:
        truth = truths[row["case"]]
        own = [b for b in boxes if b["case"] == row["case"]]
        assert [[int(b[c]) for c in ("y0", "x0", "y1", "x1")] for b in own] == [
            c["box"] for c in truth["cells"]
        ]
        for sort in smear.SORTS:
            assert int(row[sort]) == truth["counts"][sort] == sum(b["label"] == sort for b in own)
        named = {i["id"]: i["label"] for i in instances if i["case"] == row["case"]}
        with Pillow.open(root / "instances" / f"{row['case']}.png") as opened:
            assert opened.mode == "I;16"
            ids = np.asarray(opened)
        assert {str(n) for n in np.unique(ids)} - {"0"} == set(named)
        assert list(named.values()) == [c["label"] for c in truth["cells"]]
    assert {c.id for c in vs.read(root).cases} == set(truths)


def test_an_impossible_option_is_refused() -> None:
    with pytest.raises(DataError, match="overlap"):
        smear.patient(0, overlap=1.5)
    with pytest.raises(DataError, match="pixels a side"):
        smear.patient(0, size=16)
    with pytest.raises(DataError, match="not negative"):
        smear.patient(-1)
