"""The task `embed`: which pairs are alike, which cases come into a batch, and what the nearest known cases say."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.metrics import jaccard_score

import vesalius as vs
from vesalius.answers import contract as answers
from vesalius.cohorts import load_assignment
from vesalius.core.bundle import State
from vesalius.core.errors import PlanError
from vesalius.core.index import Index
from vesalius.core.progress import Silent
from vesalius.infer.features import compares
from vesalius.infer.predictor import Predictor
from vesalius.learn.examples import prepare_examples
from vesalius.learn.validate import Validator
from vesalius.metrics import ranking
from vesalius.prepare.batch import Batch, Example
from vesalius.prepare.case import BLANK
from vesalius.run.neighbours import beside
from vesalius.tasks import _nearby, contract
from vesalius.tasks._by_label import ByLabel
from vesalius.tasks._embedded import Way, alike, pairs_of, yes_or_no
from vesalius.testing.small import read_small, write_small
from vesalius.testing.trial import SMALL

embed = contract.get("embed")
NAMES = [{"value": 0, "name": "calm"}, {"value": 1, "name": "ill"}]


def state_of(vectors, labels, **values):
    given = {"labels": NAMES, "share": [0.5, 0.5], "kind": "exclusive", "several": False, "ordered": False}
    beside = {"target": "label", "dims": 2, "nearest": 2, "neighbours": 3, "temperature": 0.1, "most": 20}
    arrays = {"vectors": np.array(vectors, np.float32), "labels": np.array(labels, np.uint8)}
    return State({**given, **beside, **values}, arrays)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    root = tmp_path_factory.mktemp("embed")
    cohort = read_small(write_small(root / "data", dims=2), ["class"])
    settings = {**SMALL, "train.folds": 3, "data.size": [1, 32, 32]}
    run = vs.fit(cohort, task="embed", out=root / "run", settings=settings, device="cpu", progress=False)
    return run, cohort


def test_likeness_of_several_labels_is_jaccards():
    bits = torch.tensor([[1, 1, 0], [1, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]])
    found = alike(bits, Way(several=True))
    for a in range(3):
        assert found[a, :3].tolist() == pytest.approx([jaccard_score(bits[a], bits[b]) for b in range(3)])
    assert found[3].tolist() == [0, 0, 0, 1, 1], "two without any finding are alike"
    assert yes_or_no(found, several=True)[0].tolist() == [1, 1, 0, 0, 0]


def test_near_grades_are_liker_than_far_ones_and_not_held_against_one_another():
    found = alike(torch.eye(5), Way(ordered=True))
    assert found[0].tolist() == [1, 0.75, 0.5, 0.25, 0]
    assert yes_or_no(found, several=False)[0].tolist() == [1, -1, 0, 0, 0]


def test_no_case_is_held_against_its_own_patient_or_one_without_a_label():
    batch = Batch(
        {},
        case_ids=tuple("abcde"),
        targets={"label": torch.eye(2)[[0, 0, 0, 1, 0]]},
        has={"label": torch.tensor([True, True, True, True, False])},
        patients=("p", "p", None, None, None),
    )
    found = pairs_of(batch, batch.targets["label"], Way())
    assert found.tolist() == [
        [-1, -1, 1, 0, -1],
        [-1, -1, 1, 0, -1],
        [1, 1, -1, 0, -1],
        [0, 0, 0, -1, -1],
        [-1, -1, -1, -1, -1],
    ]


def test_a_batch_has_several_cases_of_each_of_its_labels_and_of_other_patients_first():
    labels = [[0]] * 90 + [[1]] * 6 + [[2]] * 6 + [[]]
    patients = ["one"] * 89 + [f"p{k}" for k in range(14)]
    draw = ByLabel(labels, patients, batch=8, each=4)
    for step in range(20):
        chosen = draw(step, torch.Generator().manual_seed(step))
        assert chosen == draw(step, torch.Generator().manual_seed(step)), "a resumed run draws the same"
        assert sorted(Counter(labels[k][0] for k in chosen).values()) == [4, 4] and len(set(chosen)) == 8
        rare = [k for k in chosen if k < 90]
        assert not rare or len({patients[k] for k in rare}) == 2


def test_a_batch_is_full_where_labels_are_few():
    draw = ByLabel([[0], [0], [1]], [None] * 3, batch=8, each=4)
    chosen = draw(0, torch.Generator().manual_seed(0))
    assert len(chosen) == 8 and set(chosen) == {0, 1, 2}
    assert sum(k == 2 for k in chosen) == 4


def test_the_nearest_say_a_label_by_how_near_they_are():
    """Worked by hand: cosines 1, 0.8 and -1 with t = 0.1 count 1, e^-2 and e^-20; the shares count 1."""
    state = state_of([[1, 0], [0.8, 0.6], [-1, 0]], [[1, 0], [0, 1], [1, 0]])
    answer = embed.decode(np.array([[2.0, 0.0]]), state, {}, BLANK)
    assert answer.case_ids == ("training case 1", "training case 2") and answer.places == (0, 1)
    assert answer.distances == pytest.approx([0.0, 0.2]) and answer.among == 3
    e2, e20 = np.exp(-2), np.exp(-20)
    ill = (e2 + 0.5) / (1 + e2 + e20 + 1)
    assert answer.parts["label"].p[1] == pytest.approx(ill, rel=1e-6)
    assert "looks the same" in answer.outside[0]
    assert embed.decode(np.array([[1.0, 0.3]]), state, {}, BLANK).outside is None


def test_equally_near_cases_stand_in_the_order_of_the_bundle():
    state = state_of([[0, 1], [1, 0], [1, 0]], [[1, 0], [0, 1], [1, 0]])
    assert embed.decode(np.array([[1.0, 0.0]]), state, {}, BLANK).places == (1, 2)


def test_how_likely_two_cases_share_a_label_is_fitted_on_pairs_with_unknown_ones():
    """Two of three pairs share a label at a cosine of 1, one of three at 0; Platt's targets are 16/17 and 1/17."""
    state = state_of([[1, 0], [0, 1]], [[1, 0], [0, 1]])
    raws = [np.array([[1.0, 0.0]]), np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])] * 5
    truths = [_nearby.kin(state, label) for label in ("calm", "ill", "ill")] * 5
    plan = SimpleNamespace(task=SimpleNamespace(positive=None))
    found = embed.calibrate(raws, truths, state=state, plan=plan)
    same = embed.decode(raws[0], state, found, BLANK).same
    assert same == pytest.approx([(2 * 16 + 1) / 51, (16 + 2 * 1) / 51], abs=1e-5)


def test_the_truth_is_who_shares_a_label_by_how_much():
    state = state_of(np.eye(3), [[1, 0], [1, 1], [0, 0]], several=True, kind="multilabel")
    found = _nearby.kin(state, ("calm",))
    assert dict(found) == {"training case 1": 1.0, "training case 2": 0.5} and found.labels == ("calm",)
    assert dict(_nearby.kin(state, ())) == {"training case 3": 1.0}
    assert _nearby.kin(state, None) is None


def test_held_out_cases_are_ranked_among_those_of_other_patients():
    angles = np.array([0.0, 0.1, 0.2, 0.3])
    raws = [np.array([[np.cos(a), np.sin(a)]]) for a in angles]
    hots = [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]]
    examples = [
        Example(str(k), {}, {"label": np.array(h)}, patient=p)
        for k, (h, p) in enumerate(zip(hots, ["a", "a", "b", "c"], strict=True))
    ]
    found = _nearby.together(raws, examples, 2)
    assert [f["map"] for f in found] == pytest.approx([1, 1 / 2, 1 / 3, 1 / 2])


def test_a_bundle_holds_the_cases_that_its_net_learned_from_and_no_name(fitted):
    run, cohort = fitted
    state = run.bundle.stages[-1].state
    assignment = load_assignment(run.path / "folds.json")
    learned = assignment.training(0)
    assert len(state.arrays["vectors"]) == len(state.arrays["labels"]) == len(learned)
    assert np.linalg.norm(state.arrays["vectors"], axis=1) == pytest.approx(np.ones(len(learned)), abs=1e-5)
    predictor = Predictor(run.bundle, device="cpu")
    first = {i: predictor(replace(cohort.case(i), targets={})).distances[0] for i in assignment.folds[0]}
    assert min(first.values()) > 1e-6, "no case that the calibration stands on is among the known ones"
    assert max(predictor(replace(cohort.case(i), targets={})).distances[0] for i in learned) < 1e-5
    stored = (run.path / "bundle" / "bundle.json").read_text(encoding="utf-8")
    assert not any(case.id in stored for case in cohort.cases if len(case.id) > 3)


def test_the_trivial_answer_is_any_order(fitted):
    """Recall at 1 of any order is how often the label occurs among the known cases, on average."""
    run, _ = fitted
    state = run.bundle.stages[-1].state
    label = state.values["labels"][0]["name"]
    rows = ranking.rows([embed.trivial(state, BLANK)], [_nearby.kin(state, label)])
    assert rows["recall@1"][0] == pytest.approx(state.arrays["labels"][:, 0].mean())
    assert (
        run.scorecard.metrics["ndcg@10"].value is not None
        and run.scorecard.baseline["map@10"].value is not None
    )


def test_what_is_asked_is_the_likeness_to_the_very_case_that_is_listed(fitted):
    run, cohort = fitted
    predictor = Predictor(run.bundle, device="cpu")
    given = predictor.encoded(replace(cohort.cases[0], targets={}))
    answer = predictor(replace(cohort.cases[0], targets={}))
    task, model = predictor.stages[-1].task, predictor.stages[-1].models[0]
    asked = answers.ask(answer, "neighbour=3")
    assert asked.place == answer.places[2]
    raw = task.infer(model, task.collate([given.example]), torch.Generator())
    assert float(task.scalar(raw, asked)[0].detach()) == pytest.approx(1 - answer.distances[2], abs=1e-5)


def test_an_index_holds_the_learned_vectors_as_they_are(fitted):
    run, _ = fitted
    known = beside(run.bundle)
    assert isinstance(known, Index), known
    assert compares(embed) and not known.centred and known.vectors.shape[1] == 128
    assert np.linalg.norm(known.vectors, axis=1) == pytest.approx(np.ones(len(known.entries)), abs=1e-5)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"loss.name": "cross_entropy"}, "how alike cases should be"),
        ({"train.members": 2}, "not comparable"),
        ({"augment.mixup": 0.4}, "like neither"),
    ],
)
def test_a_plan_that_compares_nothing_is_refused(fitted, setting, said):
    run, cohort = fitted
    with pytest.raises(PlanError, match=said):
        vs.fit(cohort, task="embed", settings=setting, dry_run=True, device="cpu", progress=False)


def test_classes_are_not_learned_by_a_loss_of_pairs(fitted):
    _, cohort = fitted
    with pytest.raises(PlanError, match="how alike cases are"):
        vs.fit(
            cohort,
            task="classify",
            settings={"loss.name": "triplet"},
            dry_run=True,
            device="cpu",
            progress=False,
        )


def test_the_checkpoint_is_picked_by_how_held_out_cases_lie_together(fitted):
    """And so is each case of a trial judged: the loss of one case alone is 0, whatever the model."""
    run, cohort = fitted
    predictor = Predictor(run.bundle, device="cpu")
    stage = predictor.stages[-1]
    cases = [c for c in cohort.cases if c.id in load_assignment(run.path / "folds.json").training(0)]
    examples = prepare_examples(stage.task, cases, stage.stage.plan, stage.stage.state, progress=Silent())
    judge = Validator(stage.task, stage.stage.plan, stage.stage.state, examples, [None] * len(examples))
    each, all_of = judge.each(stage.models[0]), judge.scorer(stage.models[0])
    known = [value for value in each.values() if np.isfinite(value)]
    assert all_of.by == "figures" and all_of.of(np.arange(len(examples))) == pytest.approx(np.mean(known))
    assert len(set(known)) > 1 and all(0 < value <= 1 for value in known)
