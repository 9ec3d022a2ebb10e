"""Metrics of several numbers, held against values worked out by hand."""

import numpy as np
import pytest

from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.value import Value
from vesalius.core.errors import DataError
from vesalius.core.promise import Promise
from vesalius.metrics import bootstrap, subset
from vesalius.metrics import numbers as judge
from vesalius.metrics import value as single

NAN = float("nan")


def promised(x, low=None, high=None, unit="1"):
    told = None if low is high is None else Promise(0.9, "so", interval=(low, high))
    return Value(x=x, unit=unit, promise=told)


def answers(*rows, unit="1"):
    return [
        Numbers(case_id=str(k), parts={n: promised(*v, unit=unit) for n, v in row.items()})
        for k, row in enumerate(rows)
    ]


ROWS = judge.rows(
    answers(
        {"red": (10.0, 8.0, 12.0), "white": (1.0,)},
        {"red": (20.0, 19.0, 21.0), "white": (2.0,)},
        {"red": (33.0, None, 40.0), "white": (0.0,)},
    ),
    [{"red": 8.0, "white": 0.0}, {"red": 25.0, "white": 2.0}, {"red": 30.0, "white": None}],
)


def test_figures_by_name_are_those_worked_out_by_hand():
    found = judge.summary(ROWS, np.arange(3))
    assert found["mae/red"] == pytest.approx((2 + 5 + 3) / 3)
    assert found["bias/red"] == pytest.approx((2 - 5 + 3) / 3)
    assert found["relative/red"] == pytest.approx((2 / 8 + 5 / 25 + 3 / 30) / 3)
    assert found["relative_total/red"] == pytest.approx(10 / 63)
    assert found["inside/red"] == pytest.approx(2 / 3), "8 lies on the bound, 25 beyond it, 30 below 40"
    assert found["width/red"] == pytest.approx((4 + 2) / 2), "an interval without a bound has no width"


def test_a_truth_of_nothing_is_left_out_of_the_relative_error_and_counted_in_the_total():
    found = judge.summary(ROWS, np.arange(3))
    assert found["relative/white"] == 0.0, "the one case whose truth is not 0 is right"
    assert found["relative_total/white"] == pytest.approx(1 / 2), (
        "and the one thing too many is not forgotten"
    )
    assert judge.counts(ROWS)["relative/white"] == 1 and judge.counts(ROWS)["mae/white"] == 2
    assert judge.excluded(ROWS) == {"unknown/white": 1, "zero/white": 1}


def test_what_is_not_known_counts_for_nothing():
    found, without = judge.summary(ROWS, np.arange(3)), judge.summary(ROWS, np.arange(2))
    assert found["mae/white"] == without["mae/white"] == pytest.approx(0.5)
    assert np.isnan(judge.summary(ROWS, np.array([2]))["mae/white"])
    assert "inside/white" not in found, "nothing was promised of it"


def test_each_name_has_the_figures_of_a_single_number():
    own = single.summary(single.from_arrays(np.array([10.0, 20, 33]), np.array([8.0, 25, 30])), np.arange(3))
    found = judge.summary(ROWS, np.arange(3))
    assert {name: found[f"{name}/red"] for name in own} == own


def test_the_mean_over_names_exists_where_it_is_something():
    alike = judge.summary(ROWS, np.arange(3))
    assert alike["mae"] == pytest.approx((10 / 3 + 0.5) / 2)
    mixed = judge.from_arrays(
        {"age": np.array([50.0, 60]), "volume": np.array([1.0, 2])},
        {"age": np.array([51.0, 63]), "volume": np.array([1.5, 2])},
        units={"age": "years", "volume": "ml"},
    )
    found = judge.summary(mixed, np.arange(2))
    assert "mae" not in found and "bias" not in found and found["r2"] == found["r2"]
    assert found["mae/age"] == 2.0 and mixed.info["unit"] is None
    assert mixed.info["units"] == {"age": "years", "volume": "ml"}


def test_two_tables_make_one():
    first, second = (judge.rows(answers(*a), t) for a, t in (
        ([{"red": (10.0, 8.0, 12.0), "white": (1.0,)}], [{"red": 8.0, "white": 0.0}]),
        ([{"red": (20.0, 19.0, 21.0), "white": (2.0,)}, {"red": (33.0, None, 40.0), "white": (0.0,)}],
         [{"red": 25.0, "white": 2.0}, {"red": 30.0}]),
    ))  # fmt: skip
    both = judge.joined(first, second)
    assert judge.summary(both, np.arange(3)) == pytest.approx(judge.summary(ROWS, np.arange(3)), nan_ok=True)
    part = subset(judge, ROWS, np.array([1, 2]))
    assert part.summary(part.rows, np.arange(2))["mae/red"] == 4.0


def test_intervals_are_over_patients():
    found = bootstrap(ROWS, judge.summary, patients=["a", "b", "c"], counts=judge.counts(ROWS), n=200)
    assert found["mae/red"].low <= 10 / 3 <= found["mae/red"].high and found["mae/white"].n == 2


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ([{"a": Value(x=1.0)}, {"b": Value(x=1.0)}], "other names"),
        ([{"a": Value(x=1.0, unit="ml")}, {"a": Value(x=1.0, unit="l")}], "different units"),
        ([{"a": Value(x=1.0)}, {"a": Value(x=NAN)}], "not a finite number"),
    ],
)
def test_answers_that_cannot_be_compared_are_refused(made, said):
    with pytest.raises(DataError, match=said):
        judge.rows([Numbers(parts=parts) for parts in made], [{"a": 1.0}, {"a": 2.0}])


def test_the_trivial_answer_is_the_mean_of_what_is_known():
    assert judge.baseline([{"a": 1.0, "b": None}, {"a": 3.0}, {"b": 5.0}]) == {"a": 2.0, "b": 5.0}
