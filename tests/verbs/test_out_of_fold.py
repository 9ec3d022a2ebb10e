"""Out of fold: each row is what the one member that never saw the case says of it; the figures are of these rows."""

from __future__ import annotations

import csv
import html
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vesalius as vs
from vesalius import cohorts, metrics
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import DataError
from vesalius.core.scorecard import Scorecard
from vesalius.metrics import scores as judge

PICTURES = {
    "net.scale": 0.125, "train.threads": 1, "train.steps": 12, "train.batch": 4, "train.validations": 1,
    "data.size": [1, 32, 32],
}  # fmt: skip
VOLUMES = PICTURES | {"train.steps": 3, "train.batch": 1, "data.size": [16, 32, 32]}


def test_each_case_is_answered_by_the_member_that_never_saw_it(pictures: Any, tmp_path: Path) -> None:
    run = vs.fit(pictures.data, tmp_path / "run", folds=3, settings=PICTURES, seed=3)
    found, folds = run.out_of_fold(), cohorts.load_assignment(tmp_path / "run" / "folds.json")
    assert run.bundle is not None and len(run.bundle.stages[0].members) == 3
    assert sorted(r["case"] for r in found.rows) == sorted(i for f in folds.folds for i in f)
    cases = {c.id: c for c in vs.read(pictures.data).cases}
    modules = [run.bundle.torch(member=k, calibrated=True) for k in range(3)]
    names = [x["name"] for x in run.bundle.stages[0].state.values["labels"]]
    p = np.zeros((len(found), len(names)))
    for n, row in enumerate(found.rows):
        assert row["case"] in folds.folds[int(row["fold"])] and row["patient"] == cases[row["case"]].patient
        with torch.inference_mode():
            said = modules[int(row["fold"])](run.bundle.prepare(replace(cases[row["case"]], targets={})))[0]
        p[n] = [float(row[f"p_{name}"]) for name in names]
        assert np.allclose(p[n], said.numpy(), atol=2e-3), "cases in a batch differ in rounding"
        assert row["truth"] == cases[row["case"]].targets["class"]
        assert float(row["score"]) == pytest.approx(p[n][names.index(row["truth"])], abs=1e-5)
    y = np.array([names.index(r["truth"]) for r in found.rows])
    rows = judge.from_arrays(p, y, labels=names)
    auc = judge.summary(rows, np.arange(len(y)))["auc"]
    card = found.scorecard
    assert card.metrics["auc"].value == pytest.approx(auc, abs=1e-4)
    assert (card.split, card.n_cases, card.patients_known) == ("out of fold", len(found), True)
    assert "the one member that never saw it" in card.banners[0].text
    assert "fitted on these very answers" in card.banners[0].text
    table = found.to_polars()
    assert table.height == len(found) and table["fold"].max() == 2
    assert metrics.judges(card.answer)


def test_masks_are_answered_out_of_fold_where_folds_are_asked_for(volumes: Any, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no answers out of fold.*--folds N"):
        volumes.run.out_of_fold()
    run = vs.fit(volumes.data, tmp_path / "run", target="mask", folds=2, settings=VOLUMES, seed=4)
    found, folds = run.out_of_fold(), cohorts.load_assignment(tmp_path / "run" / "folds.json")
    assert {r["case"] for r in found.rows} == {i for f in folds.folds for i in f}
    row = found.rows[0]
    assert run.bundle is not None
    stage = run.bundle.stages[0]
    alone = replace(stage, members=(stage.members[int(row["fold"])],))
    one = replace(run.bundle, stages=(alone,))
    cohort = vs.read(volumes.data, target="mask")
    card = vs.evaluate(one, replace(cohort, cases=(cohort.case(row["case"]),)), split="train")
    assert float(row["dice/liver"]) == pytest.approx(card.metrics["dice/liver"].value, abs=1e-5)
    assert found.scorecard.answer == "Mask" and "Temperature" not in found.scorecard.banners[0].text
    told = json.loads((tmp_path / "run" / "run.json").read_text())
    assert told["folds"] == 2
    assert "out_of_fold" not in " ".join(p.name for p in (tmp_path / "run" / "bundle").iterdir())


def test_a_run_that_is_resumed_after_training_still_writes_them(pictures: Any, tmp_path: Path) -> None:
    vs.fit(pictures.data, tmp_path / "run", folds=2, settings=PICTURES, seed=3)
    before = (tmp_path / "run" / "out_of_fold.csv").read_text()
    for name in ("out_of_fold.csv", "out_of_fold.json", "scorecard.json"):
        (tmp_path / "run" / name).unlink()
    again = vs.fit(pictures.data, tmp_path / "run", resume=True)
    assert (tmp_path / "run" / "out_of_fold.csv").read_text() == before
    with (tmp_path / "run" / "out_of_fold.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(again.out_of_fold())
    assert open_bundle(tmp_path / "run").hash


def test_names_of_cases_stay_text_and_the_short_text_is_short(tmp_path: Path) -> None:
    rows = tuple({"case": f"{k:03}", "patient": f"0{k}", "fold": "0", "score": "0.5"} for k in range(200))
    card = Scorecard("Scores", "out of fold", 200, 200, True, "", "", {})
    found = vs.OutOfFold(rows, card)
    table = found.to_polars()
    assert table["case"].to_list()[:2] == ["000", "001"] and table["patient"][7] == "07"
    assert table["score"].dtype.is_float() and len(repr(found)) < 300 and "<" in found._repr_html_()
    shown = found.show(tmp_path / "a.html")
    assert shown is not None and "split 'out of fold'" in html.unescape(shown.read_text())
