"""The decision table: who is told apart from whom, which of the others is enough, nothing beyond the intervals."""

from __future__ import annotations

import functools
import json
from dataclasses import replace

import numpy as np
import pytest

from vesalius.core.scorecard import Banner, Scorecard, nameless
from vesalius.evaluate.choosing import decide, holm, paired
from vesalius.evaluate.decision import Candidate, Cost, Decision, Timed, short
from vesalius.evaluate.scorecard import scorecard
from vesalius.metrics import scores
from vesalius.plan.energy import ESTIMATED, Energy

N = 120


@functools.cache
def scored(
    strength: float, *, seed: int, n: int = N, bundle: str = "", split: str = "test", data: str = "d"
) -> Scorecard:
    """A scorecard of answers that are as right as `strength` says; the same cases whatever the seed."""
    rng, y = np.random.default_rng(seed), np.arange(n) % 2
    p = 1 / (1 + np.exp(-(strength * (2 * y - 1) + rng.normal(0, 1, n))))
    ids = [f"secret case {k}" for k in range(n)]
    rows = scores.from_arrays(
        np.stack([1 - p, p], 1), y, labels=["well", "ill"], positive="ill", case_ids=ids
    )
    trivial = scores.from_arrays(
        np.full((n, 2), 0.5), y, labels=["well", "ill"], positive="ill", case_ids=ids
    )
    return scorecard(
        rows, "Scores", split=split, data_hash=data * 64, baseline=trivial, baseline_is="a coin", resamples=100,
        bundle=bundle, target="class",
    )  # fmt: skip


def model(name: str, card: Scorecard | None, *, parameters: int, seconds: float | None = None) -> Candidate:
    timed = None if seconds is None else Timed(seconds, seconds / 2, seconds * 2, 5)
    cost = Cost(parameters=parameters, size_bytes=4 * parameters, seconds=timed)
    return Candidate(
        name=name, bundle=f"{name}-hash", task="classify", net="resnet-18", members=1, cost=cost, card=card
    )


def chosen(*models: Candidate) -> Decision:
    return decide(models, resamples=200)


def test_of_two_that_are_not_told_apart_the_smaller_is_enough() -> None:
    found = chosen(
        model("large", scored(1.55, seed=1), parameters=9_000_000),
        model("small", scored(1.5, seed=2), parameters=1000),
    )
    assert found.chosen == "small" and "not told apart" in " ".join((found.advice, *found.reasons))
    (against,) = found.against
    assert not against.told_apart and against.difference is not None
    assert against.difference.low is not None and against.difference.low <= 0 <= (
        against.difference.high or 0
    )
    assert "is not excluded" in against.text, "not told apart is not said to be equal"
    assert "equal" not in found.advice


def test_a_smaller_one_that_is_told_apart_as_worse_is_not_enough() -> None:
    found = chosen(
        model("large", scored(2.5, seed=1), parameters=9_000_000),
        model("small", scored(0.4, seed=2), parameters=1000),
    )
    assert found.chosen == "large" and found.against[0].told_apart
    assert found.figure == "auc"


def test_a_model_that_the_trivial_answer_is_not_clearly_beaten_by_is_never_recommended() -> None:
    lucky = model("small", scored(0.02, seed=5, n=30), parameters=10)
    alone = chosen(lucky)
    assert alone.chosen == "" and "trivial answer" in alone.advice
    weak, strong = scored(0.55, seed=3, n=24), scored(0.7, seed=4, n=24)
    found = chosen(model("small", weak, parameters=10), model("large", strong, parameters=99))
    standings = {m["name"]: m["standing"] for m in found.plain()["models"]}
    assert found.chosen == "" or standings[found.chosen] == "beaten"


def test_other_cases_or_data_are_not_compared_and_the_command_that_would_is_named() -> None:
    first = model("a", scored(2, seed=1), parameters=10)
    for other, why in (
        (scored(2, seed=2, data="e"), "other cases, or another truth"),
        (scored(2, seed=2, n=60), "cases"),
    ):
        found = chosen(first, model("b", other, parameters=5))
        assert found.chosen == "" and "vesalius compare" in found.advice
        assert why in " ".join(found.reasons)


def test_cases_that_were_learned_from_and_no_figures_count_for_nothing() -> None:
    trained = model("trained", scored(4, seed=1, split="training"), parameters=1)
    bare = model("bare", None, parameters=2)
    honest = model("honest", scored(2, seed=2), parameters=999)
    found = chosen(trained, bare, honest)
    assert found.chosen == "honest"
    assert any("learned from" in r for r in found.reasons) and any("no figures" in r for r in found.reasons)
    assert decide([bare]).chosen == "" and decide([bare]).html()


def test_without_single_cases_overlapping_intervals_tell_nothing_apart() -> None:
    cards = [nameless(scored(s, seed=k)) for k, s in enumerate((1.55, 1.5, 0.1))]
    sizes = (900, 30, 1)
    found = chosen(*(model(n, c, parameters=s) for n, c, s in zip("abc", cards, sizes, strict=True)))
    apart = {a.name: a.told_apart for a in found.against}
    assert all(a.difference is None for a in found.against)
    assert found.chosen in ("a", "b") and apart["c"] and "overlap" in found.against[0].text
    level = {n for n in "ab" if n not in apart or not apart[n]}
    assert level == {"a", "b"} and found.chosen == "b"


def test_the_paired_difference_is_that_of_compare() -> None:
    """The same figures as `evaluate.paired.differences` of the joined rows, which `compare` shows."""
    a, b = scored(1.5, seed=1), scored(1.2, seed=2)
    found = paired(a, b, ("a", "b"), "auc", resamples=50)
    assert found is not None and found.difference == pytest.approx(
        b.metrics["auc"].value - a.metrics["auc"].value
    )  # type: ignore[operator]
    assert paired(nameless(a), b, ("a", "b"), "auc") is None


def test_holm_corrects_as_by_hand() -> None:
    """Holm 1979: the smallest of three by 3, the next by 2, each no less than the one before."""
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []


def test_a_faster_one_of_those_that_may_be_as_good_is_named() -> None:
    found = chosen(
        model("large", scored(1.55, seed=1), parameters=900, seconds=0.1),
        model("small", scored(1.5, seed=2), parameters=10, seconds=0.9),
    )
    assert found.chosen == "small" and any("large" in r and "faster" in r for r in found.reasons)


def test_banners_are_named_with_the_recommendation() -> None:
    card = replace(scored(2, seed=1), banners=(Banner("hardly trained", "It was hardly trained."),))
    assert any("hardly trained" in r for r in chosen(model("a", card, parameters=1)).reasons)


def test_the_table_and_the_json_name_no_case_and_call_an_estimate_one() -> None:
    one = model("a", scored(2, seed=1), parameters=11_200_000, seconds=0.25)
    one = replace(
        one, cost=replace(one.cost, energy=Energy(2.5, ESTIMATED, "0.25 s × 10 W"), macs=1_820_000_000)
    )
    found = chosen(one, model("b", scored(1.9, seed=2), parameters=10))
    assert "secret" not in found.json() and "secret" not in found.html()
    data = json.loads(found.json())
    assert data["models"][0]["cost"]["energy"]["how"] == "estimated" and data["chosen"] in ("a", "b")
    row = found.table().rows[0]
    assert [c.text for c in row][1:6] == ["11.2 M", "42.7 MiB", "0.25", "1.82 G", "–"] and row[
        6
    ].under == "estimated"
    assert "estimated" in found.html() and found.table().rows[1][3].under == "not measured"


def test_large_numbers_are_short() -> None:
    assert [short(n) for n in (7, 1200, 11_200_000, 3.6e9, 2e12)] == ["7", "1.2 k", "11.2 M", "3.6 G", "2 T"]


def test_a_smaller_one_that_proves_nothing_is_not_enough_and_no_claim_is_made_of_it() -> None:
    strong, weak = scored(0.9, seed=4, n=40), scored(0.35, seed=9, n=40)
    weak = replace(weak, baseline={}, baseline_is="")  # so that nothing says whether it beats anything
    found = chosen(model("large", strong, parameters=99), model("small", weak, parameters=1))
    apart = {a.name: a.told_apart for a in found.against}
    assert found.chosen == "large"
    if not apart["small"]:
        assert "small has no trivial answer beside it in AUC." in found.reasons
        assert "none that clearly beats the trivial answer is smaller" in found.advice
    alone = chosen(model("small", weak, parameters=1))
    assert alone.chosen == "" and "None is recommended" in alone.advice
