"""Cases are known again by pixels, whatever their file, type and orientation, and by patient; from hashes alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Pillow

from vesalius import cohorts, formats
from vesalius.core.case import Case
from vesalius.core.cohort import Assignment, Cohort
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.reliability.marks import Marks, picture_marks
from vesalius.reliability.trained_on import (
    Learned,
    TrainedOn,
    learned,
    load_trained_on,
    overlap,
    save_trained_on,
)

RNG = np.random.default_rng(5)
PICTURES = {f"p{k}": RNG.integers(0, 255, (12, 16)).astype(np.uint8) for k in range(6)}


def marked(pictures: Mapping[str, Array], patients: Mapping[str, str] | None = None) -> Marks:
    """The marks of pictures `(Y, X)` or `(C, Y, X)` in memory."""
    marks = Marks()
    patients = patients or {}
    cases = tuple(
        Case(n, {"image": Image(a.reshape(-1, 1, *a.shape[-2:]))}, patient=patients.get(n))
        for n, a in pictures.items()
    )
    cohorts.check(Cohort(Path("x"), "memory", cases), observe=marks)
    return marks


def record(marks: Marks, **kept: tuple[str, ...]) -> TrainedOn:
    assignment = Assignment(kept.get("test", ()), tuple(v for k, v in kept.items() if k != "test"), "seed 0")
    return TrainedOn("0" * 64, (learned(marks, assignment),))


def test_the_same_picture_has_the_same_marks_in_every_lossless_format(tmp_path: Path) -> None:
    grey = PICTURES["p0"]
    files = []
    for suffix in (".png", ".bmp", ".tif"):
        files.append(tmp_path / f"x{suffix}")
        Pillow.fromarray(grey).save(files[-1])
    Pillow.fromarray(np.stack([grey] * 3, -1)).save(tmp_path / "rgb.png")
    Pillow.fromarray(grey.astype(np.uint16)).save(tmp_path / "deep.png")
    for name, dtype in (("s.nii.gz", np.int16), ("f.nii", np.float32), ("d.nii", np.float64)):
        nib.save(nib.Nifti1Image(grey.T[..., None].astype(dtype), np.diag([-1, 1, 1, 1])), tmp_path / name)
        files.append(tmp_path / name)
    files += [tmp_path / "rgb.png", tmp_path / "deep.png"]
    marks = {f.name: picture_marks(formats.read(f)) for f in files}
    assert set(marks.values()) == {picture_marks(Image(grey[None, None]))}, marks


def test_mirrored_and_turned_is_the_same_picture_and_one_other_pixel_is_not() -> None:
    volume = RNG.integers(-1000, 1000, (5, 6, 7)).astype(np.int16)
    same = picture_marks(Image(volume[None]))
    for other in (volume[::-1], volume[:, ::-1, ::-1], volume.transpose(2, 0, 1), volume.astype(np.float64)):
        assert picture_marks(Image(other[None])) == same
    changed = volume.copy()
    changed[2, 3, 4] += 1
    swapped = volume.copy()
    swapped[0, 0, 0], swapped[1, 2, 3] = volume[1, 2, 3], volume[0, 0, 0]
    for other in (changed, swapped, volume[:, :, :-1]):
        assert picture_marks(Image(other[None])) != same


def test_one_sequence_of_several_is_known_and_an_atlas_that_all_cases_hold_is_not() -> None:
    atlas = RNG.integers(0, 255, (12, 16)).astype(np.uint8)
    blank = np.zeros_like(atlas)
    flair, t1 = ({k: RNG.permutation(v.ravel()).reshape(v.shape) for k, v in PICTURES.items()} for _ in "ab")
    trained = marked({k: np.stack([flair[k], t1[k], atlas, blank]) for k in PICTURES})
    known = record(trained, fold=tuple(PICTURES))
    assert set(overlap(known, marked({"new": t1["p3"]}), of="it").trained) == {"new"}
    others = {
        f"n{k}": np.stack([RNG.permutation(atlas.ravel()).reshape(12, 16), atlas, blank]) for k in range(2)
    }
    assert overlap(known, marked(others), of="it").trained == {}


def test_trained_tested_and_new_cases_are_told_apart_with_their_folds() -> None:
    known = record(marked(PICTURES), a=("p0", "p1"), b=("p2",), test=("p3", "p4"))
    renamed = {f"other-{k}": v[::-1] for k, v in PICTURES.items()}
    found = overlap(known, marked(renamed), of="it")
    assert found.trained == {"other-p0": 0, "other-p1": 0, "other-p2": 1}
    assert found.tested == {"other-p3", "other-p4"} and found.folds == 2 and not found.by_patient


def test_a_patient_is_known_by_new_pictures_and_all_of_one_whose_picture_is_known() -> None:
    patients = {"p0": "DOE^J", "p1": "DOE^J", "p2": "ROE^R"}
    known = record(marked({k: PICTURES[k] for k in patients}, patients), fold=("p0", "p1"), test=("p2",))
    new = {"follow-up": PICTURES["p5"], "stranger": PICTURES["p4"]}
    found = overlap(known, marked(new, {"follow-up": " doe^j", "stranger": "MOE^M"}), of="it")
    assert set(found.trained) == found.by_patient == {"follow-up"}
    anonymous = record(marked({"p0": PICTURES["p0"]}), fold=("p0",))
    two = marked({"x": PICTURES["p0"], "y": PICTURES["p1"]}, {"x": "A", "y": "A"})
    found = overlap(anonymous, two, of="it")
    assert set(found.trained) == {"x", "y"} and found.by_patient == {"y"}


def test_what_earlier_weights_learned_is_known_by_their_own_key() -> None:
    first = record(marked({"p0": PICTURES["p0"], "p1": PICTURES["p1"]}), fold=("p0",), test=("p1",))
    second = record(marked({"p2": PICTURES["p2"]}), fold=("p2",))
    both = TrainedOn("1" * 64, (*second.runs, *first.runs))
    found = overlap(both, marked(PICTURES), of="it")
    assert found.trained == {"p0": None, "p2": 0} and found.tested == {"p1"}
    again = TrainedOn(
        "1" * 64, (*second.runs, Learned(first.runs[0].key, (first.runs[0].test,), frozenset()))
    )
    assert "p1" in overlap(again, marked(PICTURES), of="it").trained


def test_the_file_tells_neither_names_nor_pixels_and_two_runs_share_no_hash(tmp_path: Path) -> None:
    patients = dict.fromkeys(PICTURES, "PLANTED^NAME")
    marks = marked(PICTURES, patients)
    texts = []
    for k in range(2):
        known = record(marks, a=("p0", "p1"), b=("p2",), test=("p3",))
        save_trained_on(known, tmp_path / f"{k}.json")
        assert load_trained_on(tmp_path / f"{k}.json") == known
        texts.append((tmp_path / f"{k}.json").read_text())
    plain = {m for case in marks.pixels().values() for m in case}
    assert not any(m in t for m in plain for t in texts) and "PLANTED" not in texts[0]
    hashes = [
        {h for run in json.loads(t)["runs"] for f in (*run["folds"], run["test"]) for h in f} for t in texts
    ]
    assert hashes[0] and not hashes[0] & hashes[1]


@pytest.mark.parametrize(
    "text", ["", "{}", '{"version": 9}', '{"version": 1, "data_hash": "", "unknown": [], "runs": [1]}']
)
def test_a_damaged_record_is_no_empty_one(text: str, tmp_path: Path) -> None:
    path = tmp_path / "trained_on.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"trained_on\.json"):
        load_trained_on(path)


def test_what_was_learned_from_without_a_target_is_known_too(tmp_path: Path) -> None:
    marks = marked(PICTURES)
    assignment = Assignment(("p0",), (("p1",), ("p2",)), "seed 0", unlabelled=(("p3",), ("p3", "p4")))
    known = TrainedOn("0" * 64, (learned(marks, assignment),))
    save_trained_on(known, tmp_path / "trained_on.json")
    again = load_trained_on(tmp_path / "trained_on.json")
    assert again == known
    found = overlap(again, marks, of="bundle 0")
    assert found.trained == {"p1": 0, "p2": 1, "p3": None, "p4": None} and found.tested == {"p0"}
