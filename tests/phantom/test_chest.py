"""Chest: findings lie where their boxes are, weigh what geometry says, and the report tells them and no others."""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import vesalius as vs
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.phantom import chest
from vesalius.phantom.common.streams import stream
from vesalius.phantom.thorax.body import FIELD_MM, Person, draw_shape
from vesalius.phantom.thorax.findings import Finding
from vesalius.phantom.thorax.scene import LUNG, Scene, draw_scene
from vesalius.phantom.thorax.tubes import Lines, thick

PERSON = Person(50.0, "M", "PA", 1.0, 225.0, 0.44)
SHAPE = draw_shape(np.random.default_rng(1), PERSON)


@pytest.fixture(scope="module")
def made() -> list[chest.ChestPatient]:
    """Sixty films."""
    return [chest.patient(k, 5, size=96) for k in range(60)]


def scene(*findings: Finding, size: int = 140) -> Scene:
    return draw_scene(PERSON, SHAPE, findings, lambda k: stream(0, 0, k), size=size, contrast=1.0)


def added(finding: Finding) -> Array:
    return np.asarray(scene(finding).water - scene().water)


def test_a_tube_is_as_thick_as_it_is() -> None:
    """The chord of a cylinder, 2 √(R² − d²), over the middle of a line and 4 mm beside it."""
    lines = Lines()
    along = np.linspace(-100, 100, 400)
    lines.add(0.31 * along, along)
    found = thick(lines.laid(700), 6.0)
    middle, across = 350, int(round(4 / np.cos(np.arctan(0.31)) * 700 / FIELD_MM))
    assert found[middle, middle] == pytest.approx(12.0, rel=0.02)
    assert found[middle + across, middle] == pytest.approx(2 * np.sqrt(36 - 16), rel=0.05)
    hollow = thick(lines.laid(700), 6.0, hollow_mm=4.0)
    assert hollow[middle, middle] == pytest.approx(4.0, rel=0.06)


def test_a_nodule_adds_its_chord_less_the_lung_that_it_replaces() -> None:
    one = Finding("nodule", -1, {"y": -40.0, "x": -80.0, "diameter": 20.0}, 20.0, "upper")
    more = added(one)
    y, x = (int((c + FIELD_MM / 2) * 140 / FIELD_MM) for c in (-40.0, -80.0))
    assert more[y, x] == pytest.approx((1 - LUNG) * 20.0, rel=0.02)
    where = scene(one).marked[0]
    assert not more[~where].any() and where.sum() == pytest.approx(
        np.pi * (10 * 140 / FIELD_MM) ** 2, rel=0.1
    )


def test_fluid_lies_low_and_air_lies_around_a_lung_that_shrank() -> None:
    fluid = Finding("effusion", 1, {"height": 80.0}, 0.36, "lower")
    heavy = added(fluid)
    assert heavy.min() > -1e-6 and heavy[100:].sum() > 20 * heavy[:60].sum()
    assert heavy[:, :60].sum() == pytest.approx(0, abs=1e-6)  # the right lung, on the left of the picture
    air = scene(Finding("pneumothorax", -1, {"kept": 0.8}, 0.0, "upper"))
    lighter = air.water - scene().water
    rim = air.marked[0]
    assert lighter[rim].mean() < -5 and not rim[:, 75:].any()
    assert air.findings[0].amount == pytest.approx(0.36, abs=0.15)  # about 1 − .8²


def test_the_severity_follows_from_the_truth_by_its_rule(made: list[chest.ChestPatient]) -> None:
    assert [chest.severity(d) for d in ([], [1], [1, 1], [3], [2, 2], [3, 2], [3, 3, 3])] == [
        "normal", "mild", "mild", "moderate", "moderate", "severe", "severe",
    ]  # fmt: skip
    assert all(chest.oracle(json.loads(json.dumps(one.truth()))) == one.severity for one in made)
    assert set(Counter(one.severity for one in made)) == set(chest.GRADES)
    assert [Finding("nodule", 1, {}, mm).degree for mm in (14.9, 15.0, 25.0)] == [1, 2, 3]


def test_a_share_is_healthy_and_everything_occurs(made: list[chest.ChestPatient]) -> None:
    seen = Counter(name for one in made for name in one.labels)
    assert min(seen[name] for name in chest.FINDINGS) >= 5
    assert 0.2 < np.mean([not one.labels for one in made]) < 0.5
    assert not any(chest.patient(k, size=64, healthy=1.0).labels for k in range(12))


def test_boxes_lie_on_the_side_that_is_told(made: list[chest.ChestPatient]) -> None:
    for one in made:
        for told, box in zip(one.truth()["findings"], one.boxes, strict=True):
            middle = (box.low[2] + box.high[2]) / 2
            assert told["box"] == [box.low[1], box.low[2], box.high[1], box.high[2]]
            if told["side"]:
                assert (middle < 48) == (told["side"] == "right")
            if told["label"] == "nodule":
                wide = told["amount"] * 96 / FIELD_MM
                assert box.high[2] - box.low[2] == pytest.approx(wide, abs=1.5)


def test_a_heart_is_large_by_its_true_ratio_and_looks_larger_from_the_front(
    made: list[chest.ChestPatient],
) -> None:
    for one in made:
        assert ("cardiomegaly" in one.labels) == (one.person.ratio > 0.5)
        factor = 1.1 if one.person.view == "AP" else 1.0
        assert one.person.seen_ratio == pytest.approx(factor * one.person.ratio)
    small, large = (
        [m.heart.high[2] - m.heart.low[2] for m in made if ("cardiomegaly" in m.labels) == big]
        for big in (False, True)
    )
    assert np.mean(large) > 1.15 * np.mean(small)


WORDS = {
    "nodule": r"nodul|rounded",
    "consolidation": r"consolidation|airspace",
    "effusion": r"effusion",
    "pneumothorax": r"pneumothorax",
    "cardiomegaly": r"cardiomegaly|enlarge|cardiac enlargement",
}
DENIED = re.compile(
    r"^(no |there is no evidence|without|the lungs are clear|the previously|resolution|resolved)", re.I
)


def test_the_report_tells_what_is_there_and_denies_what_is_not(made: list[chest.ChestPatient]) -> None:
    for one in made:
        told = [
            s for part in ("findings", "impression") for s in re.split(r"\.(?:\s+|$)", one.report[part]) if s
        ]
        for name, words in WORDS.items():
            about = [s for s in told if re.search(words, s, re.I)]
            claims = [s for s in about if not DENIED.match(s)]
            assert bool(claims) == (name in one.labels), (one.id, name, about)
        if one.courses is None:
            assert one.report["comparison"] == "None."
            assert not re.search(r"earlier|before|unchanged|stable|resol|previous", one.report["findings"])


def test_a_wording_varies() -> None:
    healthy = {chest.patient(k, size=64, healthy=1.0).report["findings"] for k in range(25)}
    assert len(healthy) > 8


def test_without_a_finding_the_rest_stays() -> None:
    index = next(k for k in range(99) if {"nodule", "effusion"} <= set(chest.patient(k, 5, size=64).labels))
    one, other = chest.patient(index, 5, size=64), chest.twin(index, 5, size=64, without="effusion")
    assert set(other.labels) == set(one.labels) - {"effusion"} and other.person == one.person
    kept = [f for f in one.findings if f.label == "nodule"]
    assert kept == [f for f in other.findings if f.label == "nodule"]
    with_heart = next(k for k in range(99) if "cardiomegaly" in chest.patient(k, 5, size=64).labels)
    assert chest.twin(with_heart, 5, size=64, without="cardiomegaly").person.ratio < 0.5


def test_the_table_says_what_the_truth_says_and_is_read_as_several_labels(tmp_path: Path) -> None:
    root = vs.phantom(tmp_path / "chest", kind="chest", cases=12, options={"size": 64}, seed=5)
    truths = {t["id"]: t for t in json.loads((root / "truth.json").read_text())["cases"]}
    with (root / "cohort.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        present = truths[row["case"]]["labels"]
        assert {n: row[n] for n in chest.FINDINGS} == {
            n: "yes" if n in present else "no" for n in chest.FINDINGS
        }
    with (root / "boxes.csv").open() as file:
        boxes = list(csv.DictReader(file))
    counted = Counter(b["case"] for b in boxes if b["label"])
    assert all(counted[t["id"]] == len(t["findings"]) for t in truths.values())
    bare = {b["case"] for b in boxes if not b["label"] and not b["x0"]}
    assert bare == {t["id"] for t in truths.values() if not t["findings"]} != set()
    cohort = vs.read(root, columns={"label": ",".join(chest.FINDINGS)})
    (target,) = [t for t in cohort.targets.values() if t.kind == "multilabel"]
    assert {c.id: set(c.targets[target.name]) for c in cohort.cases} == {  # type: ignore[arg-type]
        i: set(t["labels"]) for i, t in truths.items()
    }


def test_an_impossible_option_is_refused() -> None:
    with pytest.raises(DataError, match="healthy"):
        chest.patient(0, healthy=1.5)
    with pytest.raises(DataError, match="pixels a side"):
        chest.patient(0, size=16)
