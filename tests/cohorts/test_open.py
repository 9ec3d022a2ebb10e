"""Data are opened alike, be they a path or a Cohort: what a split says is heeded of both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

import vesalius as vs
from vesalius import cohorts
from vesalius.core.errors import DataError, UnknownName


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve pictures of two classes, and beside them a split that puts every third into the test set."""
    for k in range(12):
        place = tmp_path / "pictures.v2" / "ab"[k % 2]
        place.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(k).integers(0, 255, (32, 32), dtype=np.uint8)
        Picture.fromarray(pixels).save(place / f"p{k}.png")
    lines = [f"p{k},{'test' if k % 3 == 0 else 'train'}" for k in range(12)]
    (tmp_path / "split.csv").write_text("\n".join(["case,split", *lines]) + "\n")
    return tmp_path / "pictures.v2"


def test_a_path_is_read_and_a_cohort_is_taken_as_it_is(folder: Path) -> None:
    cohort = vs.read(folder)
    assert cohorts.open_cohort(cohort) is cohort and cohorts.open_cohort(folder) == cohort
    assert cohorts.name_of(cohort) == cohort.root.name and cohorts.name_of(folder) == "pictures"
    with pytest.raises(DataError, match="labels cannot be renamed in a cohort that was already read"):
        cohorts.open_cohort(cohort, labels={"a": "b"})


def test_a_split_is_heeded_of_both(folder: Path) -> None:
    split = folder.parent / "split.csv"
    for data in (folder, vs.read(folder)):
        cohort = cohorts.open_cohort(data, split=split)
        assert sum(c.split == "test" for c in cohort.cases) == 4
    split.write_text("case,split\nnobody,test\n")
    with pytest.raises(UnknownName, match="nobody"):
        cohorts.open_cohort(vs.read(folder), split=split)


def test_inspect_heeds_the_split_of_a_cohort_as_of_a_path(folder: Path) -> None:
    split = folder.parent / "split.csv"
    read, given = vs.inspect(folder, split=split), vs.inspect(vs.read(folder), split=split)
    assert given.summary.splits == read.summary.splits and given.summary.splits["test"] == 4
    assert vs.inspect(vs.read(folder)).summary.splits.get("test", 0) == 0
    copy = (folder / "a" / "p0.png").read_bytes()
    (folder / "a" / "p2.png").write_bytes(copy)  # in the test set and in training
    leaks = [f for f in vs.inspect(vs.read(folder), split=split).findings if "leak" in f.kind]
    assert leaks and "p2" in leaks[0].cases
