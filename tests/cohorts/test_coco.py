"""COCO JSON: what is read, and that ids, sizes and coordinates that contradict each other are refused by name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from cohorts._box_files import HEIGHT, WIDTH, coco, picture
from vesalius import cohorts
from vesalius.cohorts.targets import contract
from vesalius.core.case import Box
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, FormatError

BBOX = [10, 5, 20, 20]
BOX = Box((0.0, 5.0, 10.0), (1.0, 25.0, 30.0), "cell")


def boxes(cohort: Cohort, name: str) -> tuple[Box, ...]:
    value = cohort.case(name).targets["boxes"]
    assert isinstance(value, tuple)
    return value  # type: ignore[return-value]


def pictures(root: Path, *names: str) -> None:
    for k, name in enumerate(names):
        picture(root / name, seed=k)


def test_boxes_are_sizes_in_pixels_from_0_crowds_are_crowds_and_a_picture_without_any_is_empty(
    tmp_path: Path,
) -> None:
    pictures(tmp_path, "images/a.png", "images/sub/b.png", "images/c.png")
    row = {"bbox": ["30.5", "0", "10", "8.25"], "iscrowd": 1}
    coco(tmp_path / "annotations.json", {"a.png": [BBOX], "sub\\b.png": [row], "c.png": []})
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "coco" and boxes(cohort, "a") == (BOX,)
    assert boxes(cohort, "b") == (Box((0, 0, 30.5), (1, 8.25, 40.5), "cell", crowd=True),)
    assert boxes(cohort, "c") == ()


def test_files_of_splits_with_pictures_of_one_name(tmp_path: Path) -> None:
    pictures(tmp_path, "train2017/1.png", "val2017/1.png")
    coco(tmp_path / "annotations/instances_train2017.json", {"1.png": [BBOX]})
    coco(tmp_path / "annotations/instances_val2017.json", {"1.png": []})
    coco(tmp_path / "annotations/captions_train2017.json", {"1.png": [{"caption": "x"}]}, categories=())
    cohort = cohorts.read(tmp_path)
    assert {c.id: (c.split, len(c.targets["boxes"])) for c in cohort} == {  # type: ignore[arg-type]
        "train2017_1": ("train", 1),
        "val2017_1": ("val", 0),
    }
    only = cohorts.read(tmp_path / "annotations/instances_val2017.json")
    assert [(c.id, c.split, c.targets["boxes"]) for c in only] == [("1", None, ())]


def test_a_folder_a_split_as_roboflow_writes_them_and_a_picture_in_two_is_a_leak(tmp_path: Path) -> None:
    for split in ("train", "valid", "test"):
        pictures(tmp_path / split, f"{split}.png")
        coco(tmp_path / split / "_annotations.coco.json", {f"{split}.png": [BBOX]})
    assert {c.id: c.split for c in cohorts.read(tmp_path)} == {
        "train": "train",
        "valid": "val",
        "test": "test",
    }
    coco(tmp_path / "test" / "_annotations.coco.json", {"../train/train.png": [BBOX]})
    (aside,) = cohorts.read(tmp_path, max_set_aside=1.0).set_aside
    assert aside.fatal and aside.reason == "it stands in the files of test and of train"


@pytest.mark.parametrize("ids", [[0, 1], [7, 40], ["1", "2"], [1.0, 2.0], ["cell", "speck"]])
def test_category_ids_of_any_kind(tmp_path: Path, ids: list[object]) -> None:
    pictures(tmp_path, "a.png")
    other = str(ids[1]) if isinstance(ids[1], float | int) else ids[1]
    rows = [{"bbox": BBOX, "category_id": ids[0]}, {"bbox": [1, 1, 5, 5], "category_id": other}]
    named = [{"id": ids[0], "name": "cell"}, {"id": ids[1], "name": "speck"}, {"id": 99, "name": "never"}]
    coco(tmp_path / "a.json", {"a.png": rows}, categories=named)
    cohort = cohorts.read(tmp_path)
    assert [b.label for b in boxes(cohort, "a")] == ["cell", "speck"]
    assert [(x.value, x.name) for x in cohort.targets["boxes"].labels] == [(1, "cell"), (2, "speck")]
    assert "boxes: categories of which there is no box: never" in cohort.notes


def test_a_category_that_is_not_listed_is_refused_and_a_file_without_any_is_read_by_number(
    tmp_path: Path,
) -> None:
    pictures(tmp_path, "a.png")
    coco(tmp_path / "a.json", {"a.png": [{"bbox": BBOX, "category_id": 0}]})
    with pytest.raises(
        DataError, match=r"1 category that it does not list; found 0; it lists 1; try: ids may be"
    ):
        cohorts.read(tmp_path)
    coco(tmp_path / "a.json", {"a.png": [{"bbox": BBOX, "category_id": 5}]}, categories=())
    assert boxes(cohorts.read(tmp_path), "a")[0].label == "5"
    twice = [{"id": 1, "name": "cell"}, {"id": 1, "name": "speck"}]
    coco(tmp_path / "a.json", {"a.png": [BBOX]}, categories=twice)
    with pytest.raises(DataError, match="gives category 1 two names"):
        cohorts.read(tmp_path)


def test_two_pictures_of_one_id_are_set_aside_and_annotations_of_none_are_counted(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png")
    path = coco(
        tmp_path / "a.json",
        {"a.png": [BBOX], "b.png": [BBOX], "c.png": [BBOX, {"bbox": BBOX, "image_id": 77}]},
    )
    data = json.loads(path.read_text())
    data["images"][1]["id"] = 1
    path.write_text(json.dumps(data))
    cohort = cohorts.read(tmp_path, max_set_aside=1.0)
    assert [a.reason for a in cohort.set_aside] == ["several pictures of a.json have the id 1"]
    assert [c.id for c in cohort] == ["c"]
    assert "2 annotations are of pictures that a.json does not list" in cohort.doubts[0].what
    for row in data["annotations"]:
        row["image_id"] = "x"
    path.write_text(json.dumps(data))
    with pytest.raises(DataError, match="no annotation of a.json is of a picture that it lists"):
        cohorts.read(tmp_path)


def test_pictures_that_are_missing_and_a_list_without_annotations(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    coco(tmp_path / "a.json", {"a.png": [BBOX], "gone.png": [BBOX]})
    cohort = cohorts.read(tmp_path, max_set_aside=1.0)
    assert [(a.case, a.reason) for a in cohort.set_aside] == [("gone.png", "listed in a.json, but not there")]
    assert "1 picture is in no file of annotations, and not used" in cohort.notes
    coco(tmp_path / "a.json", {"a.png": []}, annotations=None)
    assert cohorts.read(tmp_path).cases[0].targets == {}, "nobody looked at it"


@pytest.mark.parametrize("given", [[1, 2, 3], None, "10,5,20,20", [1, 2, "x", 4]])
def test_an_annotation_without_a_box_sets_its_picture_aside(tmp_path: Path, given: object) -> None:
    pictures(tmp_path, "a.png", "b.png")
    coco(tmp_path / "a.json", {"a.png": [{"bbox": given}], "b.png": [BBOX]})
    (aside,) = cohorts.read(tmp_path, max_set_aside=1.0).set_aside
    assert aside.case == "a" and "annotation 1 has" in aside.reason


def test_the_box_around_an_outline_stands_for_one_that_is_missing(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    coco(tmp_path / "a.json", {"a.png": [{"bbox": None, "segmentation": [[10, 5, 30, 5, 20, 25]]}]})
    assert boxes(cohorts.read(tmp_path), "a") == (BOX,)


def test_outlines_go_to_the_kind_of_target_that_is_made_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Drawn(contract.TargetKind):
        name = "class"  # any kind that there is

        def of_outlines(self, things: Sequence[contract.Outlined], size: tuple[int, int]) -> str:
            seen.append((tuple(things), size))
            return f"{len(things)} things"

    seen: list[tuple[tuple[contract.Outlined, ...], tuple[int, int]]] = []
    monkeypatch.setattr(contract, "of_outlines", lambda name: Drawn() if name == "class" else None)
    pictures(tmp_path, "a.png", "b.png", "c.png")
    rows = [
        {"bbox": BBOX, "segmentation": [[10, 5, 30, 5, 20, 25.5]]},
        {"bbox": BBOX, "segmentation": {"size": [HEIGHT, WIDTH], "counts": "ab"}, "iscrowd": 1},
    ]
    other = {"bbox": BBOX, "segmentation": {"size": [WIDTH, HEIGHT], "counts": [1, 2]}}
    coco(tmp_path / "a.json", {"a.png": rows, "b.png": [], "c.png": [other]})
    cohort = cohorts.read(tmp_path, target="class", max_set_aside=1.0)
    assert set(cohort.targets) == {"boxes", "class"} and cohort.case("a").targets["class"] == "2 things"
    polygon, runs = seen[0][0]
    assert polygon == contract.Outlined("cell", ((10, 5, 30, 5, 20, 25.5),))
    assert runs == contract.Outlined("cell", runs="ab", size=(40, 60), crowd=True) and seen[1] == (
        (),
        (40, 60),
    )
    assert (
        "outline 1 is of a picture of another size than its case's; found 60×40 there"
        in cohort.set_aside[0].reason
    )
    assert set(cohorts.read(tmp_path).targets) == {"boxes"}


def test_corners_in_the_place_of_sizes_are_asked(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    rows = [[30 + k, 20, 50 + k, 38] for k in range(5)]
    coco(tmp_path / "a.json", {"a.png": rows})
    (question,) = cohorts.read(tmp_path).questions
    assert "100% of 5 reach beyond their picture as size,pixels,from-0" in question.found
    assert "--column boxes=corners,pixels" in question.hint
    told = cohorts.read(tmp_path, columns={"boxes": "corners"})
    assert boxes(told, "a")[0] == Box((0, 20, 30), (1, 38, 50), "cell") and not told.questions


def test_shares_in_the_place_of_pixels_are_seen(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    coco(tmp_path / "a.json", {"a.png": [[0.5, 0.25, 0.25, 0.5]]})
    cohort = cohorts.read(tmp_path)
    assert boxes(cohort, "a") == (Box((0, 10, 30), (1, 30, 45), "cell"),)
    assert any("no coordinate is above 1, so they are shares" in n for n in cohort.notes)


def test_a_size_of_another_picture_and_patients(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png")
    path = coco(tmp_path / "a.json", {"a.png": [BBOX], "b.png": [BBOX]})
    data = json.loads(path.read_text())
    data["images"][0] |= {"width": 120, "height": 80, "patient_id": 4}
    data["images"][1] |= {"patient_id": 4}
    path.write_text(json.dumps(data))
    cohort = cohorts.read(tmp_path, max_set_aside=1.0)
    assert "is of a picture of 120 × 80 pixels" in cohort.set_aside[0].reason
    assert cohort.patients_known and cohort.cases[0].patient == "4"


@pytest.mark.parametrize("text", ['{"images": [', '{"images": [{"file_name": 1}], "annotations": 3}', "[]"])
def test_damaged_json_is_one_line(tmp_path: Path, text: str) -> None:
    pictures(tmp_path, "a.png")
    (tmp_path / "a.json").write_text(text)
    with pytest.raises((FormatError, DataError)) as error:
        cohorts.read(tmp_path, layout="coco")
    assert "\n" not in str(error.value)


def test_json_without_end_is_refused_and_a_mark_in_front_is_read(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png")
    path = coco(tmp_path / "a.json", {"a.png": [BBOX]})
    text = path.read_bytes()
    path.write_bytes(b"\xef\xbb\xbf" + text)
    assert boxes(cohorts.read(tmp_path), "a") == (BOX,)
    deep = b'{"images": [{"file_name": "a.png", "x": ' + b"[" * 100_000 + b'}], "annotations": []}'
    path.write_bytes(deep)
    with pytest.raises(FormatError, match="damaged JSON"):
        cohorts.read(tmp_path)


def test_tens_of_thousands_of_annotations_are_read_in_seconds(tmp_path: Path) -> None:
    import time

    names = [f"{k}.png" for k in range(100)]
    pictures(tmp_path, *names)
    outline = [[float(v) for v in range(60)]]
    rows = [{"bbox": [k % 40, k % 30, 5 + k % 7, 6 + k % 3], "segmentation": outline} for k in range(200)]
    coco(tmp_path / "a.json", dict.fromkeys(names, rows))
    start = time.process_time()
    cohort = cohorts.read(tmp_path)
    assert time.process_time() - start < 10 and len(cohort) == 100
    assert (WIDTH, HEIGHT) == (60, 40)
