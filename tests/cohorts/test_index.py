"""Finding what a table's cell means: the file that is named, the only one that can be, or none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from vesalius.cohorts._index import Index
from vesalius.core.errors import DataError


def index_of(root: Path, *names: str) -> Index:
    """An index of empty files of these names."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return Index.of(root)


def found(index: Index, text: str) -> str | None:
    """The one file that a cell means, by its path below the folder; None where it is refused."""
    try:
        refs = index.find(text)
    except DataError:
        return None
    assert list(refs) == [""] and len(refs[""].paths) == 1
    return refs[""].paths[0].relative_to(index.root).as_posix()


@pytest.mark.parametrize(
    ("cell", "file"),
    [
        ("a/1/x.png", "a/1/x.png"),
        ("./a/1/x.png", "a/1/x.png"),
        (r"a\1\x.png", "a/1/x.png"),
        (r"C:\data\study\A\1\X.PNG", "a/1/x.png"),
        (r"\\server\share\a\2\x.png", "a/2/x.png"),
        ("/data/old/a/2/x.png", "a/2/x.png"),
        ("../old/a/2/x.png", "a/2/x.png"),
        ("old/a/2/x.png", "a/2/x.png"),
        ("1/y", "a/1/y.png"),
        ("y", "a/1/y.png"),
        ("z.png", "b/3/z.png"),
        ("3/z.png", "b/3/z.png"),
        ("/data/x/b/3/z", "b/3/z.png"),
        ("/elsewhere/top.png", "top.png"),
        ("study/top.png", "top.png"),
        ("x.png", None),  # two of that name
        ("x", None),
        ("a/3/x.png", None),
        ("/data/old/a/3/x.png", None),
        (r"C:\data\study\A\3\X.PNG", None),
        ("2/y.png", None),
        ("2/y", None),
        ("b/z.png", None),
        ("b/3/top.png", None),
        ("c/top.png", None),
        ("/data/a/top.png", None),  # there is a folder 'a' here, and it holds none
        ("/data/a/3/top.png", None),
        ("none.png", None),
        ("/", None),
        ("..", None),
        ("a\0b.png", None),
        ("p/" * 3000 + "x.png", None),
        ("n" * 400 + ".png", None),
    ],
)
def test_a_cell_means_the_file_that_agrees_with_every_folder_named(
    tmp_path: Path, cell: str, file: str | None
) -> None:
    root = tmp_path / "study"
    index = index_of(root, "a/1/x.png", "a/2/x.png", "a/1/y.png", "b/3/z.png", "top.png")
    assert found(index, cell) == file


def test_a_file_below_the_tables_folder_is_named_in_full_by_an_absolute_path(tmp_path: Path) -> None:
    index = index_of(tmp_path, "x.png", "day1/x.png", "deep/day1/y.png")
    assert found(index, str(tmp_path / "day1" / "x.png")) == "day1/x.png"
    assert found(index, str(tmp_path / "day2" / "x.png")) is None
    assert found(index, str(tmp_path / "day1" / "y.png")) is None


def test_letter_case_tells_apart_what_nothing_else_does(tmp_path: Path) -> None:
    index = index_of(tmp_path, "img/a.png", "img/A.png")
    assert found(index, "/old/img/A.png") == "img/A.png" and found(index, "/old/IMG/a.PNG") is None


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (
            "day2/P03.png",
            "no image for 'day2/P03.png'; found 'day1/P03.png', in another folder than the one named",
        ),
        ("P04.png", "several files could be the image 'P04.png'; found 'day1/P04.png' and 'day2/P04.png'"),
        ("P09.png", "no image for 'P09.png'; found nothing of that name below"),
    ],
)
def test_what_cannot_be_found_is_told_with_what_there_is(tmp_path: Path, cell: str, words: str) -> None:
    index = index_of(tmp_path, "day1/P03.png", "day1/P04.png", "day2/P04.png")
    with pytest.raises(DataError, match=words):
        index.find(cell)


def test_folders_of_series_are_found_by_their_end_and_never_another_patients(
    tmp_path: Path, write_series: Callable[..., list[Path]]
) -> None:
    for n in (1, 3, 4, 5, 6):
        write_series(tmp_path / f"p{n:02d}" / "ct", patient=f"A{n}", series=f"1.2.3.{n}", slices=2)
    write_series(tmp_path / "p07" / "mr", patient="A7", series="1.2.3.7", slices=2)
    (tmp_path / "p02").mkdir()
    index = Index.of(tmp_path)
    for cell in ("p03/ct", r"D:\store\p03\ct", "/store/P03/CT/", "p03", "A3", "1.2.3.3"):
        refs = index.find(cell)
        assert {p.parent for p in refs[""].paths} == {tmp_path / "p03" / "ct"}, cell
    assert index.find("mr")[""].paths[0].parent.parent.name == "p07"
    for cell in ("p02/ct", "/store/p02/ct", "p02", "ct"):
        with pytest.raises(DataError):
            index.find(cell)


@pytest.mark.parametrize("deeper", [False, True])
def test_a_patients_id_that_is_another_patients_folder_is_refused_with_both(
    tmp_path: Path, write_series: Callable[..., list[Path]], deeper: bool
) -> None:
    for folder, patient in (("1", "2"), ("2", "1"), ("3", "3")):
        for k in range(1 + deeper):
            place = tmp_path / folder / str(k) if deeper else tmp_path / folder
            write_series(place, patient=patient, series=f"1.2.{folder}.{k}", slices=2)
    index = Index.of(tmp_path)
    for cell in ("1", "2"):
        with pytest.raises(DataError, match=f"the folder '{cell}' .* and the patient or series '{cell}'"):
            index.find(cell)
    assert len(index.find("3")) == 1 + deeper


def test_a_folder_of_several_patients_is_no_case(
    tmp_path: Path, write_series: Callable[..., list[Path]]
) -> None:
    for n in range(2):
        for path in write_series(tmp_path / f"in{n}", patient=f"P{n}", series=f"1.2.3.{n}", slices=2):
            (tmp_path / "mixed").mkdir(exist_ok=True)
            path.rename(tmp_path / "mixed" / f"{n}{path.name}")
    with pytest.raises(DataError, match="'mixed' holds series of several patients; found 'P0' and 'P1'"):
        Index.of(tmp_path).find("mixed")
