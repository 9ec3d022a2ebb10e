"""Edited reports as a table: every image of a case, its declared split, and no name or number of its patient."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image as Pil

from vesalius import cohorts, formats
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort
from vesalius.core.image_digest import image_digest
from vesalius.serve.edits.store import EditStore
from vesalius.serve.edits.table import Exported, export_edits

CLEAN = "There is a 7 mm² nodule in the left lung."


def saved(folder: Path, said: dict[str, tuple[Case, str]]) -> Path:
    """A folder of edits: of each case one text."""
    store = EditStore(folder)
    more: dict[str, Any] = {"author": "A", "written": {}, "model": "m", "caller": "local"}
    for case, text in said.values():
        digest = image_digest(case)
        assert digest is not None
        store.save((digest, "bundle"), {"findings": text}, seen=0, **more)
    store.close()
    return folder


def picture(path: Path, seed: int) -> Ref:
    path.parent.mkdir(parents=True, exist_ok=True)
    Pil.fromarray(np.random.default_rng(seed).integers(0, 255, (24, 24), dtype=np.uint8)).save(path)
    return Ref((path,))


def exported(tmp_path: Path, cases: list[Case], texts: list[str] | None = None) -> Exported:
    said = {c.id: (c, t) for c, t in zip(cases, texts or [f"{CLEAN} No {c.id}." for c in cases], strict=True)}
    cohort = Cohort(root=tmp_path, layout="table", cases=tuple(cases), targets={})
    return export_edits(saved(tmp_path / "edits", said), cohort, tmp_path / "data" / "edits.csv")


def test_a_declared_test_case_stays_one_and_every_image_comes_along(tmp_path: Path) -> None:
    data = tmp_path / "data"
    cases = [
        Case(
            id=f"s{k}",
            images={v: picture(data / f"s{k}" / f"{v}.png", 2 * k + n) for n, v in enumerate(("frontal", "lateral"))},
            reference="frontal",
            patient=f"p{k}",
            split=split,
        )
        for k, split in enumerate(("train", "test", "train", "test"))
    ]  # fmt: skip
    made = exported(tmp_path, cases)
    assert (made.cases, made.left_out) == (4, ())
    back = {c.id: c for c in cohorts.read(made.path)}
    for case in cases:
        one = back[case.id]
        assert (one.split, one.patient) == (case.split, case.patient)
        assert {n: Path(r.paths[0]).resolve() for n, r in one.images.items()} == {
            n: r.paths[0].resolve() for n, r in case.images.items()
        }
        assert one.report == f"FINDINGS: {CLEAN} No {case.id}."


def test_an_item_of_an_array_is_that_item_and_not_its_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    stack = np.random.default_rng(5).integers(0, 255, (4, 20, 20), dtype=np.uint8)
    np.savez(data / "all.npz", images=stack)
    cases = [
        Case(id=f"n{k}", images={"image": Ref((data / "all.npz",), member="images", index=k)}) for k in (2, 3)
    ]
    made = exported(tmp_path, cases)
    back = {c.id: c for c in cohorts.read(made.path)}
    for k in (2, 3):
        image = back[f"n{k}"].image
        assert isinstance(image, Ref)
        assert np.array_equal(np.sort(formats.read(image).array, axis=None), np.sort(stack[k], axis=None))


@pytest.mark.parametrize(
    ("header", "text", "out"),
    [
        ({}, CLEAN, False),
        ({}, "Seen with Wu, as before.", True),  # Li Wu: two letters each
        ({}, "Li has a nodule.", True),
        ({"PatientName": "Müller^Eva"}, "Frau Mueller has a nodule. Mueller is well.", True),
        ({"PatientName": "Mueller^Eva"}, "As Müller says, it hurts.", True),
        ({"PatientName": "Doe, Jane"}, "Doe has a nodule.", True),
        ({"PatientID": "H-778812"}, "Number 778812: a nodule.", True),
        ({"PatientID": "H-7788"}, "Number 7788: a nodule.", True),
        ({"OtherPatientIDs": ["K4417", "Q9"]}, "Formerly K4417.", True),
        ({"OtherPatientNames": "Roe^Jane"}, "Formerly Roe.", True),
        ({"PatientID": "lung_001"}, CLEAN, False),  # a common word of an id names nobody
        ({}, "Compared with 2024-03-12.", True),  # a date is of somebody
    ],
)
def test_no_name_or_number_of_a_patient_comes_to_the_table(
    header: dict[str, Any], text: str, out: bool, tmp_path: Path, series: list[Path]
) -> None:
    cases = []
    for k, (tags, _) in enumerate((({}, ""), (header, text))):
        head = pydicom.dcmread(series[k])
        head.SpecificCharacterSet, head.PatientName, head.PatientID = "ISO_IR 192", "Li^Wu", "7"
        for name, value in tags.items():
            setattr(head, name, value)
        path = tmp_path / "data" / f"{k}.dcm"
        path.parent.mkdir(exist_ok=True)
        head.save_as(path)
        cases.append(Case(id=f"c{k}", images={"image": Ref((path,))}))
    made = exported(tmp_path, cases, ["A small effusion.", text])
    assert [case for case, _ in made.left_out] == (["c1"] if out else [])
    assert (text in made.path.read_text("utf-8")) is not out


def test_a_name_in_a_cohort_is_looked_for_too(tmp_path: Path) -> None:
    images = [picture(tmp_path / "data" / f"{k}.png", k) for k in range(2)]
    cases = [Case(id=f"c{k}", images={"image": ref}) for k, ref in enumerate(images)]
    cases[1] = dataclasses.replace(cases[1], patient="Doe, Jane")
    made = exported(tmp_path, cases, ["A nodule.", "Doe has a nodule."])
    assert [case for case, _ in made.left_out] == ["c1"] and "names the patient" in made.left_out[0][1]
