"""Another tool's predictions: one answer to a case, tables as spreadsheets save them, and names with folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import openpyxl
import pytest
from PIL import Image as Picture

from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.value import Value
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import DataError
from vesalius.evaluate.foreign import foreign_answers

MASK = TargetInfo("mask", "mask", (Label(1, "liver"),))
CLASS = TargetInfo("class", "class", (Label(0, "benign"), Label(1, "malignant")))
NUMBER = TargetInfo("age", "number")


def cases(*ids: str, folder: str = "images") -> Sequence[Case]:
    return [Case(id=i, images={"image": Ref((Path("/data") / folder / f"{i}.png",))}) for i in ids]


def mask(path: Path, value: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.fromarray(np.full((4, 5), value, np.uint8)).save(path)
    return path


def value_of(answer: object) -> int:
    assert isinstance(answer, Mask)
    return int(answer.image.array.max())


def test_two_files_of_one_case_are_refused_with_both_named(tmp_path: Path) -> None:
    mask(tmp_path / "fold_0" / "a.png", 1)
    mask(tmp_path / "fold_1" / "a.png", 0)
    mask(tmp_path / "fold_1" / "b.png", 1)
    with pytest.raises(DataError, match="case a is answered twice.*fold_0/a.png and .*fold_1/a.png"):
        foreign_answers(tmp_path, cases("a", "b"), MASK)
    assert list(foreign_answers(tmp_path, cases("b"), MASK)) == ["b"], "no case of ours is named twice"


@pytest.mark.parametrize("other", ["a.tif", "a.bmp"])
def test_two_files_of_one_case_in_one_folder_are_refused_unless_they_hold_the_same(
    tmp_path: Path, other: str
) -> None:
    mask(tmp_path / "a.png", 1)
    mask(tmp_path / other, 1)
    assert value_of(foreign_answers(tmp_path, cases("a"), MASK)["a"]) == 1
    mask(tmp_path / other, 0)
    with pytest.raises(DataError, match=f"answered twice.*{other}"):
        foreign_answers(tmp_path, cases("a"), MASK)


def test_copies_of_one_answer_and_probabilities_beside_it_are_one_answer(tmp_path: Path) -> None:
    mask(tmp_path / "one" / "a.png", 1)
    mask(tmp_path / "copy" / "a.png", 1)
    np.savez(tmp_path / "one" / "a.npz", probabilities=np.zeros((2, 4, 5)))
    (tmp_path / "one" / "a.seg.dcm").write_bytes(b"")
    assert value_of(foreign_answers(tmp_path, cases("a"), MASK)["a"]) == 1


def test_masks_in_the_folders_of_their_images_are_matched_by_these(tmp_path: Path) -> None:
    ours = [
        Case(id=f"images_day{d}_P0", images={"image": Ref((Path(f"/data/images/day{d}/P0.png"),))})
        for d in (1, 2)
    ]
    for day in (1, 2):
        mask(tmp_path / f"day{day}" / "P0.png", day - 1)
    found = foreign_answers(tmp_path, ours, MASK)
    assert {k: value_of(v) for k, v in found.items()} == {"images_day1_P0": 0, "images_day2_P0": 1}
    (tmp_path / "day2" / "P0.png").unlink()
    assert list(foreign_answers(tmp_path, ours, MASK)) == ["images_day1_P0"]


def test_one_file_does_not_answer_two_cases(tmp_path: Path) -> None:
    mask(tmp_path / "1.png", 1)
    with pytest.raises(DataError, match="could answer two cases; found x/1 and y/1"):
        foreign_answers(tmp_path, cases("x/1", "y/1"), MASK)


TEXT = "case;p_benign;p_malignant\r\na;0,9;0,1\r\nbö;0,25;0,75\r\n;;\r\n"


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode("utf-8-sig"),
        TEXT.encode("cp1252"),
        TEXT.encode("utf-16"),
        TEXT.replace(";", "\t").encode(),
        ("sep=;\r\n" + TEXT).encode(),
        TEXT.replace("\r\n", ";;\r\n").encode(),
        TEXT.replace(",", ".").replace(";", ",").encode(),
        TEXT.replace("case", '"case"').replace("bö", '"bö"').encode(),
    ],
    ids=["bom", "cp1252", "utf-16", "tabs", "sep", "trailing", "commas", "quotes"],
)
def test_predictions_are_read_as_spreadsheets_save_them(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "made.csv").write_bytes(data)
    found = foreign_answers(tmp_path, cases("a", "bö"), CLASS)
    assert all(isinstance(x, Scores) for x in found.values())
    assert {k: x.p.tolist() for k, x in found.items()} == {"a": [0.9, 0.1], "bö": [0.25, 0.75]}  # type: ignore[attr-defined]


def test_predictions_in_a_workbook_are_read(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (("case", "value"), (1, 61.5), (2, 40)):
        book.active.append(row)  # type: ignore[union-attr]
    book.save(tmp_path / "made.xlsx")
    found = foreign_answers(tmp_path / "made.xlsx", cases("1", "2"), NUMBER)
    assert {k: x.x for k, x in found.items() if isinstance(x, Value)} == {"1": 61.5, "2": 40.0}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"case,value\na,1,5\n", "3 cells in line 2 and 2 in the first"),
        (b'case,value\n"a,1\nb,2\n', "a quotation mark or a cell that does not end"),
        (b"case,value\n", "has no rows"),
        (b"", "has no rows"),
        (b"\x89PNG\0\0\0", "is not a table of a known type"),
        (b"patient,value\na,1\n", "no column that names the case"),
        (b"case,value,value\na,1,2\n", "the column 'value' twice"),
        (b"case,value\na,x\n", "case a has no number"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line_of_ours(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "made.csv").write_bytes(data)
    with pytest.raises(DataError, match=words) as caught:
        foreign_answers(tmp_path / "made.csv", cases("a"), NUMBER)
    assert "\n" not in str(caught.value) and "polars" not in str(caught.value).casefold()


def test_of_several_tables_none_is_taken_without_a_word(tmp_path: Path) -> None:
    for name in ("one.csv", "two.tsv"):
        (tmp_path / name).write_text("case\tvalue\na\t1\n")
    with pytest.raises(DataError, match="several tables .* found one.csv, two.tsv"):
        foreign_answers(tmp_path, cases("a"), NUMBER)
    (tmp_path / "answers.csv").write_text("case,value\na,3\n")
    assert foreign_answers(tmp_path, cases("a"), NUMBER)["a"].x == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name", ["day1/P03.png", r"C:\old\day1\P03.png", "P03", "preds/P03.nii.gz", "day2/P03.png"]
)
def test_a_row_that_names_another_folders_image_is_not_this_case(tmp_path: Path, name: str) -> None:
    both = [*cases("P03", folder="day1"), *cases("P04", folder="day2")]
    (tmp_path / "made.csv").write_text(f"image,value\n{name},1\nP04,2\n")
    found = set(foreign_answers(tmp_path / "made.csv", both, NUMBER))
    assert found == ({"P04"} if name.startswith("day2") else {"P03", "P04"})


RED = TargetInfo("mask", "mask", (Label(1, "#ff0000", colour="#ff0000"),))


def test_a_palette_of_the_truths_colours_counts_and_not_its_numbers(tmp_path: Path) -> None:
    values = np.array(
        [[0, 1, 2, 2]], np.uint8
    )  # 1 is blue and 2 is red, as a model of two colours writes them
    picture = Picture.fromarray(values, "P")
    picture.putpalette([0, 0, 0, 0, 0, 255, 255, 0, 0] + [0] * 759)
    picture.save(tmp_path / "a.png")
    answer = foreign_answers(tmp_path, cases("a"), RED)["a"]
    assert isinstance(answer, Mask)
    assert answer.image.array.reshape(-1).tolist() == [0, 0, 1, 1]


def test_colours_that_the_truth_has_not_are_no_label_and_spoil_no_other(tmp_path: Path) -> None:
    red, blue, black = (255, 0, 0), (0, 0, 255), (0, 0, 0)
    Picture.fromarray(np.array([[red, blue, black, red]], np.uint8)).save(tmp_path / "a.png")
    answer = foreign_answers(tmp_path, cases("a"), RED)["a"]
    assert isinstance(answer, Mask)
    assert answer.image.array.reshape(-1).tolist() == [1, 0, 0, 1]
