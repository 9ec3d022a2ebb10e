"""Faults planted into phantoms: what truth.json says was done is what was done, and nothing else."""

import csv
import json

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from vesalius import phantom as make
from vesalius.core import registry
from vesalius.core.errors import DataError, OutputError, UnknownName
from vesalius.phantom.faults import asked

TINY = (12, 20, 24)
FAULTS = sorted(registry.names("phantom.faults"))
KEPT = ("README.md", "cohort.csv", "truth.json", "dataset.json", "experts.csv")  # of all cases together


def table(root):
    with (root / "cohort.csv").open() as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def planted(root, kind):
    return {
        f["case"]: f for f in json.loads((root / "truth.json").read_text())["faults"] if f["kind"] == kind
    }


def volume(path):
    return np.asarray(nibabel.load(path).dataobj)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    return make(tmp_path_factory.mktemp("clean") / "a", cases=8, seed=3, size=TINY)


@pytest.fixture(scope="module")
def sick(tmp_path_factory):
    """Return a function that makes the same cohort with one fault in a quarter of its cases, once."""
    made = {}

    def get(name):
        if name not in made:
            made[name] = make(
                tmp_path_factory.mktemp(name) / "a", cases=8, seed=3, size=TINY, faults={name: 0.25}
            )
        return made[name]

    return get


@pytest.mark.parametrize("name", FAULTS)
def test_files_change_of_the_cases_that_truth_names_and_of_no_others(name, clean, sick):
    root = sick(name)
    cases = planted(root, name)
    assert len(cases) == {"marker": 1, "leaks": 1}.get(name, 2)
    before = {p.relative_to(clean) for p in clean.rglob("*") if p.is_file()}
    after = {p.relative_to(root) for p in root.rglob("*") if p.is_file()}
    changed = (after - before) | {p for p in before if (clean / p).read_bytes() != (root / p).read_bytes()}
    touched = {p.name.split(".")[0] for p in changed if p.name not in KEPT}
    assert touched <= set(cases)
    if "pixels" in registry.literals("phantom.faults", name)["NEEDS"] and name != "leaks":
        assert touched == set(cases)
    assert "Faults were planted" in (root / "README.md").read_text()
    assert "Faults were planted" not in (clean / "README.md").read_text()


@pytest.mark.parametrize("name", FAULTS)
def test_the_same_seed_plants_the_same(name, sick, tmp_path):
    again = make(tmp_path / "b", cases=8, seed=3, size=TINY, faults=f"{name}=0.25")
    root = sick(name)
    for path in root.rglob("*"):
        assert path.is_dir() or path.read_bytes() == (again / path.relative_to(root)).read_bytes()


def test_a_wrong_label_is_not_the_true_one(clean, sick):
    root = sick("wrong_labels")
    true, told = table(clean), table(root)
    wrong = {c for c in true if true[c]["class"] != told[c]["class"]}
    assert wrong == set(planted(root, "wrong_labels"))
    for case, fault in planted(root, "wrong_labels").items():
        assert (fault["was"], fault["is"]) == (true[case]["class"], told[case]["class"])


def test_a_wrong_region_is_where_truth_says_and_nowhere_else(clean, tmp_path):
    root = make(tmp_path / "a", cases=8, seed=3, size=TINY, faults={"wrong_regions": 1.0})
    found = planted(root, "wrong_regions")
    assert {f["how"] for f in found.values()} == {"removed", "swapped", "added"}
    for case, fault in found.items():
        before, after = (volume(r / "labelsTr" / f"{case}.nii.gz").T for r in (clean, root))
        differs = before != after
        assert differs.sum() == fault["voxels"]
        assert set(before[differs]) == {fault["true"]} and set(after[differs]) == {fault["label"]}
        hits = np.argwhere(differs)
        assert hits.min(0).tolist() == fault["low"] and (hits.max(0) + 1).tolist() == fault["high"]


@pytest.mark.parametrize(("name", "axis"), [("mirrored", 0), ("upside_down", 2)])
def test_a_flip_turns_image_and_mask_and_leaves_the_header(name, axis, clean, sick):
    root = sick(name)
    for case in planted(root, name):
        for folder in ("imagesTr", "labelsTr"):
            path = f"{folder}/{case}.nii.gz"
            assert np.array_equal(volume(root / path), np.flip(volume(clean / path), axis))
            assert np.array_equal(nibabel.load(root / path).affine, nibabel.load(clean / path).affine)


def test_boxes_are_mirrored_with_their_picture(tmp_path):
    before = make(tmp_path / "a", kind="chest", cases=4, seed=1, size=64, options={"healthy": 0.0})
    after = make(
        tmp_path / "b",
        kind="chest",
        cases=4,
        seed=1,
        size=64,
        options={"healthy": 0.0},
        faults={"mirrored": 1.0},
    )
    rows = [list(csv.DictReader((r / "boxes.csv").open())) for r in (before, after)]
    assert len(rows[0]) == len(rows[1]) > 4
    for one, other in zip(*rows, strict=True):
        pictures = [np.asarray(Pillow.open(r / "images" / f"{one['case']}.png")) for r in (before, after)]
        parts = [p[int(float(b["y0"])):int(float(b["y1"])), int(float(b["x0"])):int(float(b["x1"]))]
                 for p, b in zip(pictures, (one, other), strict=True)]  # fmt: skip
        assert np.array_equal(parts[0][:, ::-1], parts[1])


def test_a_marker_stands_on_pictures_of_one_class_alone(tmp_path):
    root = make(tmp_path / "a", kind="oct", cases=12, seed=2, size=64, faults={"marker": 1.0})
    marked = {
        case
        for case, row in table(root).items()
        if (np.asarray(Pillow.open(root / row["image"]))[:3, :3] == 255).all()
    }
    assert (
        marked
        == set(planted(root, "marker"))
        == {c for c, r in table(root).items() if r["class"] == "normal"}
    )


def test_a_spacing_is_ten_times_what_it_was(clean, sick):
    root = sick("spacing")
    for case in planted(root, "spacing"):
        for folder in ("imagesTr", "labelsTr"):
            before, after = (nibabel.load(r / folder / f"{case}.nii.gz") for r in (clean, root))
            assert np.allclose(after.header.get_zooms(), 10 * np.array(before.header.get_zooms()))
            assert np.allclose(nibabel.affines.voxel_sizes(after.affine), after.header.get_zooms())
            assert np.array_equal(volume(root / folder / f"{case}.nii.gz"), np.asarray(before.dataobj))


def test_a_clipped_image_ends_in_one_value_that_many_of_its_pixels_have(clean, sick):
    root = sick("clipped")
    for case in planted(root, "clipped"):
        before, after = (volume(r / "imagesTr" / f"{case}.nii.gz") for r in (clean, root))
        assert after.max() < before.max() and np.array_equal(np.minimum(before, after.max()), after)
        assert (after == after.max()).mean() > 10 * (before == before.max()).mean()


def test_a_duplicate_is_a_case_of_its_own_with_the_same_bytes(sick):
    root = sick("duplicates")
    rows, found = table(root), planted(root, "duplicates")
    assert len(rows) == 8 + len(found)
    for case, fault in found.items():
        one, other = rows[case], rows[fault["of"]]
        assert one["patient"] != other["patient"] and one["class"] == other["class"]
        for column in ("image", "mask"):
            assert (root / one[column]).read_bytes() == (root / other[column]).read_bytes()


def test_leaks_stand_on_both_sides_of_a_split(tmp_path):
    root = make(tmp_path / "a", kind="spots", cases=20, seed=3, faults={"leaks": 0.2})
    rows, found = table(root), planted(root, "leaks")
    assert [f["sort"] for f in found.values()] == ["patient", "image"] * 2
    for case, fault in found.items():
        one, other = rows[case], rows[fault["of"]]
        assert (one["split"], other["split"]) == ("train", "test")
        same = (root / one["image"]).read_bytes() == (root / other["image"]).read_bytes()
        assert (one["patient"] == other["patient"], same) == (
            fault["sort"] == "patient",
            fault["sort"] == "image",
        )


def test_faults_are_planted_in_an_order_of_their_own():
    assert list(asked("leaks=.1, duplicates=0.2,mirrored=1,wrong_labels=0.3")) == [
        "wrong_labels", "mirrored", "duplicates", "leaks",
    ]  # fmt: skip
    assert asked(None) == {}


@pytest.mark.parametrize("words", ["mirrored=0", "mirrored=1.5", "mirrored=x", "mirrored", "mirrored=nan"])
def test_a_share_that_is_none_is_refused(words):
    with pytest.raises(DataError, match="mirrored"):
        asked(words)


def test_an_unknown_fault_names_those_there(tmp_path):
    with pytest.raises(UnknownName, match="planted fault 'zzz'.*mirrored"):
        make(tmp_path / "x", cases=2, faults={"zzz": 0.5})
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("name", "kind", "format"),
    [
        ("wrong_regions", "spots", None),
        ("spacing", "spots", None),
        ("mirrored", "course", None),
        ("clipped", "dynamic", "npz"),
    ],
)
def test_a_cohort_that_lacks_what_a_fault_needs_is_refused_and_nothing_is_left(name, kind, format, tmp_path):
    with pytest.raises((DataError, OutputError), match=f"the fault {name} needs"):
        make(tmp_path / "x", kind=kind, cases=4, format=format, faults={name: 0.5})
    assert not (tmp_path / "x").exists()
