"""Tests of the reports of BUSI: a mass that is clearly seen is measured, nothing else is, and no millimetre is said."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # benchmarks/ is not installed

from benchmarks._busi_reports import CLASSES, dark_region, write_cohort  # noqa: E402

from vesalius.core.image import Array  # noqa: E402


def picture(seed: int, *, mass: bool) -> Array:
    """Return a grey picture of 256 by 256 pixels: speckle, and an ellipse of 80 by 50 pixels if there is a mass."""
    y, x = np.mgrid[:256, :256]
    grey = 120 + 18 * np.random.default_rng(seed).standard_normal((256, 256))
    return np.where(mass & (((x - 130) / 40) ** 2 + ((y - 100) / 25) ** 2 < 1), grey - 95, grey).clip(0, 255)


def test_a_region_that_is_clearly_dark_is_found_with_its_extent() -> None:
    found = dark_region(picture(0, mass=True).astype(np.float32))
    assert found is not None
    assert np.ptp(found[1]) == pytest.approx(80, abs=10) and np.ptp(found[0]) == pytest.approx(50, abs=10)
    assert dark_region(picture(0, mass=False).astype(np.float32)) is None


def test_a_cohort_says_what_its_classes_say(tmp_path: Path) -> None:
    for name in CLASSES:
        (tmp_path / "busi" / name).mkdir(parents=True)
        for k in range(4):
            Image.fromarray(picture(k, mass=name != "normal").astype(np.uint8)).convert("RGB").save(
                tmp_path / "busi" / name / f"{name} ({k + 1}).png"
            )
    out = write_cohort(tmp_path / "busi", tmp_path / "out")
    with (out / "cohort.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["split"] for r in rows] == ["train", "train", "train", "test"] * 3
    for row in rows:
        text = row["report"].lower()
        assert ("about 80 by 50 pixels" in text) == (row["class"] != "normal"), text
        assert " mm" not in text and " cm" not in text and "skin" not in text
        denied = re.findall(r"no [a-z ]*malignan|evidence of [a-z ]*malignan", text)
        assert (text.count("malignan") > len(denied)) == (row["class"] == "malignant"), text
    with (out / "findings.csv").open() as file:
        true = [r for r in csv.DictReader(file) if r["status"] == "present"]
    assert [t["finding"] for t in true] == ["mass", "benign"] * 4 + ["mass", "malignant"] * 4
    assert not any(t["size_mm"] for t in true)
