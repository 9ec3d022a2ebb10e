"""The kind of target `boxes` in cohorts made in Python: checked, spread, summed up, and known again by labels."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from vesalius import cohorts
from vesalius.cli import _inspection
from vesalius.cohorts.targets import contract
from vesalius.core.case import Box, Case
from vesalius.core.cohort import Cohort, Label, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.reliability.inspect import inspect, to_json

KIND = contract.of("boxes")
CELL, SPECK = Box((0, 5, 10), (1, 25, 30), "cell"), Box((0, 1, 1), (1, 3, 5), "speck")
INFO = TargetInfo("boxes", "boxes", (Label(1, "cell"), Label(2, "speck")))


def cohort(*values: tuple[Box, ...]) -> Cohort:
    rng = np.random.default_rng(0)
    pixels = [Image(rng.integers(0, 255, (1, 1, 40, 60)).astype(np.uint8)) for _ in values]
    cases = [
        Case(f"c{k}", {"image": p}, targets={"boxes": v})
        for k, (p, v) in enumerate(zip(pixels, values, strict=True))
    ]
    return Cohort(Path("x"), "made", tuple(cases), {"boxes": INFO})


@pytest.mark.parametrize(
    ("box", "why"),
    [
        (Box((0, 5, 10), (1, 5, 30), "cell"), "box 2, cell, z, y, x 0, 5, 10 to 1, 5, 30, without an extent"),
        (Box((0, 5, 10), (1, float("nan"), 30), "cell"), "with a coordinate that is no finite number"),
        (Box((0, 5, 60), (1, 9, 70), "cell"), "outside of its image of (z, y, x) (1, 40, 60)"),
        (Box((2, 5, 10), (3, 9, 20), "cell"), "outside of its image"),
    ],
)
def test_a_case_with_a_box_that_cannot_be_is_set_aside_by_name(box: Box, why: str) -> None:
    checked = cohorts.check(cohort((CELL, box), (CELL,), ()), max_set_aside=1.0)
    (aside,) = checked.set_aside
    assert (
        aside.case == "c0" and aside.reason.startswith("the boxes hold box 2, cell") and why in aside.reason
    )
    assert [c.id for c in checked] == ["c1", "c2"]


def test_a_rare_label_is_spread_and_does_not_make_fewer_folds() -> None:
    many = cohort(*[(CELL,)] * 20, (CELL, SPECK), (SPECK,), ())
    split = cohorts.assign(many, target="boxes", folds=5, test_fraction=0.0)
    assert len(split.folds) == 5
    holders = [k for k, fold in enumerate(split.folds) if {"c20", "c21"} & set(fold)]
    assert len(holders) == 2, "each in another fold"


def test_boxes_that_nothing_has_are_nothing_to_learn() -> None:
    with pytest.raises(DataError, match="nothing to learn from 'boxes'; found no box in any of 2 cases"):
        cohorts.check(cohort((), ()))
    scored = cohorts.check(cohort((), ()), target="boxes", to_learn=False)
    assert len(scored.cases) == 2, "what is found where nothing is can be counted"


def test_inspect_counts_boxes_and_their_sizes() -> None:
    wide = Box((0, 0, 0), (1, 10, 40), "cell")
    found = inspect(cohort((CELL, wide, SPECK), (CELL,), ()))
    (target,) = found.summary.targets
    assert [(x.name, x.cases, x.things) for x in target.labels] == [("cell", 2, 3), ("speck", 1, 1)]
    assert dict(target.told) == {
        "boxes": "4 in 3 images, 1 of them without any",
        "boxes an image": "0–1–3",
        "size of cell, x y": "20–20–40 × 10–20–20 pixels",
        "size of speck, x y": "4 × 2 pixels",
    }
    assert '"things": 3' in to_json(found)
    page = Console(width=100, record=True, file=StringIO())
    page.print(_inspection.label_table(target))
    assert "boxes" in page.export_text()


def test_pictures_show_the_outlines_of_boxes_in_the_plane_of_most() -> None:
    found = inspect(cohort((CELL, SPECK), ()))
    values = found.thumbs[0].small.values
    assert values is not None and values.shape == (64, 96), "60 × 40 is enlarged to 96"
    assert values[8, 16] == values[39, 47] == 1 and values[20, 30] == 0, (
        "the frame of the cell, and not its inside"
    )
    assert set(np.unique(values)) == {0, 1, 2} and found.thumbs[1].small.values is None
    volume = Image(np.random.default_rng(0).normal(size=(1, 9, 40, 60)).astype(np.float32))
    deep = Case("deep", {"image": volume}, targets={"boxes": (Box((6, 5, 10), (8, 25, 30), "cell"),)})
    (thumb,) = inspect(Cohort(Path("x"), "made", (deep,), {"boxes": INFO})).thumbs
    assert thumb.small.values is not None and (thumb.small.values == 1).any()


def test_a_bundles_labels_are_known_again_however_they_are_spelled() -> None:
    data = cohort((CELL, SPECK), (SPECK,))
    learned = (Label(1, "Cell"), Label(5, "SPECK"))
    KIND.assert_learned(INFO, ["Cell", "SPECK", "more"])
    after = KIND.aligned(data, "boxes", learned)
    assert [b.label for b in after.cases[0].targets["boxes"]] == ["Cell", "SPECK"]  # type: ignore[union-attr]
    assert [x.name for x in after.targets["boxes"].labels] == ["Cell", "SPECK"]
    with pytest.raises(DataError, match="did not learn boxes of 'speck'.*--labels 'speck=NAME'"):
        KIND.assert_learned(INFO, ["cell"])


def test_cases_are_chosen_by_the_labels_of_their_boxes() -> None:
    data = cohort((CELL,), (CELL, SPECK), ())
    assert [c.id for c in data.where(label="speck")] == ["c1"]
    assert data.where(label="speck").targets["boxes"].labels == INFO.labels


def test_a_crowd_changes_the_hash_and_a_box_of_before_keeps_it() -> None:
    from dataclasses import replace

    from vesalius.cohorts._hashing import _fields, case_digest

    case = cohort((CELL,)).cases[0]
    other = replace(case, targets={"boxes": (replace(CELL, crowd=True),)})
    assert case_digest(case, {}) != case_digest(other, {})
    assert _fields(CELL) == {"low": (0, 5, 10), "high": (1, 25, 30), "label": "cell"}
