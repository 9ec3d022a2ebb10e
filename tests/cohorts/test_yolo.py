"""YOLO text files: what is read, and that lines and names that do not agree are refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from cohorts._box_files import picture
from vesalius import cohorts
from vesalius.core.case import Box
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError

LINE = "0 0.3333333333 0.375 0.3333333333 0.5"  # columns 10 to 30, rows 5 to 25 of 60 × 40
LOW, HIGH = (0.0, 5.0, 10.0), (1.0, 25.0, 30.0)


def made(root: Path, files: dict[str, str | None], names: str = "names: [cell, speck]\n") -> None:
    for k, (name, text) in enumerate(files.items()):
        picture(root / f"{name}.png", seed=k)
        label = root / f"{name.replace('images', 'labels')}.txt"
        if text is not None:
            label.parent.mkdir(parents=True, exist_ok=True)
            label.write_text(text)
    if names:
        (root / "data.yaml").write_text(names)


def boxes(cohort: Cohort, name: str) -> tuple[Box, ...]:
    value = cohort.case(name).targets["boxes"]
    assert isinstance(value, tuple)
    return value  # type: ignore[return-value]


@pytest.mark.parametrize("names", ["names: [cell, speck]\nnc: 2\n", "names:\n  0: cell\n  1: speck\n"])
def test_middles_and_sizes_are_shares_of_the_picture(tmp_path: Path, names: str) -> None:
    made(tmp_path, {"images/a": f"{LINE}\r\n1 0.5 0.5 1 1\n\n", "images/b": ""}, names)
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "yolo"
    first, second = boxes(cohort, "a")
    assert first.label == "cell" and first.low == pytest.approx(LOW) and first.high == pytest.approx(HIGH)
    assert second == Box((0, 0, 0), (1, 40, 60), "speck")
    assert boxes(cohort, "b") == (), "an empty file says that nothing is there"


def test_a_picture_without_a_file_has_no_boxes_unless_files_of_others_are_empty(tmp_path: Path) -> None:
    made(tmp_path, {"images/a": LINE, "images/bare": None})
    cohort = cohorts.read(tmp_path)
    assert boxes(cohort, "bare") == ()
    assert "1 picture has no text file, and count as without boxes" in cohort.doubts[0].what
    assert cohorts.read(tmp_path, columns={"boxes": "partial"}).case("bare").targets == {}
    made(tmp_path, {"images/empty": ""})
    again = cohorts.read(tmp_path)
    assert again.case("bare").targets == {} and boxes(again, "empty") == ()
    assert any("not labelled, as files say of others" in n for n in again.notes)


@pytest.mark.parametrize("folders", [("images/train", "images/val"), ("train/images", "valid/images")])
def test_splits_of_folders(tmp_path: Path, folders: tuple[str, str]) -> None:
    made(tmp_path, {f"{folders[0]}/1": LINE, f"{folders[1]}/1": LINE, f"{folders[1]}/2": ""})
    assert [c.split for c in cohorts.read(tmp_path)] == ["train", "val", "val"]


def test_splits_of_data_yaml_as_they_lay_on_another_machine(tmp_path: Path) -> None:
    made(tmp_path, {f"images/{k}": LINE for k in "abc"} | {"images/far/d": LINE})
    (tmp_path / "held.txt").write_text("./images/b.png\nC:\\data\\images\\c.png\n")
    (tmp_path / "data.yaml").write_text(
        "path: /srv/elsewhere/data\ntrain: ../data/images/far\ntest: held.txt\nnames: [cell]\n"
    )
    assert {c.id: c.split for c in cohorts.read(tmp_path)} == {
        "a": None,
        "b": "test",
        "c": "test",
        "d": "train",
    }
    (tmp_path / "data.yaml").write_text("train: images\ntest: held.txt\nnames: [cell]\n")
    asides = cohorts.read(tmp_path, max_set_aside=1.0).set_aside
    assert [(a.case, a.fatal) for a in asides] == [("b", True), ("c", True)]


def test_files_beside_their_pictures_with_a_list_of_names(tmp_path: Path) -> None:
    made(tmp_path, {"a": LINE, "b": ""}, names="")
    (tmp_path / "classes.txt").write_text("\ufeffred cell\nspeck\n\n", encoding="utf-8")
    cohort = cohorts.read(tmp_path)
    assert boxes(cohort, "a")[0].label == "red cell" and len(cohort) == 2
    (tmp_path / "classes.txt").unlink()
    bare = cohorts.read(tmp_path)
    assert boxes(bare, "a")[0].label == "0" and any("called by their numbers" in n for n in bare.notes)


def test_outlines_are_boxes_and_named(tmp_path: Path) -> None:
    made(tmp_path, {"images/a": "0 0.1 0.2 0.5 0.2 0.3 0.8\n", "images/b": LINE})
    cohort = cohorts.read(tmp_path)
    (box,) = boxes(cohort, "a")
    assert box.low == pytest.approx((0, 8, 6)) and box.high == pytest.approx((1, 32, 30))
    assert "1 line holds an outline" in cohort.doubts[0].what and cohort.doubts[0].found == "a.txt"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 0.5 0.5 0.1 0.1 0.93", "a.txt: line 1 has six numbers: a prediction with its score"),
        ("0 0.5 0.5 0.1", "line 1 has 4 numbers, and a box five"),
        ("0.5 0.5 0.5 0.1 0.1", "does not begin with the number of a class"),
        ("0 0.5 0.5 x 0.1", "a coordinate that is no number"),
        ("0 0.5 0.5 nan 0.1", "a coordinate that is no finite number"),
        ("0 0.5 0.5 1.9 0.1", "is larger than its picture"),
    ],
)
def test_a_line_that_is_no_box_sets_its_picture_aside(tmp_path: Path, line: str, reason: str) -> None:
    made(tmp_path, {"images/a": line, "images/b": LINE, "images/c": LINE})
    (aside,) = cohorts.read(tmp_path, layout="yolo", max_set_aside=1.0).set_aside
    assert aside.case == "a" and reason in aside.reason


def test_a_class_without_a_name_is_refused(tmp_path: Path) -> None:
    made(tmp_path, {"images/a": "2 0.5 0.5 0.1 0.1\n1 0.5 0.5 0.2 0.2"})
    with pytest.raises(
        DataError, match="has class 2, and data.yaml names 0 to 1; found classes counted from 1"
    ):
        cohorts.read(tmp_path)
    (tmp_path / "data.yaml").write_text("names: [cell]\nnc: 3\n")
    with pytest.raises(DataError, match="has 1 names and says that there are 3"):
        cohorts.read(tmp_path)
    (tmp_path / "data.yaml").write_text("names: !!python/object/apply:os.system ['true']\n")
    assert boxes(cohorts.read(tmp_path), "a")[0].label == "2", "it is no file of names"


def test_pixels_in_the_place_of_shares_are_asked(tmp_path: Path) -> None:
    made(tmp_path, {"images/a": "0 20 15 20 20", "images/b": "0 30 20 10 10"})
    (question,) = cohorts.read(tmp_path, max_set_aside=1.0).questions
    assert "should be shares of the picture are above 1" in question.what
    told = cohorts.read(tmp_path, columns={"boxes": "pixels"})
    assert boxes(told, "a") == (Box(LOW, HIGH, "cell"),) and not told.questions


def test_a_text_file_without_a_picture_is_named(tmp_path: Path) -> None:
    made(tmp_path, {"images/a": LINE})
    (tmp_path / "labels" / "lost.txt").write_text(LINE)
    (aside,) = cohorts.read(tmp_path, max_set_aside=1.0).set_aside
    assert (aside.case, aside.reason) == ("labels/lost.txt", "a text file of boxes without a picture")


def test_other_text_is_no_yolo(tmp_path: Path) -> None:
    for k, word in enumerate(("benign", "malignant")):
        picture(tmp_path / word / f"{k}.png", seed=k)
        picture(tmp_path / word / f"{k}b.png", seed=k + 5)
        (tmp_path / word / f"{k}.txt").write_text("a report about it\n")
    assert cohorts.read(tmp_path).layout == "folder"
