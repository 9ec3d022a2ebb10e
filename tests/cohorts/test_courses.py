"""Time courses without an image: tables and arrays that a table names, class folders of them, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from vesalius import cohorts
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort
from vesalius.core.course import Course
from vesalius.core.errors import DataError, FormatError, UnknownName
from vesalius.prepare.courses import course_of, load_course, matched

HEAD = "time_s,a,b"


def course(k: int, *, head: str = HEAD, rows: int = 5) -> str:
    return "\n".join([head, *(f"{t / 2},{t + k},{10 * t}" for t in range(rows))]) + "\n"


def write(root: Path, texts: Sequence[str], head: str = "signal,label") -> Path:
    (root / "signals").mkdir(parents=True)
    rows = []
    for k, text in enumerate(texts):
        (root / "signals" / f"s{k}.csv").write_text(text)
        rows.append(f"signals/s{k}.csv,{'ab'[k % 2]}")
    (root / "cohort.csv").write_text("\n".join([head, *rows]) + "\n")
    return root


def checked(root: Path, **columns: str) -> Cohort:
    return cohorts.check(cohorts.read(root, columns=columns, max_set_aside=1.0), max_set_aside=0.5)


def loaded(cohort: Cohort, case: str, name: str = "signal") -> Course:
    return load_course(cohort[case].courses[name])


def test_a_table_that_names_courses_needs_no_image_column(tmp_path: Path) -> None:
    cohort = checked(write(tmp_path, [course(k, rows=5 + k) for k in range(6)]))
    assert [c.id for c in cohort] == [f"s{k}" for k in range(6)] and cohort["s0"].reference is None
    assert all(not c.images and tuple(c.courses) == ("signal",) for c in cohort)
    found = loaded(cohort, "s1")
    assert (
        found.values.shape == (6, 2) and found.names == ("a", "b") and found.times == (0, 0.5, 1, 1.5, 2, 2.5)
    )
    assert cohort.targets["label"].kind == "class"
    notes = " ".join(cohort.notes)
    assert "100% of its first values name files of time courses" in notes
    assert "signal: times are in 'time_s', in s" in notes


def test_column_course_overrides_and_arrays_are_told(tmp_path: Path) -> None:
    root = write(tmp_path, [course(k) for k in range(6)], "signal,label")
    assert checked(root, course="signal")["s0"].courses
    with pytest.raises(UnknownName, match="nothing"):
        cohorts.read(root, columns={"course": "nothing"})


def test_courses_beside_the_table_in_one_folder_are_no_tables_of_the_cohort(tmp_path: Path) -> None:
    for k in range(6):
        (tmp_path / f"s{k}.csv").write_text(course(k))
    (tmp_path / "patients.csv").write_text(
        "\n".join(["signal,label", *(f"s{k}.csv,{'ab'[k % 2]}" for k in range(6))]) + "\n"
    )
    cohort = checked(tmp_path)
    assert len(cohort.cases) == 6 and not any("not used" in n for n in cohort.notes)


def test_columns_in_another_order_are_matched_by_name_and_other_names_set_aside(tmp_path: Path) -> None:
    texts = [course(k) for k in range(6)]
    texts[2] = "b,time_s,a\n0,0,2\n10,0.5,3\n"
    texts[4] = course(4, head="time_s,a,c")
    cohort = checked(write(tmp_path, texts))
    assert [(s.case, s.reason) for s in cohort.set_aside] == [
        ("s4", "'signal' has no column 'b' and a column 'c', which most cases lack")
    ]
    found = course_of(cohort["s2"], "signal", ("a", "b"), 2)
    assert found is not None and found.values.tolist() == [[2, 0], [3, 10]] and found.times == (0, 0.5)
    odd = Case("x", {}, courses={"signal": Course(np.zeros((2, 2)), ("a", "c"))})
    with pytest.raises(
        DataError, match="case x: 'signal': the columns of a time course are others; found no 'b' and"
    ):
        course_of(odd, "signal", ("a", "b"), 2)
    assert course_of(odd, "other", ("a",), 1) is None
    with pytest.raises(DataError, match="3 columns without names are needed"):
        matched(Course(np.zeros((2, 2))), (), 3)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("time_s,a,b\n0,1,2\n2,1,2\n1,1,2\n", "the times in 'time_s' fall; found 2 and then 1 in row 3"),
        ("time_s,a,b\n0,1,2\n,1,2\n", "no time in its column 'time_s'; found row 2"),
        ("time_s,a,b\n0,1,high\n1,1,2\n", "its column 'b' holds words; found 'high' in row 1"),
        ("time_s,a,b\n0,1,inf\n1,1,2\n", "an infinite number; found row 1, column 2"),
        ("time_s,a,b\n0,,\n1,NA,\n", "no number in any of its cells"),
        ("time_s,a,a\n0,1,2\n", "has the column 'a' twice"),
        ("time_s,time_ms,a\n0,0,2\n", "several columns could be the times"),
        ("10,20,30\n1,2,3\n", "nobody can say whether the first line holds names or numbers"),
        ("time_s,a,b\n", "has no rows"),
        ("time_s\n0\n1\n", "no column of numbers beside the times"),
        ("id,parent,a\nx,,1\ny,z,2\n", "the row above a row is not there; found 'z'"),
        ("id,parent,a\nx,y,1\ny,x,2\n", "the rows of a tree go round in a circle"),
        ("id,parent,a\nx,,1\nx,,2\n", "two rows of a tree have one id; found 'x'"),
        ("a,parent\n1,\n", "a column 'parent' without a column 'id'"),
        ("date,a\n03/04/2020,1\n", "day and month cannot be told apart"),
    ],
)
def test_a_course_that_could_be_read_wrongly_is_set_aside_in_one_line(
    tmp_path: Path, text: str, reason: str
) -> None:
    cohort = checked(write(tmp_path, [text, *(course(k) for k in range(1, 8))]))
    assert [s.case for s in cohort.set_aside] == ["s0"]
    assert reason in cohort.set_aside[0].reason and "\n" not in cohort.set_aside[0].reason


@pytest.mark.parametrize(
    ("text", "times", "unit"),
    [
        ("time_ms,a\n0,1\n250,2\n", (0, 0.25), "s"),
        ("time (min),a\n0,1\n2,2\n", (0, 120), "s"),
        ("hours,a\n0,1\n2,2\n", (0, 7200), "s"),
        ("days_since_admission,a\n-2,1\n5,2\n", (-2, 5), "days"),
        ("weeks,a\n0,1\n2,2\n", (0, 14), "days"),
        ("date,a\n2020-02-28,1\n2020-03-01,2\n", (0, 2), "days"),
        ("age_days,a\n3,1\n5,2\n", (0, 1), "s"),  # a quantity: rows are one step apart
    ],
)
def test_times_are_read_in_the_unit_of_their_name(
    tmp_path: Path, text: str, times: tuple[float, ...], unit: str
) -> None:
    (tmp_path / "x.csv").write_text(text)
    found = load_course(Ref((tmp_path / "x.csv",)))
    assert found.times == pytest.approx(times) and found.unit == unit
    assert found.timed == ("age" not in text)
    assert found.times_s == pytest.approx(np.array(times) * (86_400 if unit == "days" else 1))


def test_missing_cells_decimal_commas_and_counted_rows(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(";zeit;time;crp;note\n0;1;0,5;1,25;\n1;2;1,5;NA;\n2;3;2,5;;7,5\n")
    found = load_course(Ref((tmp_path / "x.csv",)))
    assert found.names == ("zeit", "crp", "note") and found.times == (0.5, 1.5, 2.5)
    assert found.values[:, 1] == pytest.approx([1.25, np.nan, np.nan], nan_ok=True)
    assert found.values[2, 2] == 7.5


def test_a_header_that_is_numbers_is_names_or_a_row_and_never_lost(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("1,2,3\n4,5,6\n")
    (tmp_path / "rows.csv").write_text("0.5,0.1,0.7\n0.5,0.2,0.3\n")
    names, rows = (load_course(Ref((tmp_path / f"{n}.csv",))) for n in ("names", "rows"))
    assert names.names == ("1", "2", "3") and names.values.tolist() == [[4, 5, 6]]
    assert rows.names == () and rows.values.tolist() == [[0.5, 0.1, 0.7], [0.5, 0.2, 0.3]]


def arrays(root: Path, shapes: Sequence[tuple[int, ...]]) -> Path:
    root.mkdir(exist_ok=True)
    rows = []
    for k, shape in enumerate(shapes):
        np.save(root / f"s{k}.npy", np.arange(int(np.prod(shape)), dtype=np.float32).reshape(shape))
        rows.append(f"s{k}.npy,{'ab'[k % 2]}")
    (root / "cohort.csv").write_text("\n".join(["signal,label", *rows]) + "\n")
    return root


def test_arrays_stand_as_their_axes_differ_between_cases(tmp_path: Path) -> None:
    lying = checked(arrays(tmp_path / "ft", [(3, 10 + k) for k in range(6)]), course="signal")
    assert loaded(lying, "s2").values.shape == (12, 3)
    assert loaded(lying, "s0").values[:, 0].tolist() == list(range(10)), "rows of the file are quantities"
    assert any("columns are times: all have 3 rows, and columns differ" in n for n in lying.notes)
    standing = checked(arrays(tmp_path / "tf", [(10 + k, 3) for k in range(6)]), course="signal")
    assert loaded(standing, "s2").values.shape == (12, 3)
    assert any("rows are times: all have 3 columns, and rows differ" in n for n in standing.notes)
    same = arrays(tmp_path / "same", [(4, 9)] * 6)
    found = checked(same, course="signal")
    assert loaded(found, "s0").values.shape == (4, 9)
    assert any("taken so (4 times of 9 quantities); --column course_axes=FT" in n for n in found.notes)
    assert loaded(checked(same, course="signal", course_axes="FT"), "s0").values.shape == (9, 4)
    assert lying.hash != standing.hash
    with pytest.raises(DataError, match="course_axes=TF"):
        cohorts.read(same, columns={"course": "signal", "course_axes": "XY"})


def test_arrays_whose_axes_both_differ_are_refused_by_name(tmp_path: Path) -> None:
    root = arrays(tmp_path / "x", [(10 + k, 3) for k in range(6)] + [(3, 20), (5,)])
    cohort = checked(root, course="signal")
    assert {s.case: s.reason for s in cohort.set_aside} == {
        "s6": "'signal' has 20 columns without names, where most cases have 3 without names",
        "s7": "'signal' has 1 column without names, where most cases have 3 without names",
    }
    (root / "s1.npy").write_bytes((root / "s1.npy").read_bytes()[:140])
    np.save(root / "s2.npy", np.array(["a", "b"]))
    found = checked(root, course="signal")
    assert {"s1", "s2"} <= {s.case for s in found.set_aside}


def test_rows_of_a_tree_have_the_row_above_each(tmp_path: Path) -> None:
    text = "id,parent,volume\nstudy,,3\nliver,study,2\nlesion 1,liver,0.5\nlesion 2,liver,0.7\n"
    cohort = checked(write(tmp_path, [text] * 6, "findings,label"))
    found = loaded(cohort, "s0", "findings")
    assert found.parents == (-1, 0, 1, 1) and found.names == ("volume",)
    assert any("findings: a tree of rows: 4 rows" in n for n in cohort.notes)


def test_class_folders_of_tables_are_time_courses(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("normal", "arrhythmia"):
            (tmp_path / split / label).mkdir(parents=True)
            for k in range(3):
                (tmp_path / split / label / f"e{k}.csv").write_text(course(k))
    cohort = cohorts.check(cohorts.read(tmp_path))
    assert cohort.layout == "courses" and len(cohort.cases) == 12
    case = cohort["train_normal_e1"]
    assert (
        case.targets == {"class": "normal"} and case.split == "train" and tuple(case.courses) == ("course",)
    )
    with pytest.raises(DataError, match="no images"):
        (tmp_path / "train" / "normal" / "e0.csv").write_text("name,age\nx,old\n")
        cohorts.read(tmp_path)


def test_files_to_be_answered_need_no_table(tmp_path: Path) -> None:
    for k in range(3):
        (tmp_path / f"e{k}.csv").write_text(course(k))
    assert [c.id for c in cohorts.read(tmp_path)] == ["e0", "e1", "e2"]
    one = cohorts.read(tmp_path / "e1.csv")
    assert one.layout == "courses" and load_course(one["e1"].courses["course"]).values.shape == (5, 2)
    np.save(tmp_path / "z.npy", np.zeros((4, 2), np.float32))
    told = cohorts.read(tmp_path, layout="courses")
    assert load_course(told["z"].courses["course"]).timed is False


def test_the_hash_covers_the_courses(tmp_path: Path) -> None:
    one = checked(write(tmp_path / "one", [course(k) for k in range(6)]))
    two = checked(write(tmp_path / "two", [course(k + (k == 3)) for k in range(6)]))
    same = checked(write(tmp_path / "three", [course(k) for k in range(6)]))
    assert one.hash == same.hash != two.hash


def test_a_file_of_another_type_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("1 2 3")
    with pytest.raises(FormatError, match="not a file of a time course"):
        load_course(Ref((tmp_path / "x.txt",)))


def test_images_and_courses_beside_them_and_cells_without_one(tmp_path: Path) -> None:
    from PIL import Image as Picture

    root = write(tmp_path, [course(k) for k in range(8)])
    rows = ["image,signal,label"]
    for k in range(8):
        Picture.fromarray(np.random.default_rng(k).integers(0, 255, (9, 8), np.uint8)).save(
            root / f"i{k}.png"
        )
        rows.append(f"{'' if k == 3 else f'i{k}.png'},{'' if k == 2 else f'signals/s{k}.csv'},{'ab'[k % 2]}")
    (root / "cohort.csv").write_text("\n".join(rows) + "\n")
    cohort = checked(root)
    assert len(cohort.cases) == 8 and not cohort["i2"].courses
    alone = cohort["s3"]
    assert not alone.images and alone.reference is None and tuple(alone.courses) == ("signal",)
    assert [s.case for s in cohorts.with_complete(cohort).set_aside] == ["s3"]


@pytest.mark.parametrize("suffix", [".csv", ".npy"])
def test_a_damaged_file_is_read_or_one_typed_error(tmp_path: Path, suffix: str) -> None:
    rng = np.random.default_rng(5)
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".csv":
        whole.write_text(course(1, rows=20))
    else:
        np.save(whole, rng.normal(size=(20, 3)))
    data = whole.read_bytes()
    path = tmp_path / f"x{suffix}"
    for trial in range(60):
        broken = bytearray(data[: int(rng.integers(0, len(data)))] if trial % 2 else data)
        for at in rng.integers(0, max(len(broken), 1), 6) if broken else ():
            broken[int(at)] = int(rng.integers(0, 256))
        path.write_bytes(bytes(broken))
        try:
            found = load_course(Ref((path,)))
        except DataError as error:
            assert "\n" not in str(error) and "x" + suffix in str(error)
        else:
            assert found.values.ndim == 2


def test_texts_of_empty_cells_are_not_there(tmp_path: Path) -> None:
    root = write(tmp_path, [course(k) for k in range(6)])
    rows = [f"signals/s{k}.csv,{'' if k == 2 else 'short of breath'},{'ab'[k % 2]}" for k in range(6)]
    (root / "cohort.csv").write_text("\n".join(["signal,history,label", *rows]) + "\n")
    cohort = checked(root, text="history")
    assert cohort["s1"].texts == {"history": "short of breath"} and cohort["s2"].texts == {}
