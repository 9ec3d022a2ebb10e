"""Tables of boxes beside images: corners, sizes and middles, in pixels and shares, in pictures and in volumes."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from cohorts._box_files import picture
from vesalius import cohorts
from vesalius.core.case import Box
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, UnknownName

BOX = Box((0.0, 5.0, 10.0), (1.0, 25.0, 30.0), "cell")
EDGE = Box((0.0, 20.0, 40.0), (1.0, 40.0, 60.0), "cell")


def made(root: Path, table: str, *, name: str = "boxes.csv", pictures: str = "ab") -> Cohort:
    for k, stem in enumerate(pictures):
        picture(root / "images" / f"{stem}.png", seed=k)
    (root / name).write_text(table)
    return cohorts.read(root, max_set_aside=1.0)


def boxes(cohort: Cohort, name: str, target: str = "boxes") -> tuple[Box, ...]:
    value = cohort.case(name).targets[target]
    assert isinstance(value, tuple)
    return value  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("head", "rows"),
    [
        ("case,label,y0,x0,y1,x1", ["a,cell,5,10,25,30", "b,cell,20,40,40,60"]),
        (
            "image,class,xmin,ymin,xmax,ymax",
            ["images/a.png,cell,10,5,30,25", "images/b.png,cell,40,20,60,40"],
        ),
        (
            "filename,class,x1,y1,x2,y2",
            ["a.png,cell,10.0,5.0,30.0,25.0", "C:\\x\\images\\b.png,cell,40,20,60,40"],
        ),
        ("image_id,label,left,top,right,bottom", ["a,cell,10,5,30,25", "b,cell,40,20,60,40"]),
        ("image,label,xtl,ytl,xbr,ybr", ["a,cell,10,5,30,25", "b,cell,40,20,60,40"]),
        ("image,label,x,y,w,h", ["a,cell,10,5,20,20", "b,cell,40,20,20,20"]),
        ("image,label,x_min,y_min,width,height", ["a,cell,10,5,20,20", "b,cell,40,20,20,20"]),
        (
            "Image Index,Finding Label,Bbox [x,y,w,h],,,",
            ["a.png,cell,10,5,20,20,,,", "b.png,cell,40,20,20,20,,,"],
        ),
        ("image,label,cx,cy,w,h", ["a,cell,20,15,20,20", "b,cell,50,30,20,20"]),
        ("image,label,x_center,y_center,width,height", ["a,cell,20,15,20,20", "b,cell,50,30,20,20"]),
        (
            "ImageID,LabelName,XMin,XMax,YMin,YMax",
            ["a,cell,.1666666667,.5,.125,.625", "b,cell,.6666666667,1,.5,1"],
        ),
        ("image,label,bbox_xyxy", ['a,cell,"[10, 5, 30, 25]"', 'b,cell,"40 20 60 40"']),
        ("image,label,bbox", ['a,cell,"[10, 5, 20, 20]"', 'b,cell,"[40, 20, 20, 20]"']),
        ("image;label;xmin;ymin;xmax;ymax", ["a;cell;10,0;5,0;30,0;25,0", "b;cell;40,0;20,0;60,0;40,0"]),
    ],
)
def test_columns_say_how_boxes_are_written(tmp_path: Path, head: str, rows: list[str]) -> None:
    cohort = made(tmp_path, "\n".join([head, *rows]), name="found.csv")
    assert cohort.layout == "table" and not cohort.questions and list(cohort.targets) == ["boxes"]
    for case, expected in (("a", BOX), ("b", EDGE)):
        (box,) = boxes(cohort, case)
        assert box.label == "cell"
        assert np.allclose([box.low, box.high], [expected.low, expected.high], atol=1e-6)


def test_an_empty_row_is_a_picture_without_boxes_and_one_without_a_row_is_not_labelled_then(
    tmp_path: Path,
) -> None:
    table = "patientId,x,y,width,height,Target\na,10,5,20,20,1\na,40,20,20,20,1\nb,,,,,0\n"
    cohort = made(tmp_path, table, name="stage_2_train_labels.csv", pictures="abc")
    assert [b.label for b in boxes(cohort, "a")] == ["1", "1"] and boxes(cohort, "b") == ()
    assert "boxes" not in cohort.case("c").targets
    assert cohort.case("a").patient == "a"
    told = cohorts.read(tmp_path, labels={"1": "opacity"}, columns={"boxes": "complete"})
    assert boxes(told, "a")[0].label == "opacity" and boxes(told, "c") == ()


def test_a_picture_without_a_row_is_asked_about_but_in_boxes_csv(tmp_path: Path) -> None:
    table = "image,label,x0,y0,x1,y1\na,cell,10,5,30,25\n"
    cohort = made(tmp_path / "other", table, name="findings.csv")
    (question,) = cohort.questions
    assert "1 picture has no row in findings.csv" in question.what and "partial" in question.hint
    ours = made(tmp_path / "ours", table)
    assert boxes(ours, "b") == () and not ours.questions
    assert "count as without boxes" in ours.doubts[0].what
    assert cohorts.read(tmp_path / "ours", columns={"boxes": "partial"}).case("b").targets == {}


def test_a_boxes_csv_may_say_that_there_is_nothing_in_any_picture(tmp_path: Path) -> None:
    cohort = made(tmp_path / "empty", "case,label,y0,x0,y1,x1\na,,,,,\nb,,,,,\n")
    assert boxes(cohort, "a") == boxes(cohort, "b") == () and cohort.targets["boxes"].labels == ()
    other = made(tmp_path / "other", "case,label,xmin,ymin,xmax,ymax\na,,,,,\nb,,,,,\n", name="findings.csv")
    assert "boxes" not in other.targets  # columns of others without a number may mean anything


def test_boxes_beside_a_table_of_cases_take_its_patients_and_splits(tmp_path: Path) -> None:
    picture(tmp_path / "images" / "c.png", seed=5)
    (tmp_path / "table.csv").write_text(
        "image,patient,finding,split\nimages/a.png,p1,yes,train\nimages/b.png,p1,no,train\nimages/c.png,p2,no,test\n"
    )
    rows = ["images/a.png,left,10,5,20,20", "images/a.png,right,40,20,20,20", "images/c.png,left,1,1,9,9"]
    table = "\n".join(["image,label,x,y,w,h", *rows, "gone.png,left,1,1,5,5"])
    cohort = made(tmp_path, table, name="lung_boxes.csv")
    assert cohort.patients_known and [c.split for c in cohort] == ["train", "train", "test"]
    assert set(cohort.targets) == {"finding", "lung_boxes"}
    assert [b.label for b in boxes(cohort, "a", "lung_boxes")] == ["left", "right"]
    assert [x.name for x in cohort.targets["lung_boxes"].labels] == ["left", "right"]
    assert any("1 name in lung_boxes.csv lead to no case" in q.what for q in cohort.doubts)
    only = cohorts.read(tmp_path / "lung_boxes.csv", max_set_aside=1.0)
    assert set(only.targets) == {"lung_boxes"} and "c" in {c.id for c in only}


def test_tables_of_splits_are_one(tmp_path: Path) -> None:
    head = "image,label,xmin,ymin,xmax,ymax\n"
    (tmp_path / "test.csv").write_text(head + "b,cell,40,20,60,40\n")
    cohort = made(tmp_path, head + "a,cell,10,5,30,25\n", name="train.csv")
    assert {c.id: (c.split, c.targets["boxes"]) for c in cohort} == {
        "a": ("train", (BOX,)),
        "b": ("test", (EDGE,)),
    }


def test_boxes_of_volumes_have_z(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in "vw":
        volume = nib.Nifti1Image(np.zeros((60, 40, 12), np.int16), np.eye(4))
        nib.save(volume, tmp_path / "images" / f"{name}.nii.gz")
    table = tmp_path / "boxes.csv"
    table.write_text(
        "case,label,z0,y0,x0,z1,y1,x1\nv,nodule,2,5,10,7,25,30\nv,nodule,-1,0,0,3,4,5\nw,,,,,,,\n"
    )
    cohort = cohorts.read(tmp_path)
    first, second = boxes(cohort, "v")
    assert first == Box((2, 5, 10), (7, 25, 30), "nodule") and second == Box((0, 0, 0), (3, 4, 5), "nodule")
    assert len(cohorts.check(cohort, strict=False)) == 2 and boxes(cohort, "w") == ()
    table.write_text("case,label,y0,x0,y1,x1\nv,nodule,5,10,25,30\nw,,,,,\n")
    (aside,) = cohorts.read(tmp_path, max_set_aside=1.0).set_aside
    assert aside.reason == "its boxes have no z, and its image has 12 planes"


def test_named_columns_and_words_say_it_where_names_do_not(tmp_path: Path) -> None:
    table = "image,label,c1,c2,c3,c4\na,cell,10,5,30,25\nb,cell,40,20,60,40\n"
    made(tmp_path, table)
    cohort = cohorts.read(tmp_path, columns={"boxes": "c1,c2,c3,c4,corners"})
    assert boxes(cohort, "a") == (BOX,)
    one_based = cohorts.read(tmp_path, columns={"boxes": "c1,c2,c3,c4,corners,from-1"})
    assert boxes(one_based, "a") == (Box((0, 4, 9), (1, 25, 30), "cell"),)
    with pytest.raises(UnknownName, match="column.*'c9'"):
        cohorts.read(tmp_path, columns={"boxes": "c1,c2,c3,c9"})
    (tmp_path / "boxes.csv").write_text("image,label,x0,y0,x1,y1\na,cell,10,5,30,25\nb,cell,40,20,60,40\n")
    with pytest.raises(
        UnknownName, match="unknown word or column for --column boxes 'corner'; try: closest: corners"
    ):
        cohorts.read(tmp_path, columns={"boxes": "corner"})


def test_one_cell_of_which_both_readings_fit_is_asked(tmp_path: Path) -> None:
    cohort = made(tmp_path, 'image,label,bbox\na,cell,"[2, 2, 12, 12]"\nb,cell,"[4, 3, 22, 17]"\n')
    (question,) = cohort.questions
    assert (
        question.found == "both fit the pictures"
        and question.hint == "--column boxes=corners or --column boxes=size"
    )
    told = cohorts.read(tmp_path, columns={"boxes": "size"})
    assert boxes(told, "a") == (Box((0, 2, 2), (1, 14, 14), "cell"),) and not told.questions


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a,cell,10,5,30,", "row 2 has some of a box's coordinates and not the others"),
        ("a,,10,5,30,25", "row 2 has a box without a label"),
    ],
)
def test_a_row_that_is_no_box_sets_its_case_aside(tmp_path: Path, row: str, reason: str) -> None:
    cohort = made(tmp_path, f"image,label,x0,y0,x1,y1\n{row}\nb,cell,40,20,60,40\nb,cell,1,2,3,4\n")
    assert [(a.case, reason in a.reason) for a in cohort.set_aside] == [("a", True)]


def test_middles_that_are_called_as_corners_are_are_asked(tmp_path: Path) -> None:
    rows = [f"a,cell,{52 + k % 3},{5 + 7 * k},12,10" for k in range(4)] + ["b,cell,20,20,10,10"] * 20
    cohort = made(tmp_path, "\n".join(["image,label,x,y,w,h", *rows]))
    (question,) = cohort.questions
    assert (
        "17% of 24 reach beyond their picture as size" in question.found and "boxes=centre" in question.hint
    )


def test_shares_among_pixels_are_named(tmp_path: Path) -> None:
    cohort = made(
        tmp_path, "image,label,x0,y0,x1,y1\na,cell,.1,.2,.5,.6\na,cell,10,5,30,25\nb,cell,40,20,60,40\n"
    )
    assert boxes(cohort, "a") == (BOX,)
    assert "1 box is smaller than a pixel and is left out" in cohort.doubts[0].what


def test_corners_that_look_counted_from_1_are_doubted(tmp_path: Path) -> None:
    rows = [f"a,cell,1,{1 + 4 * k},{9 + k},{4 + 4 * k}" for k in range(5)]
    cohort = made(tmp_path, "\n".join(["image,label,x0,y0,x1,y1", *rows, "b,cell,40,20,60,40"]))
    (doubt,) = cohort.doubts
    assert "counted from 0, though no corner is at 0" in doubt.what and "from-1" in doubt.hint


def test_crowds_and_rows_that_contradict_each_other(tmp_path: Path) -> None:
    rows = ["a,cell,10,5,30,25,1", "a,,,,,,", "b,cell,40,20,60,40,0"]
    cohort = made(tmp_path, "\n".join(["image,label,x0,y0,x1,y1,iscrowd", *rows]))
    assert boxes(cohort, "a")[0].crowd and not boxes(cohort, "b")[0].crowd
    assert any("1 case has boxes, and a row without coordinates" in q.what for q in cohort.doubts)


def test_a_table_whose_rows_lead_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("image,finding\na,yes\nb,no\n")
    with pytest.raises(DataError, match="no column of boxes.csv names cases or their images"):
        made(tmp_path, "who,label,x0,y0,x1,y1\nzz,cell,10,5,30,25\n")


@pytest.mark.realdata
def test_lungs_of_covid_cxr_are_read_with_their_patients(shared_data: Path) -> None:
    cohort = cohorts.read(shared_data / "covid_cxr")
    assert cohort.patients_known and cohort.targets["lung_boxes"].kind == "boxes"
    assert sum("lung_boxes" in c.targets for c in cohort) == len(cohort) == 459
    split = cohorts.assign(cohort, target="lung_boxes", seed=0)
    patients = {c.id: c.patient for c in cohort}
    assert not {patients[c] for c in split.test} & {patients[c] for fold in split.folds for c in fold}
