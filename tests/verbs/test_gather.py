"""annotate and gather from end to end: what annotators said is a cohort that is read, learned from and joined."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from PIL import Image as Picture
from tests.verbs._said import say

import vesalius as vs
from vesalius import cohorts, formats
from vesalius.core.case import Box, Ref
from vesalius.core.errors import DataError, FormatError, OutputError, UnknownName
from vesalius.core.image import Array, Image
from vesalius.core.numbers import finite
from vesalius.run.annotation.project import open_cases

ASK = {
    "class": ["benign", "malignant"],
    "classes": ["mass", "fluid"],
    "boxes": ["lesion"],
    "mask": ["x", "y"],
}
COUNT = 12


def pictures(folder: Path) -> Path:
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for k in range(COUNT):
        Picture.fromarray(rng.integers(0, 255, (24, 32), dtype=np.uint8)).save(folder / f"p{k:02}.png")
    return folder


def drawn(wide: int, shape: tuple[int, ...] = (1, 24, 32)) -> Array:
    array = np.zeros(shape, np.uint8)
    array[:, 5:15, 5 : 5 + wide], array[:, 18:20, 2:4] = 1, 2
    return array


def told(k: int, name: str) -> dict[str, Any]:
    differs = name == "Bo" and k in (3, 4)
    box = {"low": [0, 2, 3], "high": [1, 10, 12 + k], "label": "lesion"}
    return {
        "class": ["benign", "malignant"][(k + differs) % 2],
        "classes": ["mass", "fluid"][: k % 3],
        "boxes": [box] if k % 2 else [],
        "mask": drawn(6 + (k if name == "Bo" and k > 5 else 0)),
    }


@pytest.fixture(scope="module")
def read_by_two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Pictures that two annotators read, all but the last, and what was gathered of it."""
    root = tmp_path_factory.mktemp("two")
    made = vs.annotate(pictures(root / "data"), root / "project", ask=ASK, readers=2, blind=True)
    names = ("Ada L", "Bo")
    say(made.path, {(f"p{k:02}", n): told(k, n) for k in range(COUNT - 1) for n in names})
    say(made.path, {("p11", "Ada L"): told(11, "Ada L")})
    say(made.path, {("p03", "Cy"): told(3, "Cy")}, role="adjudication")
    return root, vs.gather(made.path, root / "out", resamples=20)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_agreement_is_that_of_consensus(read_by_two: tuple[Path, Any]) -> None:
    root, found = read_by_two
    assert [p.stem for p in found.written.experts] == ["class", "classes mass", "classes fluid", "mask"]
    for path in (found.written.experts[0], found.written.experts[-1]):
        joined = vs.consensus(path, root / f"joined {path.stem}", resamples=20)
        ours = next(a for a in found.agreement["asks"] if a["kind"] == path.stem)
        assert ours["cases"] == COUNT - 1
        assert ours["all"] == {k: finite(asdict(v)) for k, v in joined.agreement.all.items()}
        (pair,) = joined.agreement.pairs.values()
        assert ours["pairs"][0]["readers"] == ["Ada L", "Bo"]
        assert ours["pairs"][0]["figures"] == {k: finite(asdict(v)) for k, v in pair.items()}
    kappa = next(a for a in found.agreement["asks"] if a["kind"] == "class")["pairs"][0]["figures"]["kappa"]
    # by hand: 11 cases, 6 benign of Ada's and 6 of Bo's (one moved each way), 9 equal
    assert kappa["value"] == pytest.approx((9 / 11 - (36 + 25) / 121) / (1 - (36 + 25) / 121))


def test_what_is_settled_is_a_cohort_and_what_is_not_says_so(read_by_two: tuple[Path, Any]) -> None:
    root, found = read_by_two
    rows = {r["case"]: r for r in rows_of(root / "out" / "cohort.csv")}
    assert "p11" not in rows  # read by one of two
    assert rows["p03"]["class"] == told(3, "Cy")["class"]  # decided
    assert rows["p04"]["class"] == ""  # nobody decided
    assert [rows["p02"][c] for c in ("mass", "fluid")] == ["1", "1"]
    assert [rows["p06"][c] for c in ("mass", "fluid")] == ["0", "0"]
    assert [k for k in rows if not rows[k]["mask"]] == [f"p{k:02}" for k in range(6, 11)]  # drawn otherwise
    assert "p04" in found.written.unsettled
    cohort = vs.read(root / "out")
    assert {n: t.kind for n, t in cohort.targets.items()} == {
        "class": "class",
        "mask": "mask",
        "boxes": "boxes",
    }
    case = cohort["p05"]
    assert case.targets["boxes"] == (Box((0, 2, 3), (1, 10, 17), "lesion"),)
    assert cohort["p02"].targets["boxes"] == ()
    ref = case.targets["mask"]
    assert isinstance(ref, Ref)
    assert np.array_equal(formats.read_mask(ref).array[0], drawn(6))
    checked = cohorts.check(cohort)
    assert [x.name for x in checked.targets["mask"].labels] == ["x", "y"]
    assert not checked.set_aside
    several = vs.read(root / "out" / "cohort.csv", columns={"label": "mass,fluid"})
    assert ("mass", "fluid") in several["p02"].targets.values()
    assert () in several["p06"].targets.values()


def test_every_reading_says_who_when_how_long_and_from_what(read_by_two: tuple[Path, Any]) -> None:
    root, _ = read_by_two
    rows = rows_of(root / "out" / "readings" / "readings.csv")
    assert len(rows) == 2 * (COUNT - 1) + 2
    decided = next(r for r in rows if r["role"] == "adjudication")
    assert (decided["annotator"], decided["case"], decided["seconds"]) == ("Cy", "p03", "3.0")
    assert (decided["start"], decided["start_name"], decided["start_changed"]) == ("model", "m", "yes")
    assert (root / "out" / "readings" / decided["mask"]).is_file()
    document = json.loads((root / "out" / "readings" / "coco.json").read_text())
    image = next(i for i in document["images"] if i["case"] == "p05")
    assert (image["width"], image["height"]) == (32, 24)
    assert (root / "out" / "readings" / image["file_name"]).is_file()
    box = next(b for b in document["annotations"] if b["image_id"] == image["id"])
    assert (box["bbox"], box["annotator"]) == ([3, 2, 14, 8], "Ada L")


def test_it_is_learned_from_at_once(read_by_two: tuple[Path, Any], quick: None, tmp_path: Path) -> None:
    root, _ = read_by_two
    settings = {
        "net.scale": 0.125,
        "train.threads": 1,
        "train.members": 1,
        "train.steps": 1,
        "train.batch": 4,
        "train.validations": 1,
        "data.size": [1, 16, 16],
    }
    run = vs.fit(root / "out", tmp_path / "run", target="class", settings=settings)
    said = json.loads((run.path / "bundle" / "bundle.json").read_text())  # type: ignore[operator]
    assert "malignant" in json.dumps(said)


def test_a_drawing_on_dicom_is_a_seg_by_its_annotator(tmp_path: Path) -> None:
    data = vs.phantom(tmp_path / "data", kind="ct", cases=1, format="dicom", options={"size": [12, 32, 32]})
    made = vs.annotate(data, tmp_path / "project", ask={"mask": ["liver", "cyst"]})
    (case,) = [one.id for one in made.project.cases]
    _, cases = open_cases(made.path, made.project)
    shape = formats.header(next(iter(cases.values())).image).shape
    say(made.path, {(case, "Ada Lovelace"): {"mask": drawn(6, shape)}})
    found = vs.gather(made.path, tmp_path / "out")
    assert found.written.segs == 1
    (path,) = (tmp_path / "out" / "seg").rglob("*.dcm")
    seg = pydicom.dcmread(path)
    assert str(seg.ContentCreatorName) == "Lovelace^Ada"
    assert [s.SegmentAlgorithmType for s in seg.SegmentSequence] == ["SEMIAUTOMATIC"] * 2
    image = next(iter(cases.values())).image
    back = formats.read_mask(Ref((path, *image.paths)))
    assert np.array_equal(back.array[0], drawn(6, shape))
    assert np.array_equal(back.affine, formats.read(image).affine)
    if shutil.which("dciodvfy"):
        done = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, timeout=300)
        assert not [line for line in done.stderr.splitlines() if line.startswith("Error")], done.stderr
    cohort = cohorts.check(vs.read(tmp_path / "out"))
    assert len(cohort.cases) == 1 and [x.name for x in cohort.targets["mask"].labels] == ["liver", "cyst"]


def test_a_project_takes_new_cases_and_no_other_question(tmp_path: Path) -> None:
    data = pictures(tmp_path / "data")
    (tmp_path / "list.csv").write_text("rank,case\n1,p07\n2,p02\n")
    first = vs.annotate(data, tmp_path / "p", ask={"class": ["a", "b"]}, only=tmp_path / "list.csv")
    assert [one.id for one in first.project.cases] == ["p07", "p02"]  # in the order of the list
    say(first.path, {("p07", "A"): {"class": "a"}, ("p02", "A"): {"class": "b"}})
    data.rename(tmp_path / "moved")
    with pytest.raises(DataError, match="not where they were"):
        vs.gather(first.path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    more = vs.annotate(tmp_path / "moved", tmp_path / "p")
    assert (len(more.project.cases), more.new_cases) == (COUNT, COUNT - 2)
    assert vs.gather(first.path, tmp_path / "out").written.readings == 2
    with pytest.raises(OutputError, match="asks"):
        vs.annotate(tmp_path / "moved", tmp_path / "p", ask={"class": ["b", "a"]})
    shutil.copy(tmp_path / "moved" / "p01.png", tmp_path / "moved" / "p02.png")
    with pytest.raises(DataError, match="others than"):
        vs.annotate(tmp_path / "moved", tmp_path / "p")
    left = vs.gather(first.path, tmp_path / "out2").written
    assert (left.readings, [case for case, _ in left.left_out]) == (1, ["p02"])


def test_masks_of_the_same_values_lie_each_where_its_own_image_does(tmp_path: Path) -> None:
    """Two volumes of one shape, both without a finding: their masks are the same but for where they lie."""
    data, affines = tmp_path / "data", (np.diag([1.0, 1, 2, 1]), np.diag([0.5, 0.5, 3, 1]))
    data.mkdir()
    for k, affine in enumerate(affines):
        array = np.random.default_rng(k).normal(size=(1, 2, 4, 5)).astype(np.float32)
        formats.write(Image(array, affine=affine + k * np.eye(4, k=3)), data / f"v{k}.nii.gz")
    made = vs.annotate(data, tmp_path / "project", ask={"mask": ["x"]})
    say(made.path, {(f"v{k}", "Ada"): {"mask": np.zeros((2, 4, 5), np.uint8)} for k in range(2)})
    found = vs.gather(made.path, tmp_path / "out", resamples=20)
    assert found.written.cases == 2
    for k, affine in enumerate(affines):
        mask = formats.read_mask(Ref((tmp_path / "out/readings/masks/Ada" / f"v{k}.nii.gz",)))
        np.testing.assert_allclose(mask.affine, affine + k * np.eye(4, k=3))


def test_a_drawing_that_was_changed_is_refused(tmp_path: Path) -> None:
    made = vs.annotate(pictures(tmp_path / "data"), tmp_path / "p", ask={"mask": ["x"]})
    say(made.path, {("p00", "A"): {"mask": (drawn(6) == 1).astype(np.uint8)}})
    (path,) = (made.path / "drawings").iterdir()
    image = formats.read_mask(Ref((path,)))
    image.array[0, 0, 0, 0] = 1
    formats.write(image, path)
    with pytest.raises(FormatError, match="not what was saved"):
        vs.gather(made.path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"ask": {}}, DataError),
        ({"ask": {"class": ["a"]}}, DataError),
        ({"ask": {"class": ["a", "A"]}}, DataError),
        ({"ask": {"mask": ["background"]}}, DataError),
        ({"ask": {"mask": ["a|b"]}}, DataError),
        ({"ask": {"heat": ["a"]}}, UnknownName),
        ({"readers": 0}, DataError),
        ({"annotators": ["A", "a"]}, DataError),
        ({"annotators": ["../x"]}, DataError),
    ],
)
def test_a_project_that_cannot_be_is_not_made(more: Any, error: type[Exception], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    Picture.new("L", (8, 8)).save(tmp_path / "data" / "a.png")
    with pytest.raises(error):
        vs.annotate(tmp_path / "data", tmp_path / "p", **{"ask": {"mask": ["x"]}, **more})
    assert not (tmp_path / "p").exists()


def test_nothing_is_gathered_of_nothing(tmp_path: Path) -> None:
    made = vs.annotate(pictures(tmp_path / "data"), tmp_path / "p", ask={"class": ["a", "b"]})
    say(made.path, {("p00", "A"): {"class": "a"}}, done=False)
    with pytest.raises(DataError, match="no reading"):
        vs.gather(made.path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
