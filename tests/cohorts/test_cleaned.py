"""A cleaned cohort: what was changed is changed, test cases never, and nothing is read where the data moved on."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.cohorts import Change, Source
from vesalius.core.errors import DataError, FormatError, UnknownName


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight pictures in class folders, which no table names."""
    rng = np.random.default_rng(0)
    for k in range(8):
        place = tmp_path / "data" / ("cat" if k % 2 else "dog") / f"p{k}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(rng.integers(0, 255, (16, 16), dtype=np.uint8)).save(place)
    return tmp_path / "data"


def _ids(data: Path) -> list[str]:
    return [c.id for c in cohorts.read(data).cases]


def _saved(data: Path, out: Path, *changes: Change, held: int = 2) -> Path:
    cohort = cohorts.read(data)
    ids = [c.id for c in cohort.cases]
    tested = tuple(ids[-held:])
    splits = {i: "test" if i in tested else "train" for i in ids}
    out.mkdir(exist_ok=True)
    cohorts.save_cleaned(out, Source(data, held=tested, splits=splits), cohort, changes)  # type: ignore[arg-type]
    return out


def test_changes_are_applied_to_data_that_stay_as_they_are(data: Path, tmp_path: Path) -> None:
    ids = _ids(data)
    before = cohorts.check(cohorts.read(data))
    out = _saved(
        data,
        tmp_path / "out",
        Change(ids[0], "drop", "a reason, with a comma"),
        Change(ids[1], "merge", "the same picture", same_as=ids[2]),
        Change(ids[3], "relabel", "no cat", target="class", was="cat", becomes="dog"),
    )
    for place in (out, out / "cohort.csv"):
        found = cohorts.read(place)
        assert found.layout == "cleaned"
        assert [c.id for c in found.cases] == ids[2:]
        assert {c.id: c.split for c in found.cases} == dict(
            zip(ids[2:], ["train"] * 4 + ["test"] * 2, strict=True)
        )
        assert found.case(ids[3]).targets["class"] == "dog" and before.case(ids[3]).targets["class"] == "cat"
        assert any("1 dropped, 1 merged, 1 relabelled" in note for note in found.notes)
    assert cohorts.assign(found, target=found.targets["class"]).test == tuple(ids[-2:])
    assert cohorts.load_changes(out)[0].reason == "a reason, with a comma"
    again = cohorts.check(cohorts.read(data))
    assert again.hash == before.hash != cohorts.check(found).hash
    rows = list(csv.DictReader((out / "cohort.csv").open()))
    assert [r["case"] for r in rows] == ids[2:] and rows[1]["class"] == "dog"
    assert all(Path(r["image"]).is_file() for r in rows), "the table can be used by others"


def test_a_folder_without_changes_holds_the_same_data_with_its_split(data: Path, tmp_path: Path) -> None:
    found = cohorts.check(cohorts.read(_saved(data, tmp_path / "out")))
    whole = cohorts.check(cohorts.read(data))
    assert found.hash == whole.hash and any("nothing changed" in n for n in found.notes)


def test_a_test_case_is_never_changed(data: Path, tmp_path: Path) -> None:
    tested = _ids(data)[-1]
    for change in (
        Change(tested, "drop", "blurred"),
        Change(tested, "relabel", "wrong", target="class", was="dog", becomes="cat"),
    ):
        with pytest.raises(DataError, match=f"'{tested}' is one that is tested on, and is not changed"):
            _saved(data, tmp_path / "out", change)
    assert not list((tmp_path / "out").iterdir()), "nothing is half written"
    ids = _ids(data)
    out = _saved(data, tmp_path / "out", Change(ids[0], "drop", "x"))
    text = (out / "changes.csv").read_text()
    (out / "changes.csv").write_text(text.replace(ids[0], tested))
    with pytest.raises(DataError, match="is not changed"):
        cohorts.read(out)


def test_a_split_that_was_taken_away_does_not_come_back(data: Path) -> None:
    cohort = cohorts.read(data)
    cohort = replace(cohort, cases=tuple(replace(c, split="train") for c in cohort.cases))
    first, second = (c.id for c in cohort.cases[:2])
    told = cohorts.with_changes(cohort, (), Source(data, splits={first: "test"}))
    assert (told.case(first).split, told.case(second).split) == ("test", None)
    assert cohorts.with_changes(cohort, (), Source(data)).case(second).split == "train"


def test_no_split_file_has_relabelled_cases_tested_on(data: Path, tmp_path: Path) -> None:
    ids, split = _ids(data), tmp_path / "split.csv"
    label = str(cohorts.read(data).case(ids[0]).targets["class"])
    other = "dog" if label == "cat" else "cat"
    relabelled = _saved(
        data, tmp_path / "a", Change(ids[0], "relabel", "x", target="class", was=label, becomes=other)
    )
    dropped = _saved(data, tmp_path / "b", Change(ids[1], "drop", "x"))
    for tested, refused in ((ids[0], True), (ids[-1], False)):
        split.write_text(
            "case,split\n" + "".join(f"{i},{'test' if i == tested else 'train'}\n" for i in ids[2:] + ids[:1])
        )
        assert cohorts.read(dropped, split=split).case(tested).split == "test"
        if refused:
            with pytest.raises(
                DataError, match=f"keeps the split .*'{tested}' tested on; try: vesalius clean"
            ):
                cohorts.read(relabelled, split=split)
        else:
            assert cohorts.read(relabelled, split=split).case(tested).split == "test"


def test_what_cannot_be_meant_is_refused(data: Path, tmp_path: Path) -> None:
    a, b, c = _ids(data)[:3]
    label = cohorts.read(data).case(a).targets["class"]
    other = "dog" if label == "cat" else "cat"
    wrong = Change(a, "relabel", "", target="class", was=str(label), becomes="horse")
    for changes, error, words in (
        ([replace(wrong)], UnknownName, "horse"),
        ([replace(wrong, becomes=other, was="horse")], DataError, "is not what it was"),
        ([replace(wrong, target="colour")], UnknownName, "colour"),
        ([Change("nobody", "drop", "")], UnknownName, "nobody"),
        ([Change(a, "burn", "")], UnknownName, "burn"),
        ([Change(a, "drop", ""), replace(wrong, becomes=other)], DataError, "changed twice"),
        ([Change(a, "merge", "", same_as=b), Change(b, "drop", "")], DataError, "dropped itself"),
        ([Change(a, "merge", "", same_as="nobody")], UnknownName, "nobody"),
    ):
        with pytest.raises(error, match=words):
            _saved(data, tmp_path / "out", *changes)
    _saved(data, tmp_path / "out", Change(a, "merge", "", same_as=b), Change(c, "drop", ""))


def test_data_that_moved_on_are_not_read_as_cleaned(data: Path, tmp_path: Path) -> None:
    ids = _ids(data)
    out = _saved(data, tmp_path / "out", Change(ids[0], "relabel", "", "class", "cat", "dog"))
    picture = next(data.rglob("p4.png"))
    moved = picture.rename(tmp_path / "p4.png")
    with pytest.raises(DataError, match="other cases than when it was cleaned; found 1 case is gone"):
        cohorts.read(out)
    moved.rename(picture)
    assert len(cohorts.read(out)) == 8
    data.rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match="not at .* any more"):
        cohorts.read(out)
    (out / "cleaned.json").write_text("{}")
    with pytest.raises(FormatError, match="damaged"):
        cohorts.read(out)
