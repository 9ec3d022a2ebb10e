"""The inspection: what it measures against hand-computed values, what it names, and the page it makes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import PIL.Image
import pytest

from vesalius import cohorts
from vesalius.cli._inspection import facts
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Assignment, Cohort, Label, TargetInfo
from vesalius.core.errors import LeakError
from vesalius.core.image import Array, Image
from vesalius.reliability import geometry, html, leakage
from vesalius.reliability._survey import survey
from vesalius.reliability.inspect import inspect, to_json
from vesalius.reliability.summary import summarise

Draw = Callable[..., Array]
Build = Callable[..., Cohort]


def test_intensities_are_those_of_all_pixels_together(draw: Draw, cohort_from: Build) -> None:
    pictures = {f"p{k}": (draw(k)[: 20 + k] // (k + 1)) for k in range(5)}
    every = np.concatenate([p.ravel() for p in pictures.values()]).astype(np.float64)
    found = summarise(cohort_from(pictures)).intensities[0]
    assert found.mean == pytest.approx(every.mean(), rel=1e-9)
    assert found.sd == pytest.approx(every.std(), rel=1e-9)
    assert (found.low, found.high) == (every.min(), every.max())
    # Every pixel is in the sample here, so quantiles are exact but for what equal shares of each case weigh.
    assert found.median == pytest.approx(np.median(every), abs=2)
    assert found.p995 == pytest.approx(np.quantile(every, 0.995), abs=6)


def masked(root: Path, spacings: list[float], *, flip: int | None = None) -> Cohort:
    rng = np.random.default_rng(0)
    for folder in ("imagesTr", "labelsTr"):
        (root / folder).mkdir(parents=True)
    for k, spacing in enumerate(spacings):
        affine = np.diag([-1.0 if k == flip else 1.0, 1.0, spacing, 1.0])
        labels = np.zeros((8, 9, 10), np.uint8)
        labels[:2, :3, : k + 1] = 1
        nib.save(
            nib.Nifti1Image(rng.integers(0, 99, (8, 9, 10)).astype(np.int16), affine),
            root / f"imagesTr/c{k}.nii",
        )
        nib.save(nib.Nifti1Image(labels, affine), root / f"labelsTr/c{k}.nii")
    (root / "dataset.json").write_text(
        '{"training": [], "labels": {"0": "background", "1": "liver", "2": "none"}}'
    )
    return cohorts.read(root)


def test_labels_sizes_spacings_and_outliers(tmp_path: Path) -> None:
    cohort = masked(tmp_path, [2.0, 2.0, 2.5, 2.0, 9.0], flip=3)
    found = inspect(cohort)
    summary = found.summary
    liver, none = summary.targets[0].labels
    assert (liver.name, liver.cases, liver.voxels) == ("liver", 5, 6 * (1 + 2 + 3 + 4 + 5))
    assert (none.cases, none.voxels) == (0, 0)
    assert summary.spacing_mm is not None and summary.size is not None
    assert (summary.spacing_mm[2].low, summary.spacing_mm[2].median, summary.spacing_mm[2].high) == (
        2.0,
        2.0,
        9.0,
    )
    assert [s.median for s in summary.size] == [10, 9, 8]
    assert summary.orientations == {"RAS": 4, "LAS": 1}
    misfits = {m.kind: m.cases for m in found.misfits}
    assert misfits == {"spacing": ("c4",), "orientation": ("c3",)}


def test_a_mask_of_another_geometry_is_an_error_that_names_the_case(tmp_path: Path) -> None:
    cohort = masked(tmp_path, [2.0] * 4)
    path = tmp_path / "labelsTr" / "c1.nii"
    mask = nib.load(path)
    nib.save(nib.Nifti1Image(np.asarray(mask.dataobj), np.diag([1.0, 1.0, 3.0, 1.0])), path)
    found = inspect(cohort)
    errors = [f for f in found.findings if f.severity == "error"]
    assert [f.cases for f in errors] == [("c1",)] and "another geometry" in errors[0].text
    assert [m.cases for m in geometry.find(survey(cohort, strict=False).facts) if m.kind == "mask"] == [
        ("c1",)
    ]


def test_leaks_between_splits_are_said_as_fit_takes_them(draw: Draw, cohort_from: Build) -> None:
    pictures = {f"p{k}": draw(k) for k in range(12)}
    pictures["twin"] = pictures["p2"].copy()
    splits = dict.fromkeys(pictures, "train") | {"twin": "test", "p9": "test"}
    patients = {name: name for name in pictures} | {"p9": "q", "p8": "q"}
    cohort = cohort_from(
        pictures, splits=splits, patients=patients, labels={n: "ab"[len(n) % 2] for n in pictures}
    )
    found = inspect(cohort)
    assert {(x.kind, frozenset(x.cases), x.sides) for x in found.leaks} == {
        ("patient", frozenset({"p8", "p9"}), ("train", "test")),
        ("image", frozenset({"p2", "twin"}), ("train", "test")),
    }
    patient, image = (f for f in found.findings if f.kind == "leak")  # the worst first
    assert (patient.severity, image.severity) == ("error", "warning")
    assert "`fit` stops" in patient.hint and "`fit` does not train on those that test has" in image.hint
    with pytest.raises(LeakError, match="patient 'q'"):
        cohorts.assign(cohort, target="class")
    alone = replace(cohort, cases=tuple(replace(c, patient=None) for c in cohort.cases))
    copies = {"p2": "g", "twin": "g"}
    assigned = cohorts.assign(alone, target="class", copies=copies)
    assert set(assigned.test) == {"twin", "p9"} and "p2" not in {c for f in assigned.folds for c in f}
    parted = Assignment(test=("p8",), folds=(("p9",), ("p2", "twin")), by="hand")
    leaks = leakage.find(survey(cohort, strict=False).good, found.duplicates, assignment=parted)
    assert [(x.kind, x.sides) for x in leaks] == [("patient", ("test", "fold 0"))]


def test_a_near_copy_on_another_side_is_a_warning_of_its_own(draw: Draw, cohort_from: Build) -> None:
    pictures = {f"p{k}": draw(k) for k in range(12)}
    pictures["copy"] = np.clip(pictures["p3"] * 0.9 + 5, 0, 255).astype(np.uint8)
    splits = {name: "test" if name == "copy" else "train" for name in pictures}
    found = inspect(cohort_from(pictures, splits=splits, labels=dict.fromkeys(pictures, "a")))
    said = [(f.severity, f.kind) for f in found.findings if "copy" in f.cases]
    assert said == [("warning", "near leak")]


def test_classes_pixels_and_orphans_are_remarked_on(draw: Draw, cohort_from: Build) -> None:
    pictures = {f"p{k}": draw(k) for k in range(30)} | {"flat": np.full((64, 64), 7, np.uint8)}
    labels = dict.fromkeys(pictures, "common") | {"p3": "rare"}
    cohort = cohort_from(pictures, labels=labels)
    bare = Case(id="bare", images={"image": Image(draw(99)[None, None])})
    cohort = replace(cohort, cases=(*cohort.cases, bare))
    texts = {f.kind: f for f in inspect(cohort).findings}
    kinds = [(f.severity, f.kind) for f in inspect(cohort).findings]
    assert ("warning", "labels") in kinds and ("warning", "pixels") in kinds
    assert texts["orphans"].cases == ("bare",)
    assert any("30 times the cases" in f.text for f in inspect(cohort).findings)
    assert [f.cases for f in inspect(cohort).findings if f.kind == "pixels" and f.cases] == [("flat",)]


def test_targets_of_one_class_are_one_note_unless_one_is_asked_for(draw: Draw, cohort_from: Build) -> None:
    cohort = cohort_from({f"p{k}": draw(k) for k in range(12)})
    names = [f"liver {k}: Finding category" for k in range(7)]
    cases = tuple(replace(c, targets={**c.targets, **dict.fromkeys(names, "computed")}) for c in cohort.cases)
    infos = {n: TargetInfo(n, "class", (Label(0, "computed"),)) for n in names}
    several = replace(cohort, cases=cases, targets={**cohort.targets, **infos})
    said = [f for f in inspect(several).findings if "one class only" in f.text]
    assert [(f.severity, f.kind) for f in said] == [("note", "targets")] and "(7 in all)" in said[0].text
    assert all(f.severity != "error" for f in inspect(several).findings)
    asked = [f for f in inspect(several, target=names[2]).findings if f.severity == "error"]
    assert [f.text for f in asked] == [f"{names[2]}: one class only, 'computed'"]
    alone = replace(several, targets={names[0]: infos[names[0]]})
    assert [f.kind for f in inspect(alone).findings if f.severity == "error"] == ["labels"]


def test_cases_without_a_patient_id_are_counted(draw: Draw, cohort_from: Build) -> None:
    patients = {f"p{k}": f"P{k // 2}" for k in range(6)}
    del patients["p5"]
    cohort = replace(
        cohort_from({f"p{k}": draw(k) for k in range(6)}, patients=patients), patients_known=False
    )
    found = inspect(cohort)
    said = [f.text for f in found.findings if f.kind == "patients"]
    assert said == ["1 of 6 cases have no patient id: each of these counts as a patient of its own"]
    assert (found.summary.patients, found.summary.without_patient) == (4, 1)
    assert dict(facts(found))["patients"] == "4 (1 of 6 cases have no id, and count as one each)"
    none = inspect(cohort_from({f"p{k}": draw(k) for k in range(6)}))
    assert [f.text for f in none.findings if f.kind == "patients"] == [
        "no patient ids: each case counts as a patient"
    ]
    assert dict(facts(none))["patients"] == "6 (not named: each case counts as one)"


def test_a_faulty_case_is_named_and_the_rest_is_inspected(
    tmp_path: Path, draw: Draw, cohort_from: Build
) -> None:
    cohort = cohort_from({f"p{k}": draw(k) for k in range(4)})
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    broken = Case(id="broken", images={"image": Ref((tmp_path / "broken.png",))}, targets={"class": "a"})
    found = inspect(replace(cohort, cases=(*cohort.cases, broken)))
    assert found.summary.cases == 4 and found.summary.set_aside == 1
    assert any(f.cases == ("broken",) and f.kind == "set aside" for f in found.findings)


def test_the_page_is_self_contained_and_escapes_names(draw: Draw, cohort_from: Build, tmp_path: Path) -> None:
    pictures = {f"<b>{k}</b>": draw(k) for k in range(5)}
    cohort = cohort_from(pictures)
    volume = Image(np.random.default_rng(0).normal(size=(1, 6, 20, 30)).astype(np.float32), affine=np.eye(4))
    labels = Image(
        np.pad(np.ones((1, 2, 8, 8), np.uint8), ((0, 0), (2, 2), (6, 6), (11, 11))), affine=np.eye(4)
    )
    deep = Case(id="deep", images={"image": volume}, targets={"mask": labels})
    targets = {**cohort.targets, "mask": TargetInfo("mask", "mask")}
    found = inspect(replace(cohort, cases=(*cohort.cases, deep), targets=targets))
    html.write(found, tmp_path / "out.html")
    page = (tmp_path / "out.html").read_text()
    assert "&lt;b&gt;1&lt;/b&gt;" in page and "<b>1</b>" not in page
    assert not re.search(r"""(src|href)=["'](?!data:|#)""", page)
    assert page.count("data:image/png;base64,") == 7  # the labelled one also without its label
    thumb = next(t for t in found.thumbs if t.case == "deep")
    assert thumb.picture.shape == (64, 96, 3)
    assert np.ptp(thumb.picture.astype(int), axis=-1).max() > 20  # the label is drawn in colour
    assert found.summary.targets[1].labels[0].voxels == 128


def test_the_json_holds_everything_but_pictures(draw: Draw, cohort_from: Build) -> None:
    found = inspect(cohort_from({f"p{k}": draw(k) for k in range(4)}))
    data = json.loads(to_json(found))
    assert data["hash"] == found.cohort.hash and len(data["hash"]) == 64
    assert data["summary"]["cases"] == 4 and len(data["findings"]) == len(found.findings)
    label = {"value": 0, "name": "a", "cases": 2, "voxels": None, "things": None}
    assert data["summary"]["targets"][0]["labels"][0] == label


@pytest.mark.realdata
def test_hippocampus_orphans_and_its_scales_are_named(shared_data: Path) -> None:
    found = inspect(cohorts.read(shared_data / "hippocampus", max_set_aside=1.0))
    assert found.summary.cases == 209 and found.summary.targets[0].cases == 208
    assert found.summary.orphans == ("hippocampus_010", "hippocampus_281", "hippocampus_118")
    assert any("different scales" in f.text for f in found.findings)
    assert not [f for f in found.findings if f.severity == "error"] and found.duplicates == ()


def said_of(cohort: Cohort) -> list[tuple[str, str]]:
    return [(f.severity, f.text) for f in inspect(cohort).findings if f.kind in ("labels", "patients")]


def test_what_fit_refuses_for_all_cases_alike_is_said_here(tmp_path: Path, draw: Draw) -> None:
    (tmp_path / "images").mkdir()
    for k in range(4):
        PIL.Image.fromarray(draw(k).astype(np.uint8)).save(tmp_path / f"images/p{k}.png")
    rows = "".join(f"c{k},same,images/p{k}.png\n" for k in range(4))
    (tmp_path / "cohort.csv").write_text("case,patient,image\n" + rows)
    (tmp_path / "boxes.csv").write_text(
        "case,label,x0,y0,x1,y1\n" + "".join(f"c{k},,,,,\n" for k in range(4))
    )
    assert said_of(cohorts.read(tmp_path)) == [
        ("error", "boxes: nothing to learn: no box in any of 4 cases"),
        ("warning", "1 patient is too few for a test set and two folds"),
    ]
    (tmp_path / "boxes.csv").write_text(
        "case,label,x0,y0,x1,y1\n" + "".join(f"c{k},a,1,1,5,6\n" for k in range(4))
    )
    split = rows.replace("\n", ",train\n", 3).replace("p3.png\n", "p3.png,test\n")
    (tmp_path / "cohort.csv").write_text("case,patient,image,split\n" + split.replace("c3,same", "c3,other"))
    found = said_of(cohorts.read(tmp_path))
    assert "error" not in dict(found) and not any("too few" in text for _, text in found)
