"""Columns that enter a case only where a person names them: other texts, groups and prompts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.core.case import Prompt
from vesalius.core.errors import DataError

CLICK = {"kind": "click", "points": [[0, 3, 4]], "label": "cyst", "inside": False}
BOX = {"kind": "box", "points": [[0, 1, 1], [1, 5.5, 6]]}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = ["image\tclass\tsite\thistory\tshown"]
    shown = [json.dumps([CLICK, BOX]), "", json.dumps(CLICK), "[1]"]
    for k in range(4):
        Picture.fromarray(rng.integers(0, 255, (8, 8), dtype=np.uint8)).save(tmp_path / f"{k}.png")
        rows.append(
            f"{k}.png\t{'ab'[k % 2]}\t{'north' if k < 2 else 'south'}\tcough for {k} days\t{shown[k]}"
        )
    (tmp_path / "cohort.tsv").write_text("\n".join(rows), encoding="utf-8")
    return tmp_path / "cohort.tsv"


def test_they_are_part_of_the_case_where_they_are_named(table: Path) -> None:
    told = {"group": "site", "text": "history", "prompts": "shown"}
    cohort = cohorts.read(table, columns=told, max_set_aside=1.0)
    one, two, three = cohort.cases
    assert one.prompts == (
        Prompt("click", ((0, 3, 4),), "cyst", inside=False),
        Prompt("box", ((0, 1, 1), (1, 5.5, 6))),
    )
    assert two.prompts == () and len(three.prompts) == 1
    assert (one.group, three.group) == ("north", "south")
    assert one.texts == {"history": "cough for 0 days"}
    assert not {"site", "history", "shown"} & set(one.covariates)
    (aside,) = cohort.set_aside
    assert aside.case == "3" and "no list of prompts" in aside.reason and "click" in aside.reason


def test_without_being_named_they_are_not(table: Path) -> None:
    one = cohorts.read(table).cases[0]
    assert not one.prompts and not one.texts and one.group is None


def test_a_table_without_images_is_read_where_a_person_says_so(tmp_path: Path) -> None:
    path = tmp_path / "patients.csv"
    path.write_text("id,age,ill\n" + "".join(f"p{k},{40 + k},{'ny'[k % 2]}\n" for k in range(6)))
    with pytest.raises(
        DataError, match="no column of patients.csv names image files.*image= where there are no"
    ):
        cohorts.read(path)
    cohort = cohorts.read(path, columns={"image": "", "label": "ill", "covariate": "age"})
    first = cohort.cases[0]
    assert (first.id, first.images, first.reference, first.image) == ("p0", {}, None, None)
    assert first.covariates == {"age": 40.0} and first.targets == {"ill": "n"} and len(cohort.cases) == 6
    checked = cohorts.check(cohort, target="ill")
    assert len(checked.cases) == 6 and checked.hash
