"""Episodes: who is drawn, what a resumed run draws, and what the recipe of that name trains."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from _bench import PLAN, STATE, Bench

from vesalius.core.errors import DataError, PlanError
from vesalius.core.plan import override
from vesalius.learn.episodes import draw
from vesalius.learn.frozen import assert_linear, features_of, rows_of
from vesalius.learn.stepper import build
from vesalius.learn.timing import time_step
from vesalius.tasks import contract as tasks

CLASSES = ["a"] * 8 + ["b"] * 6 + ["c"] * 12
PATIENTS = [f"p{k // 2}" for k in range(26)]  # two cases each; p7 and on have class b, c


def test_support_and_queries_share_no_patient_and_shots_are_of_different_ones() -> None:
    drawn = draw(CLASSES, PATIENTS, shots=2, episodes=50, queries=3, seed=1)
    for episode in drawn:
        shots, asked = ([PATIENTS[k] for k in part] for part in (episode.support, episode.query))
        assert len(set(shots)) == len(shots) == 6 and not set(shots) & set(asked)
        assert [CLASSES[k] for k in episode.support] == [
            sorted(set(CLASSES))[w] for w in np.repeat(episode.ways, 2)
        ]
        assert np.bincount(episode.truth).tolist() == [3, 2, 3], (
            "b has three patients, of which two are shots"
        )
        assert [sorted(set(CLASSES))[episode.ways[n]] for n in episode.truth] == [
            CLASSES[k] for k in episode.query
        ]


def test_an_episode_follows_from_the_seed_and_its_number_alone() -> None:
    few, many = (draw(CLASSES, PATIENTS, shots=2, ways=2, episodes=n, seed=5) for n in (3, 9))
    assert all(
        np.array_equal(a.support, b.support) and a.ways == b.ways for a, b in zip(few, many, strict=False)
    )
    assert {e.ways for e in many} > {many[0].ways}, "other classes in other episodes"
    assert not np.array_equal(draw(CLASSES, PATIENTS, shots=2, ways=2, seed=6)[0].support, few[0].support)


def test_too_few_patients_name_the_class() -> None:
    with pytest.raises(
        DataError, match=r"class 'b' has too few patients for 3 shots and a query; found 3 patients"
    ):
        draw(CLASSES, PATIENTS, shots=3)
    assert draw(CLASSES, PATIENTS, shots=3, ways=2)[0].ways == (0, 2), "asked for two, the other two will do"
    with pytest.raises(PlanError, match="4 ways are not to be had"):
        draw(CLASSES, PATIENTS, shots=1, ways=4)
    with pytest.raises(DataError, match="two classes"):
        draw(["a"] * 4, list("wxyz"), shots=1)


EPISODES = {"train.recipe": "episodes", "train.steps": 8, "train.recipe_options": {"shots": 2, "queries": 2}}


def test_the_recipe_ends_in_the_prototypes_of_the_training_cases(bench: Bench) -> None:
    done = bench.train(EPISODES | {"train.lr": 3e-3})
    assert done.last_step == 8 and all(np.isfinite(h["loss"]) for h in done.history)
    plan, task = override(PLAN, EPISODES), tasks.get("classify")
    model = build(task, plan, STATE, 0)
    model.load_state_dict(done.weights)
    model.eval()
    seen, _ = features_of(task, model, STATE, task.collate(bench.examples))
    x, label = seen.numpy(), np.arange(8) % 2
    means = np.stack([x[label == k].mean(axis=0) for k in range(2)])
    by_hand = ((x[:, None] - means) ** 2).sum(axis=2)
    with torch.inference_mode():
        said = task.infer(model, task.collate(bench.examples), torch.Generator()).numpy()
    apart = np.diff(said, axis=1)[:, 0] / -np.diff(by_hand, axis=1)[:, 0]
    np.testing.assert_allclose(apart, apart[0], rtol=1e-3)
    assert (said.argmax(axis=1) == label).all()
    first = build(task, plan, STATE, 0).state_dict()
    assert not torch.equal(first["net.conv1.weight"], done.weights["net.conv1.weight"]), "the net learned"


def test_it_is_timed_on_cases_of_one_class_and_refuses_to_learn_from_them(
    bench: Bench, tmp_path: Path
) -> None:
    one = [e for k, e in enumerate(bench.examples) if k % 2]
    plan = override(PLAN, EPISODES)
    assert time_step(tasks.get("classify"), plan, STATE, one, seconds=0.0, steps=1) > 0
    with pytest.raises(DataError, match="two classes of two patients"):
        replace(bench, examples=tuple(one), folder=tmp_path / "one").train(EPISODES)


def test_views_of_a_case_are_rows_of_that_case_and_mixtures_are_not_made(bench: Bench) -> None:
    task, model = tasks.get("classify"), build(tasks.get("classify"), PLAN, STATE, 0).eval()
    rows = rows_of(task, model, STATE, bench.examples, plan=PLAN, member=0, views=2)
    assert (
        rows.features.shape == (24, model.head.linear.in_features)
        and np.bincount(rows.case).tolist() == [3] * 8
    )
    assert set(np.unique(rows.wanted)) == {0.0, 1.0}, "mixup would blend classes"
    again = rows_of(task, model, STATE, bench.examples, plan=PLAN, member=0, views=2)
    assert np.array_equal(rows.features, again.features)
    assert not np.allclose(rows.features[:8], rows.features[8:16])


@pytest.mark.parametrize("recipe", ["linear", "prototypes"])
def test_closed_forms_take_one_step_and_leave_the_net_as_it_was(bench: Bench, recipe: str) -> None:
    done = bench.train({"train.recipe": recipe, "train.steps": 1}, validate=lambda m: float(not m.training))
    before = build(tasks.get("classify"), PLAN, STATE, 0).state_dict()
    changed = {k for k, v in done.weights.items() if not torch.equal(v, before[k])}
    assert changed == {"head.linear.weight", "head.linear.bias"}
    assert done.last_step == 1 and done.score == 1.0 and np.isfinite(done.history[0]["loss"])
    assert bench.train({"train.recipe": recipe, "train.steps": 1}).step == 1, "what is done is read back"


def test_a_task_without_a_linear_last_layer_is_refused_by_name() -> None:
    class Other:
        name = "drawing"

    with pytest.raises(PlanError, match="recipe 'linear' finds a linear last layer, and drawing has none"):
        assert_linear(Other(), "linear")  # type: ignore[arg-type]
