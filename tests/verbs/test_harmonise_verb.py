"""harmonise: the tutorial's test on heads of four scanners, on a table of sites, and in a plan of fit."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius import formats
from vesalius.core.case import Case, Event, Ref
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError, OutputError, PlanError, UnknownName
from vesalius.core.image import Image
from vesalius.core.plan import load_plan
from vesalius.core.progress import Silent
from vesalius.prepare import harmonise as harmonisers
from vesalius.prepare.case import load_reference
from vesalius.prepare.harmonise.contract import Sample
from vesalius.prepare.harmonising import steps_of
from vesalius.run.harmonise.out import write_images

QUICK = ("zscore", "nyul")


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return vs.phantom(
        tmp_path_factory.mktemp("heads") / "heads", kind="scanners", cases=40, options={"size": 24}
    )


def test_ways_are_tried_until_one_holds(heads: Path, tmp_path: Path) -> None:
    found = vs.harmonise(heads, tmp_path / "out", by="scanner", threshold=0.03, methods=QUICK, effect="age")
    assert [one.method for one in found.tried] == ["none", "zscore", "nyul"] and found.chosen == "nyul"
    none, zscore, nyul = (one.spread.value.value for one in found.tried if one.spread)
    assert none > 0.5 > 0.1 > zscore > 0.03 >= nyul and [one.held for one in found.tried] == [
        False,
        False,
        True,
    ]
    assert all(one.spread and one.spread.paired and one.spread.patients == 10 for one in found.tried)
    assert all(one.kept == pytest.approx(1, abs=1e-3) and one.undo for one in found.tried)
    assert any("is still told" in text for text in found.said), (
        "noise and shading tell it, whatever the curve"
    )
    assert found.scanners == dict.fromkeys("ABCD", 10)
    record = json.loads((tmp_path / "out" / "harmonise.json").read_text())
    assert [s["method"] for s in record["steps"]] == ["nyul"] and record["steps"][0]["fitted"]
    written = vs.read(tmp_path / "out")
    assert len(written) == 40
    again = vs.harmonise(written, by="scanner", threshold=0.1, methods=QUICK)
    assert again.chosen == "none" and "nothing need be done" in " ".join(again.said)


def test_what_is_written_keeps_splits_masks_and_other_images(tmp_path: Path) -> None:
    rng, cases = np.random.default_rng(0), []
    (tmp_path / "data").mkdir()
    for k in range(4):
        files = {n: tmp_path / "data" / f"{n}{k}.nii.gz" for n in ("image", "other", "mask")}
        for name, file in files.items():
            values = rng.integers(0, 2, (1, 4, 8, 8)).astype(np.uint8)
            array = values if name == "mask" else values.astype(np.float32) * 90
            formats.write(Image(array, affine=np.eye(4), spacing_mm=(1.0, 1.0, 1.0)), file)
        refs = {n: Ref((f,)) for n, f in files.items()}
        images = {"image": refs["image"], "other": refs["other"], "bare": Image(np.zeros((1, 1, 2, 2)))}
        targets = {"mask": refs["mask"], "end": Event(5.0, True), "class": "ab"[k % 2]}
        split: Any = "test" if k == 3 else "train"
        cases.append(Case(f"c{k}", images, targets=targets, split=split, report=f"Seen {k}."))
    info = TargetInfo("mask", "mask", (Label(1, "liver"),))
    cohort = Cohort(tmp_path / "data", "table", tuple(cases), {"mask": info})
    out, notes = write_images(
        cohort,
        ["image"],
        steps_of("zscore"),
        tmp_path / "out",
        by="scanner",
        threshold=None,
        progress=Silent(),
    )
    with (out / "cohort.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [r["split"] for r in rows] == ["train"] * 3 + ["test"] and rows[1]["report"] == "Seen 1."
    assert "patient" not in rows[0], "who nobody knows stays unknown"
    assert (out / rows[0]["other"]).resolve() == (tmp_path / "data" / "other0.nii.gz").resolve()
    assert notes == ("not written, since no one file holds it: image bare, target end",)
    again = vs.read(out)
    assert [x.name for x in again.targets["mask"].labels] == ["liver"] and again.cases[3].split == "test"
    assert not again.patients_known


def test_none_holds_and_that_is_said(heads: Path, tmp_path: Path) -> None:
    found = vs.harmonise(heads, tmp_path / "out", by="scanner", threshold=1e-4, methods=QUICK)
    assert found.chosen is None and found.held is False and found.out is None
    assert any("none holds 0.0001: none 0.7" in text for text in found.said)
    assert not (tmp_path / "out").exists(), "nothing is written where nothing was chosen"


def test_test_cases_are_not_looked_at(heads: Path, tmp_path: Path) -> None:
    split = tmp_path / "split.csv"
    ids = [f"scanners-{k:04d}-{s}" for k in range(10) for s in "ABCD"]
    split.write_text(
        "case,split\n" + "".join(f"{i},{'test' if i < 'scanners-0004' else 'train'}\n" for i in ids)
    )
    found = vs.harmonise(heads, by="scanner", methods=("zscore",), split=split)
    assert found.cases == 24 and found.patients == 6 and "16 test cases not looked at" in found.said


def test_what_cannot_be_done(heads: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="nyul"):
        vs.harmonise(heads, by="scanner", methods=("nyull",))
    with pytest.raises(PlanError, match="for images in HU"):
        vs.harmonise(heads, by="scanner", methods=("window-lung",))
    with pytest.raises(DataError, match="no case has a column 'site'"):
        vs.harmonise(heads, by="site")
    with pytest.raises(UnknownName, match="target or column"):
        vs.harmonise(heads, by="scanner", effect="agee")
    with pytest.raises(PlanError, match="nothing says which way"):
        vs.harmonise(heads, tmp_path / "new", by="scanner")
    with pytest.raises(PlanError, match="above 0"):
        vs.harmonise(heads, by="scanner", threshold=0.0)
    with pytest.raises(OutputError, match="within"):
        vs.harmonise(heads, heads / "new", by="scanner", threshold=0.1)
    assert not (tmp_path / "new").exists() and not (heads / "new").exists()


def test_a_plan_tries_them_on_training_cases_and_gives_its_reason(heads: Path, tmp_path: Path) -> None:
    asked = {"by": "scanner", "threshold": 0.03, "methods": ["zscore", "nyul"]}
    quick = {"train.steps": 2, "train.members": 1, "net.scale": 0.125, "data.size": [16, 16, 16]}
    run = vs.fit(
        heads, tmp_path / "run", target="class", settings={**quick, "data.harmonise": asked}, progress=False
    )
    plan = run.plan
    assert plan.data.harmonise is not None and [s.method for s in plan.data.harmonise.steps] == ["nyul"]
    assert plan.reasons["data.harmonise"].startswith(
        "the first whose spread between scanners does not exceed 0.03"
    )
    assert plan.data.normalise[0].method == "fixed" and "one scale" in plan.reasons["data.normalise"]
    assert plan.data == load_plan(run.bundle.path / "plan-0.json").data, "what was learned is in the bundle"
    tested = set(run_assignment(tmp_path / "run"))
    training = [c for c in vs.read(heads) if c.id not in tested]
    samples = [Sample(c_image(c)) for c in training]
    want = harmonisers.get("nyul").fit(samples, {"low": 1.0, "high": 99.0})
    assert np.allclose(plan.data.harmonise.steps[0].fitted[0]["landmarks"], want["landmarks"]), "no test case"
    with pytest.raises(PlanError, match="no way of harmonising holds"):
        vs.fit(heads, dry_run=True, settings={"data.harmonise": {**asked, "threshold": 1e-4}}, target="class")
    again = vs.fit(
        heads,
        tmp_path / "run",
        target="class",
        resume=True,
        settings={"data.harmonise": asked},
        progress=False,
    )
    assert again.plan.data == plan.data
    one = formats.read(heads / "images" / "scanners-0000-A.nii.gz")
    louder = replace(one, array=(one.array * 3).astype(np.float32))
    answers = [vs.predict(run.bundle, image) for image in (one, louder)]
    assert np.allclose(answers[0].p, answers[1].p, atol=1e-4), (
        "another gain is another scanner's, and no mismatch"
    )


def run_assignment(path: Path) -> list[str]:
    folds = json.loads((path / "folds.json").read_text())
    return [str(i) for i in folds["test"]]


def c_image(case: Case) -> np.ndarray:
    return load_reference(case).array[0].astype(np.float32)


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("table") / "table.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["case", "site", "age", *(f"f{k}" for k in range(8))])
        shift = {s: rng.normal(0, 2, 8) for s in "xyz"}
        for n in range(120):
            site, age = "xyz"[n % 3], float(rng.uniform(20, 80))
            rows.writerow(
                [f"c{n}", site, round(age, 2), *(shift[site] + rng.normal(0, 1, 8) + age / 20).round(4)]
            )
    return path


def test_features_of_sites(table: Path, tmp_path: Path) -> None:
    kept = {"by": "site", "keep": ("age",), "effect": "age"}
    found = vs.harmonise(table, tmp_path / "out", threshold=0.5, columns={"image": ""}, **kept)
    none, combat = found.tried
    assert found.of == "features" and found.chosen == "combat" and none.held is False
    assert none.told.auc.value > 0.95 and combat.told.auc.value < 0.65
    assert (
        combat.effect.mae.value < combat.effect.mean_only
        and combat.spread.value.value < 0.3 < none.spread.value.value
    )
    assert any("age is kept and told" in text for text in found.said)
    with (tmp_path / "out" / "features.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 120 and "patient" not in rows[0], "who nobody knows stays unknown"
    with pytest.raises(PlanError, match="the way for features is combat"):
        vs.harmonise(table, by="site", methods=("nyul",), columns={"image": ""})


def test_a_cohort_says_what_it_came_to(table: Path) -> None:
    found = vs.harmonise(table, by="site", columns={"image": ""})
    assert found.held is None and found.chosen is None and "none chosen" in repr(found)
    assert isinstance(vs.read(table, columns={"image": ""}), Cohort) and "combat" in found._repr_html_()
