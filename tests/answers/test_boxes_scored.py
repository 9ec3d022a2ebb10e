"""Another tool's boxes against the truth, from a table and from COCO's JSON, through the front door."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from _cells import LABELS, smears

import vesalius as vs
from vesalius.core.answers.boxes import Boxes
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.scorecard import load_scorecard
from vesalius.metrics import boxes as judge


@pytest.fixture(scope="module")
def made() -> list[tuple[Case, Boxes]]:
    return smears(10, seed=5)


def cohort(made: list[tuple[Case, Boxes]], folder: Path) -> Cohort:
    cases = tuple(case for case, _ in made)
    return Cohort(
        folder, "smears", cases, {"cells": TargetInfo("cells", "boxes", LABELS)}, patients_known=True
    )


def test_a_table_of_boxes_is_scored_as_the_answers_that_it_holds(
    made: list[tuple[Case, Boxes]], tmp_path: Path
) -> None:
    with (tmp_path / "boxes.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["case", "label", "y0", "x0", "y1", "x1", "p"])
        for case, answer in made:
            for box, p in zip(answer.boxes, answer.p, strict=True):
                table.writerow([case.id, box.label, *box.low[1:], *box.high[1:], p])
    card = vs.evaluate(
        tmp_path / "boxes.csv", cohort(made, tmp_path), tmp_path / "out", split="all", progress=False
    )
    rows = judge.rows([a for _, a in made], [c.targets["cells"] for c, _ in made])  # type: ignore[arg-type]
    wanted = judge.summary(rows, np.arange(len(rows)))
    for name in (
        "ap",
        "ap50",
        "ap50/red_cell",
        "froc",
        "sensitivity_at_1",
    ):  # of all candidates: no threshold
        assert card.metrics[name].value == pytest.approx(wanted[name]), name
    assert load_scorecard(tmp_path / "out" / "scorecard.json").metrics == card.metrics
    assert "Precision and recall" in (tmp_path / "out" / "report.html").read_text()


def test_a_box_beyond_its_image_is_named(made: list[tuple[Case, Boxes]], tmp_path: Path) -> None:
    row = {"image_id": made[0][0].id, "category_id": "red_cell", "bbox": [900, 10, 20, 20], "score": 0.5}
    (tmp_path / "results.json").write_text(json.dumps([row]))
    with pytest.raises(DataError, match="outside of an image of 1, 160, 160"):
        vs.evaluate(tmp_path / "results.json", cohort(made, tmp_path), split="all", progress=False)
