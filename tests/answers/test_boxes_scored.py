"""Another tool's boxes against the truth, from a table and from COCO's JSON, through the front door."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from _cells import LABELS, smears

import vesalius as vs
from vesalius.answers.foreign.boxes import box_answers
from vesalius.core.answers.boxes import Boxes
from vesalius.core.case import Case
from vesalius.core.cohort import Cohort, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.scorecard import load_scorecard
from vesalius.metrics import boxes as judge
from vesalius.run.ledger import Sheet
from vesalius.run.predictions import Predictions


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
    said = (tmp_path / "out" / "report.html").read_text()
    assert "Precision and recall" in said and "no threshold is known" in said and "were fixed" not in said


def test_a_box_beyond_its_image_is_named(made: list[tuple[Case, Boxes]], tmp_path: Path) -> None:
    row = {"image_id": made[0][0].id, "category_id": "red_cell", "bbox": [900, 10, 20, 20], "score": 0.5}
    (tmp_path / "results.json").write_text(json.dumps([row]))
    with pytest.raises(DataError, match="outside of an image of 1, 160, 160"):
        vs.evaluate(tmp_path / "results.json", cohort(made, tmp_path), split="all", progress=False)


def test_boxes_that_predict_writes_are_a_table_that_evaluate_reads(
    made: list[tuple[Case, Boxes]], tmp_path: Path
) -> None:
    none = replace(made[3][1], boxes=(), p=np.zeros(0))
    answers = {case.id: answer for case, answer in made[:-1]} | {made[3][0].id: none}
    folder = Predictions(tuple(answers), answers=answers).save(tmp_path / "answers")
    lines = (folder / "boxes.csv").read_text().splitlines()
    assert lines[0] == "case,label,z0,y0,x0,z1,y1,x1,p,called"
    assert f"{made[3][0].id},,,,,,,,," in lines  # nothing was found, which is an answer
    assert sum(line.endswith(",1") for line in lines) == sum(len(a.called) for a in answers.values())
    found = box_answers(folder, [case for case, _ in made], cohort(made, tmp_path).targets["cells"])
    assert set(found) == set(answers)  # the last was not answered
    for case, answer in answers.items():
        again = cast(Boxes, found[case])
        assert {again.boxes[k] for k in again.called} == {answer.boxes[k] for k in answer.called}
        assert sorted(again.p) == sorted(answer.p) and set(again.boxes) == set(answer.boxes)
    (folder / "boxes.csv").write_text("\n".join([lines[0], "smear000,red_cell,0,1,1,1,2,2,.5,1",
                                                 "smear000,red_cell,0,5,5,1,9,9,.7,0"]))  # fmt: skip
    with pytest.raises(DataError, match="less sure than others"):
        box_answers(folder, [case for case, _ in made], cohort(made, tmp_path).targets["cells"])


def test_what_a_crash_left_of_a_case_is_not_listed_twice(tmp_path: Path) -> None:
    about = {"bundle": "b"}
    sheet = Sheet.new(tmp_path / "out", about)
    for case in ("a", "b"):
        sheet.enlist("boxes.csv", [{"case": case, "p": k} for k in range(3)])
        if case == "a":
            sheet.answers.add({"case": "a", "boxes": 3})  # then, before the row of b, the power fails
    again = Sheet.again(tmp_path / "out", about)
    again.enlist("boxes.csv", [{"case": "b", "p": 7}])
    again.answers.add({"case": "b", "boxes": 1})
    again.close()
    text = (tmp_path / "out" / "boxes.csv").read_text()
    assert text == "case,p\na,0\na,1\na,2\nb,7\n"
    assert not list((tmp_path / "out").glob("*.partial.csv"))
