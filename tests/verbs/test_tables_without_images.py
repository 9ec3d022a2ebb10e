"""A table without images from fit to answers: what is learned, promised, answered again, and scored."""

from pathlib import Path

import numpy as np
import pytest

import vesalius as vs
from vesalius.core.errors import DataError, PlanError

FEW = {"train.steps": 40, "train.members": 2, "train.validations": 1, "train.batch": 16}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    lines = ["sub_id,thickness_mm,constant,sex,age_years,lesions,site"]
    for k in range(60):
        thin = rng.normal()
        lesions = "" if k % 10 == 9 else str(max(0, round(4 + 3 * thin)))
        lines.append(
            f"s{k},{2.5 - 0.2 * thin + 0.01 * (k % 4):.3f},0,{'FM'[k % 2]},{50 + 12 * thin:.1f},{lesions},site {k % 3}"
        )
    path = tmp_path_factory.mktemp("people") / "people.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def run(people: Path, tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    out = tmp_path_factory.mktemp("run") / "run"
    return vs.fit(
        people, out, columns={"image": ""}, target="age_years,lesions", settings=FEW, progress=False
    )


def test_all_columns_that_may_tell_something_are_learned_from_and_no_other(run):
    options = run.plan.task.options
    assert options["covariates"] == "thickness_mm,sex" and options["categories"] == "sex"
    for name in ("constant", "site"):
        assert name in run.plan.reasons["task.options.covariates"], "what is left out is said"
    assert (run.plan.net.name, options["unit"], options["interval"]) == ("mlp", "years,", "quantiles")


def test_the_answers_are_promised_and_scored_by_name(run):
    card = run.scorecard
    assert card.n_cases == 12 and card.units == {"age_years": "years"}
    assert card.metrics["mae/age_years"].value < card.baseline["mae/age_years"].value
    assert set(card.promise["overall"]) == {"age_years", "lesions"} and "inside/lesions" in card.metrics
    promise = run.bundle.stages[-1].calibration["promise"]
    assert (
        promise["way"] == "quantile"
        and promise["pooled"]["n"]["lesions"] < promise["pooled"]["n"]["age_years"]
    )


def test_a_new_table_is_read_with_the_columns_that_the_bundle_needs(run, people, tmp_path):
    new = tmp_path / "new.csv"
    new.write_text("sub_id,thickness_mm,sex\nx1,2.31,F\n")
    answer = vs.predict(run.bundle, new)
    assert answer.case_id == "x1" and answer.values["age_years"].promise.interval is not None
    low, high = answer.values["age_years"].promise.interval
    assert low < answer.values["age_years"].x < high and answer.promise.remarks
    assert vs.evaluate(run, people, split="all").n_cases == 12, "scored on those that it never saw"
    named = vs.evaluate(run, people, split="all", columns={"patient": "sub_id"})
    assert named.n_cases == 12, "what else is told of columns does not make it look for images"
    new.write_text("sub_id,sex\nx1,F\n")
    with pytest.raises(vs.VesaliusError, match="thickness_mm"):
        vs.predict(run.bundle, new)


def test_an_answer_is_explained_by_its_columns_and_by_no_map(run, people, tmp_path):
    case = vs.read(people, columns={"image": ""}).cases[0]
    found = vs.explain(run.bundle, case, ask="age_years", check="none")
    (bars,) = found.parted[0].bars
    assert bars.names == ("thickness_mm", "sex") and abs(bars.values[0]) > abs(bars.values[1])
    with pytest.raises(DataError, match=r"no image on which a map could lie.*--method columns"):
        vs.explain(run.bundle, case, method="gradcam")
    done = vs.explain(
        run.bundle, vs.read(people, columns={"image": ""})[:2], tmp_path / "why", progress=False
    )
    assert len(done.case_ids) == 2 and "column thickness_mm" in (done.out / "explanations.csv").read_text()
    page = (done.out / f"{done.case_ids[0]}.html").read_text()
    assert "What each column adds" in page or "not shown" in page


def test_a_net_of_images_is_refused_before_anything_is_trained(people, tmp_path):
    with pytest.raises(PlanError, match="reads images"):
        vs.fit(
            people, tmp_path / "run", columns={"image": ""}, target="age_years", dry_run=True,
            settings={"net.name": "resnet-10"}, progress=False,
        )  # fmt: skip
