"""Figures of rankings against cases worked out by hand, and against scikit-learn's average precision."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, ndcg_score

from vesalius.core.answers.ranking import Kin, Ranking
from vesalius.core.answers.scores import Scores
from vesalius.core.cohort import Label
from vesalius.core.errors import DataError
from vesalius.metrics import ranking


def ranked(*ids, case="q"):
    return Ranking(case_ids=ids, distances=np.arange(len(ids), dtype=float), case_id=case)


def test_by_hand():
    rows = ranking.rows([ranked("a", "b", "c", "d"), ranked("b", "a", case="r")], [{"b", "d"}, {"b"}])
    found = ranking.summary(rows, np.array([0]))
    assert found["recall@1"] == 0 and found["recall@5"] == 1
    assert found["map"] == pytest.approx((1 / 2 + 2 / 4) / 2)
    assert found["precision@5"] == pytest.approx(2 / 5)
    assert ranking.summary(rows, np.array([0, 1]))["recall@1"] == 0.5


def test_what_is_not_listed_is_never_found():
    rows = ranking.rows([ranked("a", "b")], [{"a", "z"}])
    assert ranking.summary(rows, np.array([0]))["map"] == pytest.approx(0.5)


def test_average_precision_is_scikit_learns():
    rng = np.random.default_rng(0)
    ids = [str(k) for k in range(40)]
    scores, wanted = rng.random(40), rng.random(40) < 0.3
    order = np.argsort(-scores)
    rows = ranking.rows(
        [ranked(*(ids[k] for k in order))], [{i for i, so in zip(ids, wanted, strict=True) if so}]
    )
    assert ranking.summary(rows, np.array([0]))["map"] == pytest.approx(
        average_precision_score(wanted, scores)
    )


def test_a_query_for_nothing_is_left_out_and_counted():
    rows = ranking.rows([ranked("a"), ranked("a", case="r")], [set(), {"a"}])
    assert ranking.counts(rows)["map"] == 1 and ranking.excluded(rows) == {"nothing to be found": 1}
    assert ranking.summary(rows, np.array([0, 1]))["recall@1"] == 1


def test_a_case_that_stands_twice_is_refused():
    with pytest.raises(DataError, match="twice"):
        ranking.rows([ranked("a", "a")], [{"a"}])


def test_equally_near_cases_count_as_the_mean_over_all_their_orders():
    """Against every order of a ranking whose second to fifth case are equally near, one after the other."""
    ids, wanted = ["a", "b", "c", "d", "e", "f"], {"b": 1.0, "d": 0.5, "f": 0.25}
    tied = Ranking(case_ids=tuple(ids), distances=np.array([0.1, 0.2, 0.2, 0.2, 0.2, 0.3]))
    orders = [ranked("a", *middle, "f") for middle in itertools.permutations(ids[1:5])]
    each = ranking.rows(orders, [wanted] * len(orders))
    found = ranking.rows([tied], [wanted])
    for name in ("recall@1", "recall@5", "precision@5", "ndcg@10", "map@10", "map"):
        assert found[name][0] == pytest.approx(each[name].mean()), name


def test_ties_over_the_edge_of_what_is_looked_at():
    """Of twelve equally near cases one should be found: within the first k with the chance k / 12."""
    ids = tuple(map(str, range(12)))
    rows = ranking.rows([Ranking(case_ids=ids, distances=np.ones(12))], [{"7"}])
    assert [rows[f"recall@{k}"][0] for k in (1, 5, 10)] == pytest.approx([1 / 12, 5 / 12, 10 / 12])
    assert rows["map@10"][0] == pytest.approx(sum(1 / k for k in range(1, 11)) / 12)
    assert rows["map"][0] == pytest.approx(sum(1 / k for k in range(1, 13)) / 12)


def test_discounted_gain_is_scikit_learns_ties_and_all():
    rng = np.random.default_rng(1)
    ids, worth = [str(k) for k in range(15)], rng.choice([0.0, 0.5, 1.0], 15)
    far = np.round(rng.random(15), 1)
    order = np.argsort(far, kind="stable")
    answer = Ranking(case_ids=tuple(ids[k] for k in order), distances=far[order])
    truth = {i: w for i, w in zip(ids, worth, strict=True) if w}
    assert ranking.rows([answer], [truth])["ndcg@10"][0] == pytest.approx(ndcg_score([worth], [-far], k=10))


def test_of_a_list_that_was_cut_the_average_precision_is_not_known_but_at_10():
    answer = Ranking(case_ids=("a", "b"), distances=np.array([0.1, 0.2]), among=30)
    rows = ranking.rows([answer], [{"a", "z"}])
    assert np.isnan(rows["map"][0]) and rows["map@10"][0] == pytest.approx(0.5)
    assert ranking.counts(rows)["map"] == 0 and ranking.counts(rows)["map@10"] == 1


def test_the_label_by_the_nearest_is_right_or_not():
    label = Scores(labels=(Label(0, "x"), Label(1, "y")), p=np.array([0.2, 0.8]))
    answer = Ranking(case_ids=("a",), distances=np.array([0.1]), parts={"label": label})
    rows = ranking.rows([answer] * 3, [Kin({"a": 1.0}, ("y",)), Kin({"a": 1.0}, ("x",)), {"a"}])
    assert rows["accuracy"][:2].tolist() == [1, 0] and np.isnan(rows["accuracy"][2])


def test_a_ranking_that_does_not_ascend_is_refused():
    with pytest.raises(DataError, match="nearest case first"):
        ranking.rows([Ranking(case_ids=("a", "b"), distances=np.array([0.2, 0.1]))], [{"a"}])
