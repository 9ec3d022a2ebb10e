"""Strategies of what to label next, held against cases worked by hand and against a search over all subsets."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from vesalius.core.errors import DataError, UnknownName
from vesalius.core.index import unit
from vesalius.core.registry import names
from vesalius.run import strategies
from vesalius.run.pool import Seen, pool_of
from vesalius.run.strategies.contract import Pool

EVERY = sorted(names("run.strategies"))


def pool(n: int = 40, seed: int = 0, *, labelled: int = 0, groups: int | None = None) -> Pool:
    draw = np.random.default_rng(seed)
    return Pool(
        unsure=draw.random(n),
        vectors=unit(draw.normal(size=(n, 6))),
        found=np.where(draw.random(n) < 0.3, draw.random(n), 0.0),
        groups=np.arange(n) if groups is None else draw.integers(0, groups, n),
        labelled=unit(draw.normal(size=(labelled, 6))) if labelled else None,
    )


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("name", EVERY)
def test_every_strategy_takes_each_case_once_and_one_of_each_group(name: str) -> None:
    strategy, of = strategies.get(name), pool(groups=12)
    chosen = strategy(of, 30, generator())
    assert len(chosen) == len(set(chosen)) == len({of.groups[k] for k in chosen}) == len(set(of.groups))
    assert chosen == strategy(of, 30, generator()), "the same seed, the same cases"
    assert len(strategy(of, 5, generator(1))) == 5 and strategy(of, 0, generator()) == []
    assert strategy.name == name


@pytest.mark.parametrize("name", EVERY)
def test_a_strategy_that_lacks_what_it_needs_says_so(name: str) -> None:
    bare = Pool(None, None, None, np.arange(4))
    strategy = strategies.get(name)
    if not strategy.needs:
        assert sorted(strategy(bare, 4, generator())) == [0, 1, 2, 3]
        return
    with pytest.raises(DataError, match=f"the strategy {name} cannot choose; found no {strategy.needs[0]}"):
        strategy(bare, 2, generator())


def test_an_unknown_strategy_names_the_closest() -> None:
    with pytest.raises(UnknownName, match="uncertainty"):
        strategies.get("uncertain")


def test_uncertainty_is_in_order_and_what_is_unknown_comes_last() -> None:
    of = Pool(np.array([0.1, np.nan, 0.9, 0.5, 0.9]), None, None, np.array([0, 1, 2, 3, 4]))
    order = strategies.get("uncertainty")(of, 5, generator())
    assert set(order[:2]) == {2, 4} and order[2:] == [3, 0, 1]
    firsts = {strategies.get("uncertainty")(of, 1, generator(k))[0] for k in range(20)}
    assert firsts == {2, 4}, "of equals it is drawn which comes first, not the pool's own order"


def test_core_set_is_within_twice_the_best_radius() -> None:
    """Against the best of all subsets: k-centre greedy is a 2-approximation (Gonzalez 1985)."""
    of = pool(12, seed=4, labelled=1)
    assert of.vectors is not None and of.labelled is not None
    far = np.linalg.norm(of.vectors[:, None] - of.vectors[None], axis=-1)
    begun = np.linalg.norm(of.vectors - of.labelled[0], axis=-1)

    def radius(chosen: tuple[int, ...]) -> float:
        return float(np.minimum(begun, far[:, chosen].min(axis=1)).max())

    chosen = strategies.get("coreset")(of, 3, generator())
    assert radius(tuple(chosen)) <= 2 * min(radius(c) for c in combinations(range(12), 3))
    assert chosen[0] == int(begun.argmax()), "the farthest from what is labelled comes first"


def test_both_takes_the_unsure_of_two_far_ones_and_not_two_of_one_place() -> None:
    """By hand: two places at right angles to what is labelled; in each a sure and an unsure case."""
    vectors = np.array([[0, 1, 0], [0, 1, 0], [0, 0, 1], [0, 0, 1], [1, 0, 0]], np.float64)
    of = Pool(np.array([0.9, 0.8, 0.1, 0.3, 1.0]), vectors, None, np.arange(5), np.array([[1.0, 0, 0]]))
    assert strategies.get("both")(of, 2, generator()) == [0, 3]  # the most unsure of all is labelled already
    assert strategies.get("uncertainty")(of, 2, generator()) == [4, 0]
    drawn = [tuple(sorted(strategies.get("both-drawn")(of, 2, generator(k)))) for k in range(50)]
    assert all(4 not in pair and set(pair) not in ({0, 1}, {2, 3}) for pair in drawn), "no place twice"
    assert sum(0 in pair for pair in drawn) > sum(1 in pair for pair in drawn) - 15


def test_foreground_takes_two_in_three_where_something_is_found() -> None:
    of = pool(300)
    assert of.found is not None
    shares = [np.mean(of.found[strategies.get("foreground")(of, 30, generator(k))] > 0) for k in range(20)]
    assert min(shares) >= 2 / 3 and np.mean(shares) == pytest.approx(2 / 3 + 0.3 / 3, abs=0.06)
    none = Pool(None, None, np.zeros(10), np.arange(10))
    assert len(strategies.get("foreground")(none, 6, generator())) == 6


def test_random_takes_patients_evenly_as_long_as_they_last() -> None:
    of = Pool(None, None, None, np.array([0] * 50 + [1, 2]))
    assert sorted(of.groups[strategies.get("random")(of, 3, generator())]) == [0, 1, 2]


def test_a_pool_is_compared_about_its_mean_together_with_what_is_labelled() -> None:
    seen = [Seen("a", {"entropy": 0.1, "margin": None}, vector=np.array([5.0, 1], np.float32))]
    seen += [Seen("b", {"entropy": None, "margin": None}, vector=np.array([5.0, 3], np.float32))]
    made = pool_of(seen, ["x", "x"], np.array([[5.0, 2]]), by=0)
    assert made.vectors is not None and made.labelled is not None
    np.testing.assert_allclose(made.vectors, [[0, -1], [0, 1]], atol=1e-6)
    np.testing.assert_allclose(made.labelled, [[0, 0]], atol=1e-6)
    assert made.groups.tolist() == [0, 0] and made.found is None
    assert made.unsure is not None and made.unsure[0] == 0.1 and np.isnan(made.unsure[1])
    assert pool_of(seen, ["x", "y"], None, by=1).unsure is None, "a measure that says nothing of any case"
    assert pool_of(seen, ["x", "y"], np.ones((3, 7)), by=0).labelled is None, "features of another model"
