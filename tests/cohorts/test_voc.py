"""Pascal VOC: what is read, and that what is wrong in a file is read right or refused by name."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import vesalius as vs
from cohorts._box_files import HEIGHT, WIDTH, picture, thing, voc
from vesalius import cohorts
from vesalius.core.case import Box
from vesalius.core.cohort import Cohort
from vesalius.core.errors import UnknownName

A = thing("cell", (11, 6, 30, 25))  # 1-based and inclusive: columns 10 to 29, rows 5 to 24
BOX = Box((0.0, 5.0, 10.0), (1.0, 25.0, 30.0), "cell")


def made(root: Path, files: dict[str, list[str]], **more: object) -> Cohort:
    """Write a folder of pictures with their XML files, and read it."""
    for k, (name, things) in enumerate(files.items()):
        picture(root / "JPEGImages" / f"{name}.png", seed=k)
        voc(root / "Annotations" / f"{name}.xml", things, **more)  # type: ignore[arg-type]
    return cohorts.read(root, max_set_aside=1.0)


def boxes(cohort: Cohort, name: str) -> tuple[Box, ...]:
    value = cohort.case(name).targets["boxes"]
    assert isinstance(value, tuple)
    return value  # type: ignore[return-value]


def test_corners_are_counted_from_1_and_the_last_pixel_is_inside(tmp_path: Path) -> None:
    cohort = made(tmp_path, {"a": [A], "b": [thing("cell", (1, 1, WIDTH, HEIGHT)), A]})
    assert cohort.layout == "voc" and not cohort.questions
    assert boxes(cohort, "a") == (BOX,)
    assert boxes(cohort, "b")[0] == Box((0, 0, 0), (1, HEIGHT, WIDTH), "cell"), "the whole picture"
    said = "counted from 1, as the format has it: no corner is at 0, 1 at 1; --column boxes=from-0 if"
    assert any(said in note for note in cohort.notes), (
        "nothing in the files tells, so what was assumed is said"
    )
    told = cohorts.read(tmp_path, columns={"boxes": "from-0"})
    assert boxes(told, "a")[0].low == (0.0, 6.0, 11.0) and not any(said in note for note in told.notes)


def test_a_file_without_an_object_is_a_picture_with_nothing_in_it_and_a_picture_without_a_file_is_not_labelled(
    tmp_path: Path,
) -> None:
    made(tmp_path, {"a": [A], "healthy": []})
    picture(tmp_path / "JPEGImages" / "bare.png", seed=9)
    cohort = cohorts.read(tmp_path)
    assert boxes(cohort, "healthy") == ()
    assert "boxes" not in cohort.case("bare").targets
    assert any("1 picture has no XML file: not labelled" in n for n in cohort.notes)
    told = cohorts.read(tmp_path, columns={"boxes": "complete"})
    assert boxes(told, "bare") == ()


def test_the_lists_are_the_split_and_one_in_two_of_them_is_refused(tmp_path: Path) -> None:
    made(tmp_path, {k: [A] for k in "abcd"})
    lists = tmp_path / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("a\r\nb 1\n\n")
    (lists / "val.txt").write_text("c\nghost\n")
    (lists / "trainval.txt").write_text("a\nb\nc\n")
    cohort = cohorts.read(tmp_path)
    assert [c.split for c in cohort.cases] == ["train", "train", "val", None]
    assert any("listed in ImageSets/Main, and not there: ghost" in n for n in cohort.notes)
    (lists / "test.txt").write_text("a\n")
    again = cohorts.read(tmp_path, max_set_aside=1.0)
    (aside,) = again.set_aside
    assert aside.fatal and aside.reason == "it stands in the lists of train and of test"


def test_masks_of_the_same_names_are_no_pictures(tmp_path: Path) -> None:
    picture(tmp_path / "SegmentationClass" / "a.png", seed=3)
    picture(tmp_path / "Annotations" / "trimaps" / "a.png", seed=4)
    cohort = made(tmp_path, {"a": [A]})
    assert [c.id for c in cohort] == ["a"] and boxes(cohort, "a") == (BOX,)


def test_pictures_and_files_side_by_side_in_folders_of_splits(tmp_path: Path) -> None:
    for split in ("train", "valid"):
        picture(tmp_path / split / "1.png", seed=len(split))
        voc(tmp_path / split / "1.xml", [A])
    cohort = cohorts.read(tmp_path)
    assert {c.id: c.split for c in cohort.cases} == {"train_1": "train", "valid_1": "val"}
    assert all(c.targets["boxes"] == (BOX,) for c in cohort.cases)


def test_difficult_objects_are_crowds_parts_are_left_and_text_is_a_number(tmp_path: Path) -> None:
    part = "<part><name>nucleus</name><bndbox><xmin>1</xmin></bndbox></part>"
    things = [
        thing("cell", (" 11.0", "6", "30.0", "25 "), "<difficult>1</difficult>" + part),
        thing(" red  cell", ("3,5", 6, 30, 25)),
    ]
    first, second = boxes(made(tmp_path, {"a": things}), "a")
    assert first.crowd and (first.low, first.high) == (BOX.low, BOX.high)
    assert second.label == "red cell" and second.low[2] == 2.5 and not second.crowd


def test_each_faulty_box_is_named_with_its_file_and_what_was_done(tmp_path: Path) -> None:
    things = [
        A,
        thing("cell", (20, 20, 20, 20)),  # a click
        thing("cell", (30, 25, 11, 6)),  # the corners in the wrong order: a copy of the first, then
        thing("cell", (50, 30, 75, 40)),  # beyond the right edge
        thing("cell", (70, 50, 75, 55)),  # outside
        thing("cell", (5, 5, 61, 12)),  # a pixel too far
        thing("other", (11, 6, 30, 25)),
    ]
    cohort = made(tmp_path, {"a": things, "b": [A], "c": [A]})
    assert [b.label for b in boxes(cohort, "a")] == ["cell", "cell", "cell", "other"]
    assert boxes(cohort, "a")[1] == Box((0, 29, 49), (1, 40, 60), "cell")
    said = {q.what: q.found for q in cohort.doubts}
    assert said == {
        "boxes: 1 box has no extent and is left out": "'a.xml: cell 20 20 20 20, object 2'",
        "boxes: 1 box lies outside of its picture and is left out": "'a.xml: cell 70 50 75 55, object 5'",
        "boxes: 1 box is drawn twice and counted once": "'a.xml: cell 30 25 11 6, object 3'",
        "boxes: 1 box is drawn under two labels and kept under both": "'a.xml: other 11 6 30 25, object 7'",
        "boxes: 1 box has its corners in the wrong order: they are exchanged": "'a.xml: cell 30 25 11 6, object 3'",
        "boxes: 1 box reaches beyond its picture and is cut at its edge": "'a.xml: cell 50 30 75 40, object 4'",
    }
    assert "boxes: 1 box reaches up to a pixel beyond the edge, and are cut there" in cohort.notes


@pytest.mark.parametrize(
    ("things", "reason"),
    [
        ([thing("cell", ("nan", 1, 5, 5))], "object 1 has a coordinate that is no finite number"),
        ([thing("cell", ("x", 1, 5, 5))], "a.xml: object 1 has a coordinate that is no number; found 'x'"),
        ([thing("", (1, 1, 5, 5))], "a.xml: object 1 has no name"),
        (
            [thing("cell", (1, 1, 900, 900))],
            "object 1 is larger than its picture: 900 × 900 in 60 × 40 pixels",
        ),
        (["<object><name>cell</name><robndbox/></object>"], "object 1 has no <bndbox>; found <robndbox>"),
        (
            ["<object><name>cell</name><bndbox><xmin>1</xmin></bndbox></object>"],
            "needs xmin, ymin, xmax and ymax",
        ),
    ],
)
def test_a_picture_whose_boxes_cannot_be_trusted_is_set_aside_by_name(
    tmp_path: Path, things: list[str], reason: str
) -> None:
    cohort = made(tmp_path, {"a": [A, *things][-1:], "b": [A]})
    (aside,) = cohort.set_aside
    assert aside.case == "a" and reason in aside.reason


BOMB = '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><annotation>&c;</annotation>'


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (BOMB.encode(), "XML with a document type or entities is not read; found <!DOCTYPE"),
        (BOMB.encode("utf-16"), "XML with a document type or entities is not read"),
        (b'<?xml version="1.0" encoding="utf-7"?><annotation/>', "its text cannot be read"),
        (b"<annotation><object>", "damaged XML"),
        (b"<annotation>" + b"<a>" * 3000, "damaged XML"),
    ],
)
def test_entities_are_never_expanded_and_damage_is_named(tmp_path: Path, data: bytes, reason: str) -> None:
    made(tmp_path, {"a": [A], "b": [A]})
    (tmp_path / "Annotations" / "a.xml").write_bytes(data)
    (aside,) = cohorts.read(tmp_path, max_set_aside=1.0).set_aside
    assert aside.case == "a" and reason in aside.reason


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb2312"])
def test_files_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    made(tmp_path, {"a": []})
    head = f'<?xml version="1.0" encoding="{encoding.removesuffix("-sig")}"?>'
    text = f"{head}<annotation>{thing('细胞', (1, 1, 5, 5))}</annotation>"
    (tmp_path / "Annotations" / "a.xml").write_bytes(text.encode(encoding))
    assert boxes(cohorts.read(tmp_path), "a")[0].label == "细胞"


def test_a_zero_says_that_pixels_are_counted_from_0(tmp_path: Path) -> None:
    files = {"a": [thing("cell", (0, 0, 20, 20))], "b": [thing("cell", (10, 5, WIDTH, 25))]}
    cohort = made(tmp_path, files)
    assert boxes(cohort, "a") == (Box((0, 0, 0), (1, 20, 20), "cell"),)
    assert boxes(cohort, "b") == (Box((0, 5, 10), (1, 25, 60), "cell"),), "60 is where it ends"
    assert any("pixels are counted from 0, as 1 corner is at 0 and 0 at 1" in n for n in cohort.notes)
    last = made(
        tmp_path / "last", {"a": [thing("cell", (0, 0, 20, 20)), thing("cell", (30, 5, WIDTH - 1, 25))]}
    )
    assert boxes(last, "a")[1].high == (1, 26, 60), "59 is the last pixel inside"
    told = cohorts.read(tmp_path / "last", columns={"boxes": "from-1"})
    assert boxes(told, "a")[1].high == (1, 25, 59)


def test_a_single_zero_among_ones_is_cut_and_doubted(tmp_path: Path) -> None:
    cohort = made(
        tmp_path,
        {"a": [thing("cell", (1, 1, 9, 9)), thing("cell", (1, 12, 9, 19)), thing("cell", (0, 22, 9, 29))]},
    )
    assert [b.low[2] for b in boxes(cohort, "a")] == [0, 0, 0] and boxes(cohort, "a")[2].high == (1, 29, 9)
    assert any("counted from 1, though 1 corner is at 0" in q.what for q in cohort.doubts)


def test_a_size_of_0_says_nothing_and_that_of_another_picture_sets_aside(tmp_path: Path) -> None:
    assert boxes(made(tmp_path / "zero", {"a": [A]}, size=(0, 0)), "a") == (BOX,)
    assert boxes(made(tmp_path / "none", {"a": [A]}, size=None), "a") == (BOX,)
    double = [thing("cell", (21, 11, 60, 50))]
    cohort = made(tmp_path / "double", {"a": double}, size=(2 * WIDTH, 2 * HEIGHT))
    assert (
        "a.xml is of a picture of 120 × 80 pixels, and the picture has 60 × 40" in cohort.set_aside[0].reason
    )
    told = cohorts.read(tmp_path / "double", columns={"boxes": "scaled"})
    assert boxes(told, "a") == (BOX,)


def test_width_and_height_in_the_wrong_order(tmp_path: Path) -> None:
    wide = [thing("cell", (41, 6, 60, 25))]
    cohort = made(tmp_path / "wrong", {"a": wide}, size=(HEIGHT, WIDTH))
    assert boxes(cohort, "a") == (Box((0, 5, 40), (1, 25, 60), "cell"),)
    assert "gives the width of its picture as the height" in cohort.doubts[0].what
    turned = made(tmp_path / "turned", {"a": [thing("cell", (6, 41, 25, 60))]}, size=(HEIGHT, WIDTH))
    assert "its boxes fit a picture that is turned" in turned.set_aside[0].reason
    (question,) = made(tmp_path / "either", {"a": [A]}, size=(HEIGHT, WIDTH)).questions
    assert "the boxes fit either way" in question.what


def test_x_and_y_exchanged_is_asked(tmp_path: Path) -> None:
    things = [thing("cell", (10, 41 + k, 20, 58)) for k in range(0, 12, 4)]
    cohort = made(tmp_path, {"a": things})
    (question,) = cohort.questions
    assert (
        "fit in another way" in question.what and "boxes=corners,pixels,from-1,inclusive,yx" in question.hint
    )
    told = cohorts.read(tmp_path, columns={"boxes": "yx"})
    assert boxes(told, "a")[0] == Box((0, 9, 40), (1, 20, 58), "cell") and not told.questions


def test_the_file_name_that_a_file_gives(tmp_path: Path) -> None:
    cohort = made(tmp_path, {"a": [A], "b": []}, filename="C:\\old\\b.jpg")
    assert boxes(cohort, "a") == (BOX,), "b has a file of its own, so the name was copied"
    assert any("another name than its own" in n for n in cohort.notes)
    (tmp_path / "Annotations" / "b.xml").unlink()
    (aside,) = cohorts.read(tmp_path, max_set_aside=1.0).set_aside
    assert "a.xml says that it is of 'C:\\old\\b.jpg', which is there and has no XML file" in aside.reason
    (tmp_path / "Annotations" / "a.xml").rename(tmp_path / "Annotations" / "1.xml")
    assert boxes(cohorts.read(tmp_path), "b") == (BOX,), "no picture is called as the file is"
    voc(tmp_path / "Annotations" / "lost.xml", [A])
    (lost,) = cohorts.read(tmp_path, max_set_aside=1.0).set_aside
    assert lost.reason == "an annotation without a picture (lost.png)"


@pytest.mark.parametrize(("tag", "size"), [(6, (HEIGHT, WIDTH)), (6, (WIDTH, HEIGHT))])
def test_boxes_of_a_picture_that_is_turned_lie_where_its_size_says(
    tmp_path: Path, tag: int, size: tuple[int, int]
) -> None:
    """Stored 60 × 40 and to be turned right: the stored corner x, y is seen at 40 - y, x (EXIF 2.32, orientation 6)."""
    picture(tmp_path / "a.png", turned=tag)
    stored = size == (WIDTH, HEIGHT)
    voc(tmp_path / "a.xml", [thing("cell", (11, 6, 30, 25) if stored else (16, 11, 35, 30))], size=size)
    cohort = cohorts.read(tmp_path)
    assert boxes(cohort, "a") == (Box((0, 10, 15), (1, 30, 35), "cell"),)
    assert (
        cohort.case("a").image is not None and vs.read(tmp_path).cases[0].targets == cohort.cases[0].targets
    )


def test_where_nothing_says_what_the_boxes_of_a_turned_picture_are_of_it_is_asked(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", turned=3)
    voc(tmp_path / "a.xml", [A])
    (question,) = cohorts.read(tmp_path).questions
    assert "1 picture is turned by the EXIF orientation" in question.what
    seen = cohorts.read(tmp_path, columns={"boxes": "as-seen"})
    stored = cohorts.read(tmp_path, columns={"boxes": "as-stored"})
    assert boxes(seen, "a") == (BOX,) and not seen.questions
    assert boxes(stored, "a") == (Box((0, 15, 30), (1, 35, 50), "cell"),), "turned by half: 60 - x, 40 - y"


def test_labels_are_spelled_in_one_way_renamed_and_left_out(tmp_path: Path) -> None:
    made(tmp_path, {"a": [A, thing("Cell ", (31, 6, 40, 25))], "b": [thing("speck", (1, 1, 5, 5)), A]})
    assert {x.name for x in cohorts.read(tmp_path).targets["boxes"].labels} == {"cell", "speck"}
    told = cohorts.read(tmp_path, labels={"cell": "blood cell", "Cell": "blood cell", "speck": ""})
    assert [b.label for b in boxes(told, "b")] == ["blood cell"]
    assert [x.name for x in told.targets["boxes"].labels] == ["blood cell"]


def test_a_word_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    made(tmp_path, {"a": [A]})
    with pytest.raises(
        UnknownName,
        match="unknown word for --column boxes 'frm-0'.*from-0",
    ):
        cohorts.read(tmp_path, columns={"boxes": "frm-0"})


def test_thousands_of_boxes_are_read_in_seconds(tmp_path: Path) -> None:
    things = [thing("cell", (1 + k % 50, 1 + k % 30, 6 + k % 50, 8 + k % 30)) for k in range(200)]
    for k in range(50):
        picture(tmp_path / f"{k}.png", seed=k)
        voc(tmp_path / f"{k}.xml", things)
    start = time.process_time()
    cohort = cohorts.read(tmp_path)
    assert time.process_time() - start < 8 and len(cohort) == 50


@pytest.mark.realdata
def test_bccd_by_its_own_lists(shared_data: Path) -> None:
    cohort = cohorts.read(shared_data / "bccd")
    assert sum(c.split == "train" for c in cohort) == 205 and sum(c.split == "val" for c in cohort) == 87
    (doubt,) = cohort.doubts
    assert "2 boxes have no extent" in doubt.what
    assert "BloodImage_00338.xml" in doubt.found and "BloodImage_00343.xml" in doubt.found
    split = cohorts.assign(cohort, target="boxes", seed=0)
    assert len(split.test) == 87 and sum(map(len, split.folds)) == 205
