"""Which trials can be members of one stage, what the plan then says of them, and a search read as it was written."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from vesalius.core.plan import DataPlan, LossPlan, NetPlan, Normalisation, Plan, TaskPlan, TrainPlan
from vesalius.search import page, result
from vesalius.search.result import Search, in_words
from vesalius.search.store import DONE, FAILED, Trialled
from vesalius.search.verdict import Finalist, Gain, Verdict
from vesalius.verbs._searching import joined, reasons_of, variations

PLAN = Plan(
    task=TaskPlan(name="classify", target="class"),
    data=DataPlan(
        dims=2, channels=1, sampling="whole", size=(1, 16, 16), normalise=(Normalisation(method="zscore"),)
    ),
    net=NetPlan(name="resnet-10"),
    loss=LossPlan(name="cross_entropy"),
    train=TrainPlan(steps=100, batch=8),
    reasons={"net.name": "small images"},
)


def trial(number: int, score: float | None, **settings: Any) -> Trialled:
    told = {name.replace("__", "."): value for name, value in settings.items()}
    state, why = (DONE, "") if score is not None else (FAILED, "no memory")
    return Trialled(number, state, told, score, why, {"parameters": 100 * number} if score else {})


TRIALS = (
    trial(0, 0.80),
    trial(1, 0.90, net__name="cnn", train__lr=0.1),
    trial(2, 0.88, net__name="vgg-11", train__lr=0.2),
    trial(3, None, net__name="cnn", train__lr=0.3),
    trial(4, 0.85, net__name="cnn", train__lr=0.4, loss__smoothing=0.1),
    trial(5, 0.86, net__name="cnn", train__lr=0.1, augment__probability=0.3),
)
SURE = Gain(0.05, 0.01, 0.09, 0.975, 40, 2)
FOUND = Search(
    data="pictures", data_hash="0", task="classify", target="class", primary="auc", by="primary", sampler="tpe", seed=0,
    asked=6, seconds=4.0, cases=20, patients=20, space={"train.lr": {"low": 0.1, "high": 0.5}}, reasons={},
    default={"net.name": "resnet-10", "train.lr": 0.3}, trials=TRIALS,
    finalists=(Finalist(1, 0.9, Gain(0.1, 0.02, 0.2, 0.975, 20, 1), SURE),),
    verdict=Verdict(1, "trial 1 of 6 beats the default plan"), importance={"train.lr": 1.0},
)  # fmt: skip


def test_those_join_that_share_net_and_loss_the_best_first() -> None:
    members, note = joined(FOUND, 2)
    assert [t.number for t in members] == [1, 5] and note == ""
    assert variations(members) == [{}, {"augment.probability": 0.3}]
    members, note = joined(FOUND, 4)
    assert [t.number for t in members] == [1, 5, 4] and "3 of 4" in note
    none, note = joined(replace(FOUND, verdict=Verdict(None, "noise")), 3)
    assert none == [] and "default plan is taken alone" in note


def test_the_plan_says_what_was_found_and_that_nothing_was() -> None:
    told = reasons_of(FOUND, PLAN, joined(FOUND, 2)[0])
    assert set(told) == {"net.name", "train.lr", "train.varied"}
    assert (
        told["train.lr"] == "found by search: trial 1 of 6, auc 0.900 on validation, the default plan's 0.800"
    )
    assert "1, 5" in told["train.varied"]
    nothing = reasons_of(replace(FOUND, verdict=Verdict(None, "noise")), PLAN, [])
    assert nothing == {
        "net.name": "small images; a search of 6 trials found nothing that beats the default plan beyond noise"
    }


def test_luck_is_the_gain_that_other_folds_do_not_bear_out() -> None:
    assert "scored 0.900 on 20 validation cases of 20 patients" in FOUND.luck
    assert (
        "gained +0.100" in FOUND.luck
        and "+0.050 on 2 folds" in FOUND.luck
        and "+0.050 of it was luck" in FOUND.luck
    )
    alone = replace(FOUND, finalists=(replace(FOUND.finalists[0], confirmed=None),))
    assert "no other folds were measured" in alone.luck
    unlucky = replace(FOUND.finalists[0], found=Gain(0.01, None, None, 0.975, 20, 1))
    assert "none of it was luck" in replace(FOUND, finalists=(unlucky,)).luck
    assert FOUND.counted == "5 finished, 1 failed"


def test_it_is_read_as_it_was_written_and_shown(tmp_path: Any) -> None:
    page.write(FOUND, tmp_path)
    again = result.load(tmp_path)
    assert again.to_json() == FOUND.to_json() and again.best == again.trials[1]
    text = (tmp_path / result.PAGE).read_text()
    for said in ("trial 1 of 6 beats the default plan", "no memory", "net.name=cnn, train.lr=0.1", "0.9000"):
        assert said in text
    assert "verdict" in FOUND._repr_html_() and "pictures" in repr(FOUND)
    assert in_words({"train.lr": 0.3}, FOUND.default) == "the default plan"


def test_names_in_the_data_are_not_read_as_markup(tmp_path: Any) -> None:
    page.write(replace(FOUND, data="<b>x</b>", notes=("<script>",)), tmp_path)
    text = (tmp_path / result.PAGE).read_text()
    assert "<b>x</b>" not in text and "<script>\n" not in text.partition("<main")[2].partition("</main>")[0]
