"""Figures of rankings against cases worked out by hand, and against scikit-learn's average precision."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from vesalius.core.answers.ranking import Ranking
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
