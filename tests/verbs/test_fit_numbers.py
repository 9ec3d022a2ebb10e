"""regress through the front door: it learns a number from images and from covariates, and no unit or doubt is lost."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius import formats
from vesalius.core.answers.value import Value
from vesalius.core.bundle import open_bundle
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError, Interrupted
from vesalius.core.image import Image
from vesalius.learn.stepper import Stepper
from vesalius.verbs.phantom import phantom

SMALL = {
    "net.scale": 0.125, "train.threads": 1, "train.members": 1, "train.batch": 16, "train.validations": 1,
    "data.size": [1, 32, 32], "train.ema": 0.9, "net.dropout": 0.0,
}  # fmt: skip


def pictures(folder: Path, rows: list[dict[str, Any]], brightness: Callable[[dict[str, Any]], float]) -> Path:
    """Noisy pictures as bright as told, and the table of their rows."""
    folder.mkdir()
    for k, row in enumerate(rows):
        rng = np.random.default_rng(k)
        pixels = np.clip(rng.normal(brightness(row), 12, (1, 1, 32, 32)), 0, 255).astype(np.uint8)
        formats.write(Image(array=pixels), folder / f"p{k}.png")
        row["image"] = f"p{k}.png"
    with (folder / "table.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / "table.csv"


def numbers(n: int, seed: int = 0) -> list[float]:
    return [round(float(x), 2) for x in np.random.default_rng(seed).uniform(30, 90, n)]


@pytest.fixture(scope="module")
def bright(quick: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, vs.Run]:
    """Pictures whose number is how bright they are, and a run that learned it."""
    root = tmp_path_factory.mktemp("bright")
    rows = [{"volume_ml": x} for x in numbers(60)]
    table = pictures(root / "data", rows, lambda row: 2.5 * row["volume_ml"])
    return table, vs.fit(table, root / "run", target="volume_ml", settings=SMALL | {"train.steps": 60})


def test_a_number_that_the_image_shows_is_learned(bright: tuple[Path, vs.Run]) -> None:
    run = bright[1]
    assert run.scorecard is not None
    assert (run.plan.task.name, run.plan.loss.name) == ("regress", "smooth_l1")
    assert "--task NAME" in run.plan.reasons["task.name"]
    card = run.scorecard
    assert card.split == "test" and card.unit == "ml"
    assert (card.metrics["r2"].value or 0) > 0.5 and (card.metrics["pearson"].value or 0) > 0.7
    assert set(card.baseline) == set(card.metrics) and card.baseline_is == "the training mean"
    assert abs(card.baseline["mae"].value or 0) > (card.metrics["mae"].value or 99)


def test_mean_and_deviation_are_those_of_training_cases_alone(bright: tuple[Path, vs.Run]) -> None:
    table, run = bright
    assert run.path is not None and run.bundle is not None
    folds = json.loads((run.path / "folds.json").read_text())
    test = set(folds["test"])
    known = {Path(r["image"]).stem: float(r["volume_ml"]) for r in csv.DictReader(table.open())}
    held = np.array([v for k, v in known.items() if k not in test])
    state = run.bundle.stages[0].state.values
    assert test and state["n"] == len(held) < len(known)
    assert state["mean"] == pytest.approx(held.mean()) and state["sd"] == pytest.approx(held.std())


def test_report_and_card_have_the_unit_the_baseline_and_the_scatter(bright: tuple[Path, vs.Run]) -> None:
    assert bright[1].path is not None
    report = (bright[1].path / "report.html").read_text(encoding="utf-8")
    for said in (
        "Answer against truth",
        "On the diagonal the answer is right",
        "the training mean",
        "Pearson r",
        "ml",
    ):
        assert said in report


def test_the_unit_reaches_tables_json_and_the_structured_report(
    bright: tuple[Path, vs.Run], tmp_path: Path
) -> None:
    table, run = bright
    assert run.bundle is not None
    vs.predict(run.bundle, table, tmp_path / "out", json=True)
    rows = list(csv.DictReader((tmp_path / "out" / "answers.csv").open()))
    assert len(rows) == 60 and {r["unit"] for r in rows} == {"ml"}
    back = formats.read_answer(tmp_path / "out" / "p0.json")
    assert isinstance(back, Value) and (back.unit, back.quantity) == ("ml", "volume_ml")


def test_an_answer_beyond_all_that_was_learned_from_is_marked(
    bright: tuple[Path, vs.Run], tmp_path: Path
) -> None:
    assert bright[1].bundle is not None
    far = pictures(
        tmp_path / "far",
        [{"volume_ml": 30.0}, {"volume_ml": 60.0}],
        lambda r: 255 if r["volume_ml"] == 60 else 60,
    )
    bundle = bright[1].bundle
    held = bundle.stages[0].state.values
    vs.predict(bundle, far, tmp_path / "out")
    for row in csv.DictReader((tmp_path / "out" / "answers.csv").open()):
        beyond = not held["low"] <= float(row["value"]) <= held["high"]
        assert ("volume_ml" in row["outside"] and "learned from" in row["outside"]) == beyond
    assert any("volume_ml" in r["outside"] for r in csv.DictReader((tmp_path / "out" / "answers.csv").open()))


def test_another_cohort_is_scored_in_the_same_unit_or_refused(
    bright: tuple[Path, vs.Run], tmp_path: Path
) -> None:
    run = bright[1]
    assert run.bundle is not None
    rows = [{"volume_ml": x, "volume_mm3": 1000 * x} for x in numbers(8, seed=5)]
    other = pictures(tmp_path / "other", rows, lambda row: 2.5 * row["volume_ml"])
    card = vs.evaluate(run.bundle, other, target="volume_ml")
    assert card.unit == "ml" and card.n_cases == 8 and (card.metrics["r2"].value or 0) > 0.3
    with pytest.raises(DataError, match="answers in ml and cannot be scored against target 'volume_mm3'"):
        vs.evaluate(run.bundle, other, target="volume_mm3")


def test_interrupted_and_resumed_it_ends_the_same(
    quick: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"age_years": x, "sex": "FM"[k % 2]} for k, x in enumerate(numbers(20))]
    table = pictures(tmp_path / "data", rows, lambda row: 2.5 * row["age_years"])
    how: dict[str, Any] = {
        "target": "age_years",
        "columns": {"covariate": "sex"},
        "settings": SMALL | {"train.steps": 12, "train.checkpoint_every_s": 0.001, "augment.mixup": 0.4},
    }
    whole = vs.fit(table, tmp_path / "whole", **how)
    step, taken = Stepper.step, []

    def interrupted(self: Stepper, *arguments: Any) -> Any:
        taken.append(0)
        if len(taken) == 8:
            raise KeyboardInterrupt
        return step(self, *arguments)

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(Stepper, "step", interrupted)
        vs.fit(table, tmp_path / "again", **how)
    again = vs.fit(table, tmp_path / "again", resume=True)
    assert whole.bundle is not None and again.bundle is not None
    assert again.bundle.hash == whole.bundle.hash


def test_covariates_alone_suffice_where_images_show_nothing(quick: None, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rows: list[dict[str, Any]] = []
    for k in range(60):
        bmi, sex = round(float(rng.uniform(18, 38)), 1), "FM"[k % 2]
        rows.append({"score": round(2 * bmi + 20 * (sex == "M") + float(rng.normal(0, 2)), 2), "bmi": bmi, "sex": sex,
                     "twin": 0.0})  # fmt: skip
    for row in rows:
        row["twin"] = row["score"] * 2  # what is not named must not enter
    table = pictures(tmp_path / "data", rows, lambda row: 128)
    run = vs.fit(
        table, tmp_path / "run", target="score", columns={"covariate": "bmi,sex"},
        settings=SMALL | {"train.steps": 80, "task.options.unit": "points"},
    )  # fmt: skip
    assert run.scorecard is not None and run.bundle is not None
    named = {"unit": "points", "covariates": "bmi,sex", "categories": "sex"}
    assert run.plan.task.options == {**named, "interval": "none", "coverage": 0.9}
    assert run.scorecard.promise["overall"][""]["n"] == run.scorecard.n_cases, "a fit ends with a promise"
    assert run.plan.reasons["task.options.unit"] == "set by the user"
    assert (run.scorecard.metrics["r2"].value or 0) > 0.5 and run.scorecard.unit == "points"
    assert "twin" not in json.dumps(dict(run.bundle.stages[0].state.values))
    picture = table.parent / "p0.png"
    with pytest.raises(DataError, match="needs the covariates 'bmi' and 'sex'"):
        vs.predict(run.bundle, picture)
    told: dict[str, float | str] = {"bmi": 25.0, "sex": "F"}
    small, large = (vs.predict(run.bundle, picture, covariates={**told, "bmi": b}) for b in (20.0, 36.0))
    assert isinstance(small, Value) and isinstance(large, Value) and large.x > small.x + 10
    odd = vs.predict(run.bundle, picture, covariates={**told, "bmi": 70.0})
    assert odd.outside is not None and any("bmi 70, learned from" in text for text in odd.outside)
    with pytest.raises(DataError, match="nothing was learned about 'sex' X"):
        vs.predict(run.bundle, picture, covariates={**told, "sex": "X"})


def test_a_volume_in_a_dicom_study_becomes_a_structured_report(quick: None, tmp_path: Path) -> None:
    made = phantom(tmp_path / "made", cases=6, seed=2, size=(8, 16, 16), format="dicom")
    small = {k: v for k, v in SMALL.items() if k != "data.size"} | {
        "data.size": [8, 16, 16],
        "train.batch": 2,
    }
    run = vs.fit(
        made / "cohort.csv", tmp_path / "run", target="age",
        settings=small | {"train.steps": 3, "task.options.unit": "years"},
    )  # fmt: skip
    assert run.bundle is not None and run.plan.data.dims == 3
    assert "not used: " in run.plan.reasons["task.options.covariates"]
    study = next(p for p in sorted((made / "dicom").iterdir()) if p.is_dir())
    vs.predict(open_bundle(run.bundle.path), study, tmp_path / "out", dicom=True)
    (report,) = (tmp_path / "out").glob("*.sr.dcm")
    text = formats.read_answer(report)
    (age,) = (part for name, part in text.parts.items() if name.endswith("age"))
    assert isinstance(age, Value) and age.unit == "a", "years, as UCUM codes them"


def test_a_cohort_in_memory_keeps_what_was_named(bright: tuple[Path, vs.Run]) -> None:
    cohort = vs.read(bright[0], target="volume_ml")
    assert isinstance(cohort, Cohort) and cohort.targets["volume_ml"].unit == "ml"
    plan = vs.fit(cohort, target="volume_ml", dry_run=True, settings=SMALL | {"train.steps": 2}).plan
    assert plan.task.options["unit"] == "ml"
