"""`index` and `find` on models that were never trained: added to and resumed, conditions, and what must be said."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from PIL import Image as Picture
from tests.serve._bundles import classifier, segmenter

import vesalius as vs
from vesalius.core.errors import BundleError, DataError, OutputError
from vesalius.core.index_file import open_index
from vesalius.run.vectors import Vectors


def table(folder: Path, names: list[str], *, seed: int = 0) -> Path:
    """Pictures of 40 by 40, two of each patient, with an age, a sex and a class; the same name has the same pixels."""
    (folder / "images").mkdir(parents=True)
    rows = []
    for name in names:
        k = int(name[1:])
        rng = np.random.default_rng(1000 * seed + k)
        array = rng.normal(100, 10 + 5 * (k % 5), (40, 40)).clip(0, 255).astype(np.uint8)
        Picture.fromarray(array).save(folder / "images" / f"{name}.png")
        rows.append(
            [name, f"p{k // 2}", f"images/{name}.png", 30 + k, "FM"[k % 2], ("healthy", "lesion")[k % 2]]
        )
    with (folder / "cohort.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["case", "patient", "image", "age", "sex", "class"], *rows])
    return folder / "cohort.csv"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classifier(tmp_path_factory.mktemp("model") / "chest").path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return table(tmp_path_factory.mktemp("data") / "all", [f"c{k}" for k in range(10)])


@pytest.fixture(scope="module")
def known(bundle: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("index") / "index"
    made = vs.index(bundle, data, out, progress=False)
    assert made.cases == made.new == 10 and made.way == "exact" and not made.reads
    return out


def test_neither_the_image_nor_its_patient_is_found_and_both_on_demand(known: Path, data: Path) -> None:
    image = data.parent / "images" / "c4.png"
    found = vs.find(known, image=image, count=20)
    ids = found.ranking.case_ids
    assert len(ids) == 8 and not {"c4", "c5"} & set(ids)  # its pixels say that it is p2's
    assert found.left_out == 2 and list(found.ranking.distances) == sorted(found.ranking.distances)
    own = vs.find(known, image=image, count=20, own_patient=True)
    assert "c5" in own.ranking.case_ids and "c4" not in own.ranking.case_ids
    other = vs.find(known, image=image, count=20, patient="P3 ")
    assert not {"c4", "c5", "c6", "c7"} & set(other.ranking.case_ids)


def test_conditions_choose_cases(known: Path, data: Path) -> None:
    image = data.parent / "images" / "c4.png"
    found = vs.find(known, image=image, where={"sex": "f", "age": "30..36", "class": "healthy"})
    assert set(found.ranking.case_ids) == {"c0", "c2", "c6"} and found.chosen == 4 and found.left_out == 1
    assert "looked at 4 cases of 10" in found.notes[-1]
    with pytest.raises(DataError, match="no case of the index has 'weight'"):
        vs.find(known, image=image, where={"weight": "60"})


def test_an_unknown_patient_is_said(known: Path, tmp_path: Path) -> None:
    new = table(tmp_path / "new", ["c77"]).parent / "images" / "c77.png"
    found = vs.find(known, image=new, count=1)
    assert "nobody said whose the image is" in found.patients and found.patients in found.notes


def test_cases_are_added_as_if_all_had_come_at_once(
    bundle: Path, data: Path, known: Path, tmp_path: Path
) -> None:
    few = table(tmp_path / "few", [f"c{k}" for k in range(6)])
    vs.index(bundle, few, tmp_path / "i", progress=False)
    made = vs.index(bundle, data, tmp_path / "i", add=True, progress=False)
    assert (made.cases, made.new, made.already, made.set_aside) == (10, 4, 6, ())
    whole, grown = open_index(known), open_index(tmp_path / "i")
    np.testing.assert_array_equal(whole.vectors, grown.vectors)
    assert [e.case for e in grown.entries] == [e.case for e in whole.entries] and len(grown.added) == 2
    image = data.parent / "images" / "c4.png"
    assert (
        vs.find(tmp_path / "i", image=image).rows()[0]["distance"]
        == vs.find(known, image=image).rows()[0]["distance"]
    )
    again = vs.index(bundle, data, tmp_path / "i", add=True, progress=False)
    assert (again.cases, again.new, again.already) == (10, 0, 10)
    other = table(tmp_path / "other", ["c3"], seed=9)
    with pytest.raises(DataError, match="another case of this id is in the index, with other pixels"):
        vs.index(bundle, other, tmp_path / "i", add=True, progress=False)
    assert not (tmp_path / "i" / "part").exists()


def test_what_was_stopped_goes_on(
    bundle: Path, data: Path, known: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    real = Vectors.of_case

    def stops(self: Vectors, case: Any) -> Any:
        if len(seen) == 4:
            raise KeyboardInterrupt
        seen.append(case.id)
        return real(self, case)

    monkeypatch.setattr(Vectors, "of_case", stops)
    with pytest.raises(KeyboardInterrupt):
        vs.index(bundle, data, tmp_path / "i", progress=False)
    with pytest.raises(BundleError, match="is not an index"):
        vs.find(tmp_path / "i", image=data.parent / "images" / "c4.png")
    with pytest.raises(OutputError):
        vs.index(bundle, data, tmp_path / "i", progress=False)
    seen[:] = []
    monkeypatch.setattr(Vectors, "of_case", lambda self, case: (seen.append(case.id), real(self, case))[1])
    vs.index(bundle, data, tmp_path / "i", resume=True, progress=False)
    assert seen == [f"c{k}" for k in range(4, 10)]
    np.testing.assert_array_equal(open_index(tmp_path / "i").vectors, open_index(known).vectors)
    assert not (tmp_path / "i" / "part").exists()


def test_cases_that_another_process_added_meanwhile_are_not_lost(
    bundle: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    verb = importlib.import_module("vesalius.verbs.index")
    few = table(tmp_path / "few", ["c0", "c1"])
    vs.index(bundle, few, tmp_path / "i", progress=False)
    real, others = verb.read_cases, [table(tmp_path / "others", ["c20", "c21"])]

    def meanwhile(*args: Any, **told: Any) -> Any:
        if others:
            vs.index(bundle, others.pop(), tmp_path / "i", add=True, progress=False)
        return real(*args, **told)

    monkeypatch.setattr(verb, "read_cases", meanwhile)
    with pytest.raises(OutputError, match="has changed since"):
        vs.index(bundle, data, tmp_path / "i", add=True, progress=False)
    assert vs.index(bundle, data, tmp_path / "i", add=True, progress=False).cases == 12


def test_data_without_an_image_leave_nothing(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(b"no picture")
    with pytest.raises(DataError):
        vs.index(bundle, tmp_path / "data", tmp_path / "i", progress=False)
    assert not (tmp_path / "i").exists() or not list((tmp_path / "i").iterdir())


def test_an_index_of_another_bundle_takes_no_cases(known: Path, data: Path, tmp_path: Path) -> None:
    other = segmenter(tmp_path / "other", dims=2)
    with pytest.raises(BundleError, match="of another bundle"):
        vs.index(other, data, known, add=True, progress=False)


def test_volumes_that_are_seen_tile_by_tile_are_seen_whole(tmp_path: Path) -> None:
    """The vector is the mean over the tiles that cover the volume, so that what lies at its edge counts."""
    made = segmenter(tmp_path / "organs")  # tiles of 8 x 16 x 16
    rng = np.random.default_rng(3)
    files = []
    for k in range(3):
        array = rng.normal(0, 1, (32, 16, 8)).astype(np.float32)  # (x, y, z): two tiles side by side
        files.append(tmp_path / "data" / f"v{k}.nii.gz")
        files[-1].parent.mkdir(exist_ok=True)
        nibabel.save(nibabel.Nifti1Image(array, np.diag([-1.0, -1, 1, 1])), files[-1])
    assert vs.index(made, tmp_path / "data", tmp_path / "i", progress=False).cases == 3
    found = open_index(tmp_path / "i")
    vectors = Vectors(made, device="cpu")
    (case, *_) = vs.read(tmp_path / "data").cases
    example = vectors.predictor.encoded(case).example
    from vesalius.infer.features import features
    from vesalius.prepare.batch import part_of

    halves = [part_of(example, (0, 0, x), (8, 16, 16)) for x in (0, 16)]
    each = [next(features(vectors.predictor.last, [half])) for half in halves]
    np.testing.assert_allclose(found.vectors[0], np.mean(each, axis=0), atol=1e-5)
    assert found.tiles == "all" and not np.allclose(found.vectors[0], each[0], atol=1e-3)
    assert len(vs.find(tmp_path / "i", image=files[0]).ranking.case_ids) == 2


def test_a_dicom_series_is_known_again_in_an_index_of_nifti(tmp_path: Path) -> None:
    made = segmenter(tmp_path / "organs")
    nifti, dicom = (
        vs.phantom(tmp_path / form, cases=3, size=(12, 32, 32), seed=4, format=form)
        for form in ("nifti", "dicom")
    )
    vs.index(made, nifti, tmp_path / "i", progress=False)
    found = vs.find(tmp_path / "i", image=dicom / "dicom" / "P0000")
    assert set(found.ranking.case_ids) == {"case-0001", "case-0002"} and found.left_out == 1
    assert "does not know whose its cases are" in found.patients
    vs.index(made, dicom, tmp_path / "d", progress=False, accept_mismatch=True)
    only = vs.find(tmp_path / "d", image=dicom / "dicom" / "P0000", where={"modality": "ct"})
    assert only.chosen == 3 and only.patients == ""


def test_words_that_count_for_nothing_are_said(dictated: Any, tmp_path: Path) -> None:
    vs.index(dictated.bundle, dictated.data, tmp_path / "i", progress=False)
    found = vs.find(tmp_path / "i", "left xyzzy nodule", count=2)
    assert found.unread == ("xyzzy",) and "xyzzy" in found.notes[0]
    assert vs.find(tmp_path / "i", "left nodule", count=2).unread == ()
    long = "left nodule " * 20  # longer than a sentence that the model reads
    assert set(vs.find(tmp_path / "i", long, count=2).unread) == {"left", "nodule"}


def test_the_guard_marks_an_image_of_another_size(known: Path, tmp_path: Path, bundle: Path) -> None:
    from vesalius.core.bundle import open_bundle
    from vesalius.core.case import Case
    from vesalius.core.image import Image
    from vesalius.infer import guard

    image = Image(np.random.default_rng(0).normal(100, 10, (1, 1, 40, 40)).astype(np.float32))
    marked = ("a size of 40, where training had 512",)
    vectors = Vectors(open_bundle(bundle), device="cpu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "admit", lambda *args, **told: marked)
        assert vectors.located(Case("q", {"image": image})).outside == marked
        found = vs.find(known, image=replace(Case("q", {"image": image})), count=1)
    assert found.outside == marked and marked[0] in found.remarks()[0]
