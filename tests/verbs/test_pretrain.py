"""pretrain: a bundle that others begin from, whose test images stay unseen, and whose collapse is said."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from typer.testing import CliRunner

import vesalius as vs
from vesalius.cli import app
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import LeakError, PlanError, UnknownName
from vesalius.core.index_file import open_index
from vesalius.core.progress import Silent
from vesalius.evaluate.banners import COLLAPSED
from vesalius.run.init import initial_weights
from vesalius.run.past import past_of_bundle
from vesalius.run.workspace import prepare_workspace
from vesalius.verbs.phantom import phantom

TINY = {
    "net.scale": 0.125,
    "data.size": [1, 32, 32],
    "train.threads": 1,
    "train.steps": 4,
    "train.batch": 8,
    "train.validations": 1,
}


@pytest.fixture(scope="module")
def spots(tmp_path_factory: pytest.TempPathFactory, quick: None) -> Path:
    """Forty pictures with a declared split, of which eight are for testing."""
    root = phantom(tmp_path_factory.mktemp("spots") / "data", kind="spots", cases=40, seed=5)
    rows = list(csv.DictReader((root / "cohort.csv").open()))
    with (root / "cohort.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, [*rows[0], "split"])
        table.writeheader()
        table.writerows({**row, "split": "test" if k >= 32 else "train"} for k, row in enumerate(rows))
    return root


@pytest.fixture(scope="module")
def run(spots: Path, tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    return vs.pretrain(spots, tmp_path_factory.mktemp("run") / "run", recipe="simclr", settings=TINY)


def test_it_leaves_a_bundle_with_its_figures_in_log_and_report(run: vs.Run) -> None:
    assert run.path is not None and run.bundle is not None and run.scorecard is not None
    assert run.plan.train.recipe == "simclr" and run.plan.reasons["train.recipe"] == "set by the user"
    assert run.plan.task.target is None and run.scorecard.metrics == {}
    with (run.path / "logs" / "represent-0.csv").open() as file:
        rows = list(csv.DictReader(file))
    for step in ("0", "4"):
        told = {row["figure"] for row in rows if row["step"] == step}
        assert {
            "effective_rank",
            "spread",
            "own_view",
            "neighbours",
            "embedding_spread",
            "held_out_loss",
        } <= told
    report = (run.path / "report.html").read_text(encoding="utf-8")
    assert "effective rank" in report and "neighbours" in report
    names = load_file(run.bundle.path / "weights-0-0.safetensors")
    assert {n.partition(".")[0] for n in names} == {"net", "redraw"}


def test_no_image_of_the_test_split_is_learned_from(run: vs.Run, spots: Path) -> None:
    assert run.path is not None
    folds = json.loads((run.path / "folds.json").read_text())
    cases = [row["case"] for row in csv.DictReader((spots / "cohort.csv").open()) if row["split"] == "test"]
    assert set(folds["test"]) == set(cases) and len(cases) == 8
    assert not set(cases) & {c for fold in folds["folds"] for c in fold}


def test_features_and_neighbours_are_had_of_it(run: vs.Run, spots: Path) -> None:
    assert run.bundle is not None and run.path is not None
    case = vs.read(spots).cases[0]
    x = run.bundle.prepare(replace(case, targets={}))
    vector = run.bundle.features(x)
    index = open_index(run.path / "neighbours", bundle=run.bundle.hash)
    assert vector.shape == (1, index.vectors.shape[1]) and len(index.entries) == 32
    if case.id in {e.case for e in index.entries}:
        at = [e.case for e in index.entries].index(case.id)
        np.testing.assert_allclose(index.vectors[at], vector[0].numpy(), atol=1e-4)


def test_a_fit_begins_from_it_and_tests_on_none_of_its_images(
    run: vs.Run, spots: Path, tmp_path: Path
) -> None:
    small = {k: v for k, v in TINY.items() if not k.startswith("net.")} | {"train.members": 1}
    after = vs.fit(spots, tmp_path / "after", target="class", init=run, settings=small)
    assert after.path is not None and run.path is not None and run.bundle is not None
    assert (after.plan.net.name, after.plan.net.scale) == (run.plan.net.name, run.plan.net.scale)
    assert (
        "of the net's" in after.plan.reasons["net.init"] and "redraw.weight" in after.plan.reasons["net.init"]
    )
    assert "trained on none of the 8 test cases" in (after.scorecard.overlap if after.scorecard else "")
    learned = json.loads((run.path / "folds.json").read_text())["folds"]
    tested = json.loads((after.path / "folds.json").read_text())["test"]
    assert not set(tested) & {c for fold in learned for c in fold}


def test_without_a_declared_split_its_training_images_are_never_tested_on(run: vs.Run, spots: Path) -> None:
    """The same images, of which nobody says any more which were for testing, under a target and another seed."""
    assert run.path is not None and run.bundle is not None
    plain = vs.read(spots)
    plain = replace(plain, cases=tuple(replace(c, split=None) for c in plain.cases))
    space = prepare_workspace(
        plain,
        task=None,
        target="class",
        columns=None,
        split=None,
        seed=7,
        folds=5,
        max_set_aside=0.1,
        progress=Silent(),
        past=past_of_bundle(run.bundle),
    )
    learned = {c for fold in json.loads((run.path / "folds.json").read_text())["folds"] for c in fold}
    assert space.assignment.test and not set(space.assignment.test) & learned
    assert "was trained on none of the" in space.overlap


def test_with_test_learns_from_all_and_a_fit_then_refuses(spots: Path, tmp_path: Path) -> None:
    before = vs.pretrain(spots, tmp_path / "pre", recipe="vicreg", settings=TINY, with_test=True)
    assert before.path is not None
    folds = json.loads((before.path / "folds.json").read_text())
    assert not folds["test"] and sum(map(len, folds["folds"])) == 40
    with pytest.raises(LeakError):
        vs.fit(spots, tmp_path / "fit", target="class", init=before, settings={"train.steps": 4})
    again = vs.pretrain(spots, before.path, resume=True)
    assert again.bundle is not None and before.bundle is not None and again.bundle.hash == before.bundle.hash


def test_targets_change_no_weight(run: vs.Run, spots: Path, tmp_path: Path) -> None:
    """The same images under exchanged classes, and under none at all."""
    cohort = vs.read(spots)
    bare = replace(cohort, cases=tuple(replace(c, targets={}) for c in cohort.cases), targets={})
    other = vs.pretrain(bare, tmp_path / "bare", recipe="simclr", settings=TINY)
    assert other.bundle is not None and run.bundle is not None
    one, again = (load_file(b.path / "weights-0-0.safetensors") for b in (run.bundle, other.bundle))
    assert all(np.array_equal(v, again[k]) for k, v in one.items())


def test_a_collapse_is_caught(spots: Path, tmp_path: Path) -> None:
    settings = TINY | {"train.steps": 100, "train.lr": 1e-2, "data.size": [1, 16, 16], "train.ema": 0.9}
    settings |= {f"train.recipe_options.{name}": 0 for name in ("variance", "covariance")}
    words = ["pretrain", str(spots), "-o", str(tmp_path / "run"), "--recipe", "vicreg", "--json"]
    done = CliRunner().invoke(app, [*words, *(w for k, v in settings.items() for w in ("--set", f"{k}={v}"))])
    said = json.loads(done.stdout)
    assert done.exit_code == 1 and said["result"]["collapsed"]
    (told,) = [w["text"] for w in said["warnings"] if w["kind"] == COLLAPSED]
    assert "This model is of no use" in told and "a spread of 0.0" in told
    card = json.loads((open_bundle(tmp_path / "run").path / "scorecard.json").read_text())
    assert COLLAPSED in {banner["kind"] for banner in card["banners"]}, "the bundle is marked, too"
    assert "This model is of no use" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    (warned,) = initial_weights(str(tmp_path / "run")).warned
    assert warned == told, "who begins from it is told, too"


def test_what_cannot_be_is_said_before_the_data_are_read(spots: Path) -> None:
    with pytest.raises(PlanError, match="two recipes are named; found mae and dino"):
        vs.pretrain(spots, recipe="mae", settings={"train.recipe": "dino"})
    with pytest.raises(UnknownName, match="unknown recipe of pre-training 'simcl'.*closest: simclr"):
        vs.pretrain(spots, recipe="simcl", dry_run=True)
    with pytest.raises(UnknownName) as said:
        vs.pretrain(spots, recipe="nonsense", dry_run=True)
    assert "one of dino, mae, restore, simclr, vicreg" in str(said.value), "none that needs a target"


def test_each_recipe_plans_a_net_that_it_can_train(spots: Path) -> None:
    settings = {"train.steps": 4, "train.batch": 4}
    nets = {
        name: vs.pretrain(spots, recipe=name, dry_run=True, settings=settings).plan
        for name in ("dino", "mae", "restore")
    }
    assert {name: plan.net.name.partition("-")[0] for name, plan in nets.items()} == {
        "dino": "resnet",
        "mae": "vit",
        "restore": "unet",
    }
    assert nets["mae"].augment.noise == 0 and "task enough" in nets["mae"].reasons["augment.noise"]
