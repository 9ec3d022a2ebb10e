"""change: two visits of a phantom as DICOM, what is refused, what is written, a cohort of patients."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import vesalius as vs
from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Case, Visit
from vesalius.core.cohort import Cohort, Label
from vesalius.core.errors import DataError, MismatchError, OutputError, PlanError, UnknownName
from vesalius.core.image import Image
from vesalius.core.scorecard import load_scorecard
from vesalius.infer.predictor import Predictor
from vesalius.phantom import ct
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.abdomen.patient import LABELS, AbdomenPatient
from vesalius.run.change import comparing

SIZE = (20, 40, 40)
MOVED = {"shift_mm": (9.0, -6.0, 12.0), "turned_deg": (3.0, -4.0, 6.0)}
FIRST = ct.patient(3, seed=9, size=SIZE)
SECOND = ct.later(3, seed=9, growth=3.0, days=120, size=SIZE, **MOVED)  # type: ignore[arg-type]


def put(study: AbdomenPatient, folder: Path, **elements: Any) -> Path:
    folder.mkdir(parents=True)
    for name, data in dicom_files(study):
        (folder / name).write_bytes(data)
        if elements:
            one = pydicom.dcmread(folder / name)
            for key, value in elements.items():
                setattr(one, key, value)
            one.save_as(folder / name)
    return folder


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two visits of one patient, 120 days apart; the lesion is three times as large, the patient lies otherwise."""
    root = tmp_path_factory.mktemp("visits")
    return put(FIRST, root / "earlier"), put(SECOND, root / "later")


@pytest.fixture
def truthful(monkeypatch: pytest.MonkeyPatch, volumes: Any) -> Any:
    """The bundle answers with the phantom's truth, and its test split was off by 2 ml at the lesion, 50 elsewhere."""
    known: list[AbdomenPatient] = [FIRST, SECOND]

    def answer(self: Predictor, case: Case, *, watch: Any = None) -> Mask:
        image = case.image
        assert isinstance(image, Image)
        study = next(s for s in known if np.array_equal(s.image, image.array[0]))
        return Mask(
            image=replace(image, array=study.labels[None], unit=None),
            labels=tuple(Label(v, n) for n, v in LABELS.items()),
            case_id=case.id, source=image.source, bundle=self.bundle.hash, by=self.bundle.name,
        )  # fmt: skip

    def errors(name: str) -> dict[str, Any]:
        sd = 2.0 if name == "lesion" else 50.0
        ends = {
            k: {"value": v, "low": None, "high": None, "n": 40}
            for k, v in (("low", -1.96 * sd), ("high", 1.96 * sd))
        }
        return {"unit": "ml", **ends}

    card = load_scorecard(volumes.path / "scorecard.json")
    judged = replace(card, clinical={"sizes": {name: errors(name) for name in LABELS}})
    monkeypatch.setattr(Predictor, "__call__", answer)
    monkeypatch.setattr(comparing, "own_scorecard", lambda bundle: judged)
    return known


def test_what_grew_is_told_with_its_interval_and_what_did_not_is_not(
    volumes: Any, truthful: Any, visits: tuple[Path, Path], tmp_path: Path
) -> None:
    found = vs.change(volumes.run, *visits, tmp_path / "out")
    assert found.days == 120 and found.apart.by == "StudyDate" and found.registration.fits
    assert found.registration.turned_deg == pytest.approx(7.8, abs=1.0)
    lesion = next(g for g in found.growths if g.name == "lesion")
    truths = [s.truth()["organ_ml"]["lesion"] for s in (FIRST, SECOND)]
    assert (lesion.earlier, lesion.later) == pytest.approx(truths, abs=0.01)
    assert lesion.verdict == "grown" and lesion.rates(found.days)["year"] == pytest.approx(
        lesion.change / 120 * 365.25
    )
    assert [g.name for g in found.told] == ["lesion"] and found.verdict.startswith("Lesion grew from")
    document = json.loads((tmp_path / "out" / "change.json").read_text())
    assert document["verdict"] == found.verdict and len(document["growth"]) == len(found.growths)
    (row,) = csv.DictReader((tmp_path / "out" / "change.csv").open())
    assert (
        float(row["lesion_volume_later"]) == pytest.approx(truths[1], abs=0.01)
        and row["lesion_volume_told"] == "grown"
    )
    page = (tmp_path / "out" / "change.html").read_text(encoding="utf-8")
    assert page.count("data:image/") >= 2 and 'src="http' not in page and "P0003" not in page
    for text in (json.dumps(document), page, (tmp_path / "out" / "change.csv").read_text()):
        assert "Phantom^" not in text
    shapes = [formats.read_mask(tmp_path / "out" / f"{n}.nii.gz") for n in ("earlier-on-later", "later")]
    assert np.allclose(shapes[0].affine, shapes[1].affine, atol=1e-3)  # type: ignore[arg-type]
    both = [one.array == LABELS["liver"] for one in shapes]
    assert (
        2 * (both[0] & both[1]).sum() / (both[0].sum() + both[1].sum()) > 0.75
    )  # though the patient lay elsewhere
    with pytest.raises(OutputError):
        vs.change(volumes.run, *visits, tmp_path / "out")
    surfaces = {one["name"]: one for one in document["surfaces"]}
    liver = surfaces["liver"]
    assert (
        liver["p95_mm"] < 8 and liver["doubt_mm"] > found.registration.apart
    )  # the liver moved with its patient
    assert (
        surfaces["lesion"]["outward"]["most_mm"] > surfaces["lesion"]["inward"]["most_mm"]
    )  # and its lesion grew
    assert float(row["liver_surface_outward_p95_mm"]) == pytest.approx(liver["outward"]["p95_mm"])
    assert 'id="surfaces"' in page and "surface from anterior, left and superior" in page
    shown = found._repr_html_()
    assert "Lesion grew from" in shown and shown.count("<img") == 2 and "Change" in repr(found)
    assert found.show(tmp_path / "shown.html") == tmp_path / "shown.html"
    assert found.to_polars().height == len(found.growths)


def test_the_same_study_twice_has_not_grown_at_all(volumes: Any, visits: tuple[Path, Path]) -> None:
    """With the bundle's own answers: whatever it says, it says twice."""
    found = vs.change(volumes.run, visits[0], visits[0])
    assert {g.change for g in found.growths} == {0.0} and {g.verdict for g in found.growths} <= {
        "same",
        "absent",
    }
    assert found.verdict == "Both visits are the same image: nothing changed." and not found.told
    assert found.registration.by == "the same image" and all(g.reach is None for g in found.growths)


def test_two_patients_and_the_wrong_order_are_refused(
    volumes: Any, truthful: Any, visits: tuple[Path, Path], tmp_path: Path
) -> None:
    earlier, later = visits
    with pytest.raises(DataError, match="dated after the other.*2020-04-30 and 2020-01-01"):
        vs.change(volumes.run, later, earlier)
    other = put(SECOND, tmp_path / "other", PatientID="SECRET-ID")
    with pytest.raises(DataError, match="two patients") as refused:
        vs.change(volumes.run, earlier, other, tmp_path / "out")
    assert "SECRET" not in str(refused.value) and not (tmp_path / "out").exists()
    accepted = vs.change(volumes.run, earlier, other, accept=True, registration="none")
    assert any("accepted" in note for note in accepted.notes)
    born = [
        put(s, tmp_path / f"born{k}", PatientBirthDate=f"19{k}00101") for k, s in ((5, FIRST), (6, SECOND))
    ]
    with pytest.raises(DataError, match="another day of birth"):
        vs.change(volumes.run, *born)
    mr = put(SECOND, tmp_path / "mr", Modality="MR", RescaleType="US")
    with pytest.raises(MismatchError):
        vs.change(volumes.run, earlier, mr)
    for days in (0, -5, 1e9):
        with pytest.raises(DataError, match="after the earlier"):
            vs.change(volumes.run, earlier, later, days=days)
    with pytest.raises(UnknownName, match="registration"):
        vs.change(volumes.run, earlier, later, registration="elastix")
    with pytest.raises(DataError, match="the later visit is not one image"):
        vs.change(volumes.run, earlier, visits[0].parent)
    with pytest.raises(PlanError):
        vs.change(volumes.run, earlier, later, doubt="members")


def test_time_is_what_is_said_and_none_is_made_up(
    volumes: Any, truthful: Any, visits: tuple[Path, Path]
) -> None:
    said = vs.change(volumes.run, *visits, days=60, registration="none")
    assert said.days == 60 and any("dates lie 120 days apart" in note for note in said.notes)
    assert not said.registration.fits and any("not registered" in note for note in said.notes)
    images = [s.as_image() for s in (FIRST, SECOND)]
    undated = vs.change(volumes.run, *images, registration="none")
    assert undated.days is None and any("no growth a day" in note for note in undated.notes)
    assert undated.growths[-1].rates(undated.days) == {} and any(
        "taken on trust" in note for note in undated.notes
    )


def test_dicom_objects_hold_both_visits_and_the_change(
    volumes: Any, truthful: Any, visits: tuple[Path, Path], tmp_path: Path
) -> None:
    vs.change(volumes.run, *visits, tmp_path / "out", dicom=True, registration="none")
    names = {p.name for p in (tmp_path / "out").glob("*.dcm")}
    assert names == {"change.sr.dcm", *(f"{w}.{s}.dcm" for w in ("earlier", "later") for s in ("seg", "sr"))}
    report = pydicom.dcmread(tmp_path / "out" / "change.sr.dcm")
    first, second = (pydicom.dcmread(next(v.iterdir())) for v in visits)
    assert report.StudyInstanceUID == second.StudyInstanceUID and report.PatientID == second.PatientID
    current = report.CurrentRequestedProcedureEvidenceSequence
    other = report.PertinentOtherEvidenceSequence
    assert [s.StudyInstanceUID for s in current] == [second.StudyInstanceUID]
    assert [s.StudyInstanceUID for s in other] == [first.StudyInstanceUID]
    measured = report.ContentSequence[-1].ContentSequence
    said = [
        {
            item.ConceptNameCodeSequence[0].CodeMeaning: item
            for item in group.ContentSequence
            if "ConceptNameCodeSequence" in item
        }
        for group in measured
    ]
    lesion = [g for g in said if g["Tracking Identifier"].TextValue == "lesion"]
    assert [g["Time Point"].TextValue for g in lesion] == [
        "earlier visit",
        "later visit",
        "change between both visits",
    ]
    assert len({g["Tracking Unique Identifier"].UID for g in lesion}) == 1
    values = [float(g["Volume"].MeasuredValueSequence[0].NumericValue) for g in lesion[:2]]
    assert values == pytest.approx([s.truth()["organ_ml"]["lesion"] for s in (FIRST, SECOND)], abs=0.01)
    change = lesion[2]["change of volume"].MeasuredValueSequence[0]
    assert (
        float(change.NumericValue) == pytest.approx(values[1] - values[0])
        and change.MeasurementUnitsCodeSequence[0].CodeValue == "ml"
    )
    assert lesion[2]["Change between visits"].ConceptCodeSequence[0].CodeMeaning == "grown"
    tool = shutil.which("dciodvfy")
    if tool is not None:
        done = subprocess.run(
            [tool, tmp_path / "out" / "change.sr.dcm"], capture_output=True, text=True, check=False
        )
        assert [line for line in done.stderr.splitlines() if line.startswith("Error")] == []


def test_a_cohort_has_a_row_a_patient_and_a_page_each(volumes: Any, truthful: Any, tmp_path: Path) -> None:
    middle = ct.later(3, seed=9, growth=1.0, days=40, size=SIZE)
    truthful.append(middle)
    before = Case("early", {"image": FIRST.as_image()}, patient="Ann")
    between = Case("middle", {"image": middle.as_image()}, patient="Ann", earlier=(Visit(before, 40.0),))
    last = Case(
        "late",
        {"image": SECOND.as_image()},
        patient="Ann",
        earlier=(Visit(before, 120.0), Visit(between, 80.0)),
    )
    lone = Case("lone", {"image": FIRST.as_image()}, patient="Ben")
    bad = Case(
        "bad",
        {"image": Image(FIRST.image[None], affine=FIRST.affine, modality="MR")},
        patient="Cy",
        earlier=(Visit(before, 9.0),),
    )
    cohort = replace(vs.read(volumes.data), cases=(between, last, lone, bad))
    assert isinstance(cohort, Cohort)
    found = vs.change(volumes.run, cohort, None, tmp_path / "out", registration="none")
    assert isinstance(found, vs.Changes) and len(found) == 1 and [a.case for a in found.set_aside] == ["bad"]
    assert found[0].patient == "Ann" and found[0].days == 80 and found[0].visits[0].case == "middle"
    assert found[0].between is None  # no pixels are kept of many
    (row,) = csv.DictReader((tmp_path / "out" / "change.csv").open())
    assert row["patient"] == "Ann" and row["earlier"] == "middle" and float(row["days"]) == 80
    page = (tmp_path / "out" / "change.html").read_text(encoding="utf-8")
    assert (
        'href="patients/Ann.html"' in page
        and (tmp_path / "out" / "patients" / "Ann.html").is_file()
        and "bad" in page
    )
    assert (tmp_path / "out" / "failed.csv").is_file()
    assert "not compared" in found._repr_html_() and found.show(tmp_path / "all.html") is not None
    first = vs.change(volumes.run, cohort, registration="none", since="first")
    assert first[0].days == 120 and first[0].visits[0].case == "early"
    assert found.to_polars().height == 1 and "no change" not in repr(found)
    eyes = [
        replace(
            c,
            id=f"{c.id}-left",
            earlier=tuple(replace(v, case=replace(v.case, id=f"{v.case.id}-left")) for v in c.earlier),
        )
        for c in (between, last)
    ]
    both = vs.change(volumes.run, replace(cohort, cases=(between, last, *eyes)), registration="none")
    assert [c.patient for c in both] == [
        "Ann, late",
        "Ann, late-left",
    ]  # two eyes of one patient are two rows
    with pytest.raises(DataError, match="no case of the cohort has an earlier visit"):
        vs.change(volumes.run, replace(cohort, cases=(lone,)))
    with pytest.raises(UnknownName):
        vs.change(volumes.run, cohort, since="last")
