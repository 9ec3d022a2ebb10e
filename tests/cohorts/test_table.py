"""Tables: rows whose files are not there, images of one study, and what is one case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.core.case import Ref
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError


def pictures(root: Path, *names: str) -> None:
    for k, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(k).integers(0, 255, (9, 8), np.uint8)
        pixels = pixels // 200 if "mask" in name or "fov" in name else pixels
        Picture.fromarray(pixels).save(root / name)


def table(root: Path, head: str, rows: Sequence[str], name: str = "t.csv") -> Path:
    root.mkdir(parents=True, exist_ok=True)
    (root / name).write_text("\n".join([head, *rows]) + "\n")
    return root / name


def read(path: Path, **columns: str) -> Cohort:
    return cohorts.read(path, columns=columns, max_set_aside=1.0)


def places(cohort: Cohort, root: Path) -> dict[str, dict[str, str]]:
    """Each case's images by name, by their place below the folder."""
    return {
        c.id: {n: r.paths[0].relative_to(root).as_posix() for n, r in c.images.items() if isinstance(r, Ref)}
        for c in cohort.cases
    }


def aside(cohort: Cohort) -> dict[str, str]:
    return {s.case: s.reason for s in cohort.set_aside}


def test_a_row_whose_file_is_missing_is_set_aside_and_gets_no_other(tmp_path: Path) -> None:
    names = [f"day{d}/P{k:02d}.png" for d in (1, 2) for k in range(6)]
    pictures(tmp_path, *names)
    (tmp_path / "day2" / "P03.png").unlink()
    path = table(tmp_path, "image,label", [f"{n},{'ab'[k % 2]}" for k, n in enumerate(names)])
    cohort = read(path)
    assert len(cohort.cases) == 11 and len({str(c.images["image"]) for c in cohort.cases}) == 11
    assert aside(cohort) == {
        "day2_P03.png": "no image for 'day2/P03.png'; found 'day1/P03.png', in another folder than the one named"
    }


@pytest.mark.parametrize("column", ["mask", "region"])
@pytest.mark.parametrize("folder", [True, False])
def test_a_mask_or_region_that_is_missing_is_not_the_image(tmp_path: Path, column: str, folder: bool) -> None:
    place = "masks" if column == "mask" else "fov"
    pictures(tmp_path, *(f"images/{k:02d}.png" for k in range(8)))
    pictures(tmp_path, *(f"{place}/{k:02d}.png" for k in range(7)))
    rows = [f"images/{k:02d}.png,{place}/{k:02d}.png,{'ab'[k % 2]}" for k in range(8)]
    if not folder:  # named by paths of another machine
        rows = [
            r.replace("images/", r"C:\study\images" + "\\").replace(f"{place}/", rf"C:\study\{place}" + "\\")
            for r in rows
        ]
    cohort = read(table(tmp_path, f"image,{column},label", rows), **{column: column})
    assert len(cohort.cases) == 7 and list(aside(cohort)) == ["07"]
    assert f"no {column} for" in aside(cohort)["07"] and "images/07.png" in aside(cohort)["07"]
    for case in cohort.cases:
        ref = case.targets["mask"] if column == "mask" else case.region
        assert isinstance(ref, Ref) and ref.paths == (tmp_path / place / f"{case.id}.png",)


def test_an_image_that_is_its_own_mask_is_set_aside(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"images/{k}.png" for k in range(6)), *(f"masks/{k}.png" for k in range(6)))
    rows = [f"images/{k}.png,{'masks' if k else 'images'}/{k}.png" for k in range(6)]
    cohort = read(table(tmp_path, "image,mask", rows))
    assert len(cohort.cases) == 5 and "the mask is the image itself" in aside(cohort)["0"]


def test_two_image_columns_that_lead_to_one_file_are_set_aside(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{s}_{k}.png" for s in ("t1", "t2") for k in range(6)))
    rows = [f"t1_{k}.png,{'t2' if k else 't1'}_{k}.png,{'ab'[k % 2]}" for k in range(6)]
    cohort = read(table(tmp_path, "image_t1,image_t2,label", rows))
    assert aside(cohort).keys() == {"t1_0"} and "'t1' and 't2' are the same file" in aside(cohort)["t1_0"]


def test_paths_of_different_folders_that_would_lead_to_one_file_are_both_set_aside(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"P{k}.png" for k in range(8)))
    rows = [f"/old/day{1 + (k == 8)}/P{k % 8}.png,{'ab'[k % 2]}" for k in range(9)]
    cohort = read(table(tmp_path, "image,label", rows))
    assert len(cohort.cases) == 7 and len(aside(cohort)) == 2
    assert all("would both be " in why for why in aside(cohort).values())


def test_a_bare_name_is_not_sure_where_such_names_are_in_several_folders(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{place}/{k}.png" for place in ("a", "b") for k in range(6)))
    (tmp_path / "a" / "3.png").unlink()
    path = table(tmp_path, "image,label", [f"{k}.png,{'xy'[k % 2]}" for k in range(6)])
    with pytest.raises(DataError, match="no row of t.csv leads to an image"):
        read(path, image="image")
    assert cohorts.read(tmp_path).layout == "folder"


def test_a_folder_that_is_missing_is_not_a_slice_of_that_number(
    tmp_path: Path, write_series: Callable[..., list[Path]]
) -> None:
    for n in range(1, 7):
        for k, path in enumerate(
            write_series(tmp_path / f"{n}", patient=f"A{n}", series=f"1.2.3.{n}", slices=2 + 5 * (n == 4))
        ):
            path.rename(path.with_name(f"{k + 1}.dcm"))
    cohort = read(table(tmp_path, "scan,label", [f"{n},{'ab'[n % 2]}" for n in range(1, 8)]))
    assert len(cohort.cases) == 6 and list(aside(cohort)) == ["7"]
    assert "no image for '7'; found nothing of that name" in aside(cohort)["7"]
    assert {len(c.images["image"].paths) for c in cohort.cases} == {2, 7}  # type: ignore[union-attr]


def test_a_folder_that_is_missing_is_not_a_file_elsewhere(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{n}/scan.png" for n in range(6)), "more/6.png")
    cohort = read(table(tmp_path, "scan,label", [f"{n},{'ab'[n % 2]}" for n in range(7)]))
    assert len(cohort.cases) == 6 and list(aside(cohort)) == ["6"]
    assert "6.png, and the other cells name folders" in aside(cohort)["6"]


def test_patients_whose_ids_are_other_patients_folders_are_not_read(
    tmp_path: Path, write_series: Callable[..., list[Path]]
) -> None:
    for n in range(6):
        write_series(
            tmp_path / str(n), patient=str((n + 1) % 6 if n < 2 else n), series=f"1.2.3.{n}", slices=2
        )
    path = table(tmp_path, "PatientID,label", [f"{n},{'ab'[n % 2]}" for n in range(6)])
    cohort = read(path)
    assert set(aside(cohort)) == {"0", "1"} and len(cohort.cases) == 4
    assert "and the other cells name patients" in aside(cohort)["0"]
    assert "the folder '1' ('1') and the patient or series '1' ('0')" in aside(cohort)["1"]
    for case in cohort.cases:
        assert case.images["image"].paths[0].parent.name == case.id  # type: ignore[union-attr]
    only = table(tmp_path, "PatientID,label", ["1,a", "9,b"], "only.csv")
    with pytest.raises(
        DataError, match="'PatientID' could mean several files: '1' could mean several things"
    ):
        read(only)


def test_a_case_that_lacks_an_image_is_kept_and_set_aside_for_tasks_that_need_it(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{s}_{k}.png" for s in ("t1", "t2") for k in range(6)))
    rows = [f"t1_{k}.png,{f't2_{k}.png' if k else ''},{'ab'[k % 2]}" for k in range(6)]
    cohort = read(table(tmp_path, "image_t1,image_t2,label", rows))
    assert list(cohort["t1_0"].images) == ["t1"] and len(cohort.cases) == 6 and not aside(cohort)
    assert any("1 of 6 cases lacks the image 't2' (t1_0)" in n for n in cohort.notes)
    whole = cohorts.with_complete(cohort)
    assert all(list(c.images) == ["t1", "t2"] for c in whole.cases) and len(whole.cases) == 5
    assert aside(whole) == {"t1_0": "no image 't2', which most cases have"}


# ---- several images of a study


def study(root: Path, rows: Sequence[tuple[str, str]], head: str = "study_id,image,view,label") -> Cohort:
    """A table of (study, rest of the row) whose images are x0.png, x1.png … in the order of rows."""
    pictures(root, *(f"x{k}.png" for k in range(len(rows))))
    return read(table(root, head, [f"{s},x{k}.png,{rest}" for k, (s, rest) in enumerate(rows)]))


def test_views_are_told_apart_by_their_column_in_whatever_order_rows_stand(tmp_path: Path) -> None:
    rows = []
    for k in range(6):
        pair = [(f"s{k}", f"{view},{'ab'[k % 2]}") for view in ("Frontal", "Lateral")]
        rows += pair[:: 1 if k % 2 else -1]
    cohort = study(tmp_path, rows)
    found = places(cohort, tmp_path)
    assert found["s0"] == {"Frontal": "x1.png", "Lateral": "x0.png"}
    assert found["s1"] == {"Frontal": "x2.png", "Lateral": "x3.png"}
    assert all(c.reference == "Frontal" and "view" not in c.covariates for c in cohort.cases)
    assert any("told apart by 'view': Frontal, Lateral" in n for n in cohort.notes)


def test_a_study_that_lacks_a_view_or_has_one_twice_is_set_aside_by_name(tmp_path: Path) -> None:
    rows = [(f"s{k}", f"{v},{'ab'[k % 2]}") for k in range(6) for v in ("Frontal", "lateral")]
    rows += [("s6", "Frontal,a"), ("s7", "Frontal,b"), ("s7", "FRONTAL,b"), ("s8", "Frontal,a"), ("s8", ",a")]
    cohort = study(tmp_path, rows)
    assert set(aside(cohort)) == {"s7", "s8"}
    why = aside(cohorts.with_complete(cohort))
    assert set(why) == {"s6", "s7", "s8"} and why["s6"] == "no image 'lateral', which most cases have"
    assert why["s7"] == "two of its images are both 'Frontal' by 'view': x13.png and x14.png"
    assert why["s8"] == "one of its images, x16.png, has no view in 'view'"


def test_a_view_that_few_studies_have_is_left_out_and_said(tmp_path: Path) -> None:
    rows = [(f"s{k}", f"PA,{'ab'[k % 2]}") for k in range(6)] + [("s0", "LATERAL,a")]
    cohort = study(tmp_path, rows)
    assert {tuple(c.images) for c in cohort.cases} == {("PA",)}
    assert any("'LATERAL' is in 1 of 6 cases only" in n for n in cohort.notes)


@pytest.mark.parametrize("head", ["study_id,image,label", "study_id,image,label,kind"])
def test_images_of_a_study_that_nothing_tells_apart_are_refused(tmp_path: Path, head: str) -> None:
    rows = [(f"s{k}", f"{'ab'[k % 2]}{f',{n}' if 'kind' in head else ''}") for k in range(6) for n in "xy"]
    with pytest.raises(
        DataError, match="rows with the same 'study_id' name several images, and no column"
    ) as caught:
        study(tmp_path, rows, head)
    assert f"--column view={'kind' if 'kind' in head else 'NAME'}" in str(caught.value)
    assert "--column image=image --column id=image for a case an image" in str(caught.value)
    one_each = read(tmp_path / "t.csv", image="image", id="image")
    assert len(one_each.cases) == 12 and {tuple(c.images) for c in one_each.cases} == {("image",)}
    if "kind" in head:
        assert {tuple(c.images) for c in read(tmp_path / "t.csv", view="kind").cases} == {("x", "y")}


def test_studies_without_a_view_in_common_are_refused(tmp_path: Path) -> None:
    views = ["AP", "PA", "LL", "RAO", "LAO"]
    rows = [(f"s{k}", f"{views[(k + n) % 5]},{'ab'[k % 2]}") for k in range(5) for n in range(2)]
    with pytest.raises(DataError, match="no view in common; found 'AP' in 2 of 5"):
        study(tmp_path, rows)


def test_chexpert_takes_the_fewest_columns_that_tell_images_apart(tmp_path: Path) -> None:
    rows = []
    for k in range(6):
        views = [("Frontal", "AP" if k % 3 else "PA"), ("Lateral", "")]
        for n, (view, side) in enumerate(views[:: 1 if k % 2 else -1]):
            name = f"CheXpert-v1.0-small/train/patient{k}/study1/view{n + 1}_{view.lower()}.jpg"
            pictures(tmp_path / "small", name.partition("/")[2])
            rows.append(f"p{k}s1,{name},F,{view},{side},{k % 2}.0")
    path = table(tmp_path / "small", "study,Path,Sex,Frontal/Lateral,AP/PA,Disease", rows)
    cohort = read(path)
    assert len(cohort.cases) == 6 and not aside(cohort)
    for images in places(cohort, tmp_path / "small").values():
        assert images["Frontal"].endswith("frontal.jpg") and images["Lateral"].endswith("lateral.jpg")
    assert cohort.targets["Disease"].kind == "class"


def test_vindr_joins_laterality_and_view_and_neither_contradicts(tmp_path: Path) -> None:
    rows = []
    for k in range(4):
        views = [(side, view) for side in "LR" for view in ("CC", "MLO")]
        for n, (side, view) in enumerate(views[k:] + views[:k]):
            pictures(tmp_path, f"images/s{k}/i{k}{n}.png")
            rows.append(f"s{k},q{k}{n},i{k}{n},{side},{view},{100 + 7 * n},{'ab'[k % 2]}")
    head = "study_id,series_id,image_id,laterality,view_position,width,density_class"
    cohort = read(table(tmp_path, head, rows), label="density_class")
    assert not aside(cohort) and places(cohort, tmp_path)["s1"] == {
        "L CC": "images/s1/i13.png",
        "L MLO": "images/s1/i10.png",
        "R CC": "images/s1/i11.png",
        "R MLO": "images/s1/i12.png",
    }
    assert any(n.startswith("'width' differs between the rows of a case") for n in cohort.notes)


def test_targets_that_contradict_within_a_study_still_do_and_say_how_to_go_on(tmp_path: Path) -> None:
    rows = [(f"s{k}", f"{v},{'ab'[(k + (k == 2 and v == 'L')) % 2]}") for k in range(6) for v in "LR"]
    study(tmp_path, rows, "study_id,image,laterality,birads_class")
    cohort = read(tmp_path / "t.csv", label="birads_class")
    assert aside(cohort) == {
        "s2": "its rows contradict each other in 'birads_class'; found b and a; try: "
        "--column image=image --column id=image for a case an image"
    }


def test_views_are_read_from_the_files_names_where_these_say_them(tmp_path: Path) -> None:
    rows = []
    for k in range(6):
        for n, view in enumerate(("ap", "lat")[:: 1 if k % 2 else -1]):
            pictures(tmp_path, f"{k}_{n}_{view}.png")
            rows.append(f"c{k},{k}_{n}_{view}.png,{'ab'[k % 2]}")
    cohort = read(table(tmp_path, "case,image,label", rows))
    assert places(cohort, tmp_path)["c0"] == {"ap": "0_1_ap.png", "lat": "0_0_lat.png"}
    assert places(cohort, tmp_path)["c1"] == {"ap": "1_0_ap.png", "lat": "1_1_lat.png"}


def test_rows_that_repeat_one_image_are_one_case(tmp_path: Path) -> None:
    """Boxes of the RSNA pneumonia challenge: a row a box, by patient."""
    pictures(tmp_path, *(f"p{k}.png" for k in range(6)))
    rows = [f"p{k},{10 * n + k},{5 * n},{k % 2}" for k in range(6) for n in range(1 + k % 2)]
    cohort = read(table(tmp_path, "patientId,x,y,Target", rows))
    assert [c.id for c in cohort.cases] == [f"p{k}" for k in range(6)] and not aside(cohort)
    assert cohort.targets["Target"].kind == "class" and cohort.case("p3").targets["Target"] == "1"
    assert cohort.patients_known and cohort.case("p3").patient == "p3"
    assert {tuple(c.images) for c in cohort.cases} == {("image",)}


# ---- tables that cannot be used


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (
            "t.csv",
            "id,dx\n7,a\n8,b\n",
            r"t.csv, as none of its columns \(id, dx\) names image files; --column image=",
        ),
        (
            "t.csv",
            "file,dx\nq1.png,a\nq2.png,b\n",
            "t.csv, as none of the files that its 'file' names is here, such as 'q1.png'",
        ),
        ("t.csv", "file,dx\nx0.png,a,b,c\n", "t.csv, as it cannot be read as a table"),
        ("t.csv", "file,dx\n", "t.csv, as it has no rows"),
        ("t.xlsx", "no workbook", "t.xlsx, as it cannot be read as a table"),
        ("deep/t.csv", "file,dx\nx0.png,a\n", "deep/t.csv, as a table is looked for directly in"),
        ("t.xls", "old", "t.xls, as .xls is not read: save it as XLSX or CSV"),
    ],
)
def test_a_table_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, name: str, text: str, words: str
) -> None:
    pictures(tmp_path, *(f"x{k}.png" for k in range(4)))
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(text)
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "plain" and len(cohort.cases) == 4
    with pytest.raises(DataError, match=f"nothing to learn.*not used: {words}"):
        cohorts.select_target(cohort)


def test_a_table_that_class_folders_do_not_need_is_named_too(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{c}/{k}.png" for c in "ab" for k in range(4)))
    table(tmp_path, "patient,age", ["p1,40", "p2,50"])
    cohort = cohorts.read(tmp_path)
    assert cohort.layout == "folder" and any(n.startswith("not used: t.csv") for n in cohort.notes)


def test_a_second_table_that_names_no_images_is_named(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"x{k}.png" for k in range(4)))
    table(tmp_path, "image,label", [f"x{k}.png,{'ab'[k % 2]}" for k in range(4)])
    table(tmp_path, "patient,age", ["p1,40", "p2,50"], "patients.csv")
    assert any("not used: patients.csv" in n for n in cohorts.read(tmp_path).notes)


def test_a_table_that_most_files_are_missing_of_sets_them_aside(tmp_path: Path) -> None:
    pictures(tmp_path, "x0.png")
    cohort = read(table(tmp_path, "image,label", [f"x{k}.png,{'ab'[k % 2]}" for k in range(5)]))
    assert [c.id for c in cohort.cases] == ["x0"] and len(aside(cohort)) == 4


def test_a_semicolon_table_with_decimal_commas_is_a_cohort(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"x{k}.png" for k in range(4)))
    rows = [f"x{k}.png;{'ab'[k % 2]};{k},5;;" for k in range(4)]
    cohort = read(table(tmp_path, "image;label;size;;", rows))
    assert [c.covariates["size"] for c in cohort.cases] == [0.5, 1.5, 2.5, 3.5]
    split = table(tmp_path / "s", "case;split", [f"x{k};{'test' if k else 'train'}" for k in range(4)])
    assert [c.split for c in cohorts.read(tmp_path / "t.csv", split=split).cases] == ["train", *["test"] * 3]


@pytest.mark.parametrize("column", ["StudyInstanceUID", "AccessionNumber", "study_uid", "Exam ID"])
def test_images_of_one_study_are_no_cases_apart_without_a_word(tmp_path: Path, column: str) -> None:
    pictures(tmp_path, *(f"i{k}.png" for k in range(12)))
    path = table(
        tmp_path, f"{column},path,label", [f"1.2.{k // 2},i{k}.png,{'ab'[k // 2 % 2]}" for k in range(12)]
    )
    with pytest.raises(DataError, match="name several images, and no column says which view each is"):
        read(path)
    apart = read(path, image="path", id="path")
    assert [c.patient for c in apart.cases] == [f"1.2.{k // 2}" for k in range(12)], (
        "a study stays on one side"
    )


def test_a_trial_called_study_is_no_patient(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"i{k}.png" for k in range(24)))
    path = table(
        tmp_path, "case,study,path,label", [f"c{k},T{k % 2},i{k}.png,{'ab'[k // 2 % 2]}" for k in range(24)]
    )
    assert {c.patient for c in read(path).cases} == {None}


@pytest.mark.parametrize(
    ("word", "code"), [("MR", "MR"), ("MRI", "MR"), ("T1w", "MR"), ("ct", "CT"), ("day 1", None)]
)
def test_a_column_of_modalities_declares_them(tmp_path: Path, word: str, code: str | None) -> None:
    pictures(tmp_path, *(f"i{k}.png" for k in range(6)))
    path = table(tmp_path, "path,label,Modality", [f"i{k}.png,{'ab'[k % 2]},{word}" for k in range(6)])
    assert {c.declared for c in read(path).cases} == {(code,) if code else ()}


@pytest.mark.parametrize("word", ["#N/A", "<NA>", "NaT"])
def test_what_programs_write_for_nothing_is_no_class(tmp_path: Path, word: str) -> None:
    pictures(tmp_path, *(f"i{k}.png" for k in range(9)))
    path = table(tmp_path, "path,label", [f"i{k}.png,{('a', 'b', word)[k % 3]}" for k in range(9)])
    assert [c.targets.get("label") for c in read(path).cases] == ["a", "b", None] * 3


def test_a_pattern_is_for_patients_alone(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{c}/i{k}.png" for c in "ab" for k in range(4)))
    with pytest.raises(DataError, match="patterns are for --column patient only; 'id' needs"):
        cohorts.read(tmp_path, columns={"id": r"re:i(\\d+)"})


def test_a_table_called_txt_is_named_where_it_is_not_read(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"i{k}.png" for k in range(4)))
    (tmp_path / "README.txt").write_text("Pictures of cells.\nTaken in May, and in June, by two people.\n")
    table(tmp_path, "file,label", [f"i{k}.png,{'ab'[k % 2]}" for k in range(4)], "labels.txt")
    unused = [note for note in read(tmp_path).notes if note.startswith("not used")]
    assert unused == ["not used: labels.txt, as .txt is not read: save it as XLSX or CSV"]
