"""Suppression: no figure of a few patients can be worked out from what is shown, alone or from several groupings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import numpy as np
import pytest

from vesalius.evaluate.suppression import LEFT_OUT, Key, thinned, withheld


def keys(text: str) -> list[Key]:
    return [(letter,) for letter in text]


def people(n: int) -> list[str]:
    return [f"p{k:03d}" for k in range(n)]


def worked_out(
    groupings: Mapping[Key, Sequence[Key]], hidden: Mapping[Key, Mapping[Key, str]], smallest: int
) -> list[set[int]]:
    """Every set of 1 to `smallest` - 1 cases that whole sums and differences of what is shown come to."""
    n = len(next(iter(groupings.values())))
    shown = [np.ones(n, dtype=int)]
    for columns, each in groupings.items():
        shown += [
            np.array([k == key for k in each], dtype=int) for key in set(each) if key not in hidden[columns]
        ]
    found = []
    for weights in product((-1, 0, 1), repeat=len(shown)):
        total = sum(w * s for w, s in zip(weights, shown, strict=True))
        cases = set(np.flatnonzero(np.asarray(total)))
        if 0 < len(cases) < smallest and set(np.unique(total)) <= {0, 1}:
            found.append({int(c) for c in cases})
    return found


CASES = {
    "one small": {("sex",): keys("F" * 40 + "M" * 3)},
    "one small of three": {("sex",): keys("F" * 40 + "M" * 30 + "X" * 3)},
    "two small that are enough together": {("sex",): keys("F" * 40 + "M" * 30 + "X" * 6 + "Y" * 5)},
    "two small that are not": {("sex",): keys("F" * 40 + "M" * 30 + "X" * 2 + "Y" * 3)},
    "nearly the same twice": {("site",): keys("A" * 40 + "B" * 30), ("scan",): keys("A" * 43 + "B" * 27)},
    "a cell of two columns": {
        ("s",): keys("F" * 40 + "M" * 40),
        ("a",): keys("o" * 4 + "y" * 36 + "o" * 20 + "y" * 20),
        ("s", "a"): list(zip("F" * 40 + "M" * 40, "o" * 4 + "y" * 36 + "o" * 20 + "y" * 20, strict=True)),
    },
}


@pytest.mark.parametrize("thin", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_nothing_small_can_be_worked_out(name: str, thin: bool) -> None:
    groupings = CASES[name]
    who = people(len(next(iter(groupings.values()))))
    if thin:
        rng = np.random.default_rng(0)
        groupings = {c: thinned(k, who, 10, rng) for c, k in groupings.items()}
    hidden = withheld(groupings, who, 10)
    assert worked_out(groupings, hidden, 10) == []


def test_without_care_it_could_be() -> None:
    groupings = CASES["one small of three"]
    only_small: dict[Key, dict[Key, str]] = {("sex",): {("X",): "fewer"}}
    assert worked_out(groupings, only_small, 10) == [{70, 71, 72}]


def test_patients_are_left_out_rather_than_a_whole_group_withheld() -> None:
    before = CASES["one small of three"][("sex",)]
    after = thinned(before, people(73), 10, np.random.default_rng(0))
    assert sum(key == (LEFT_OUT,) for key in after) == 7  # with the three of X they are ten
    hidden = withheld({("sex",): after}, people(73), 10)[("sex",)]
    assert set(hidden) == {("X",), (LEFT_OUT,)}


def test_nobody_is_left_out_where_no_group_is_small_and_all_cases_of_a_patient_go_together() -> None:
    plain = keys("F" * 12 + "M" * 12)
    assert thinned(plain, people(24), 10, np.random.default_rng(0)) == plain
    twice = [p for p in people(30) for _ in range(2)]
    after = thinned(keys("F" * 28 + "M" * 26 + "X" * 6), twice, 10, np.random.default_rng(1))
    out = {p for p, key in zip(twice, after, strict=True) if key == (LEFT_OUT,)}
    assert len(out) == 7  # with the three of X they are ten
    assert all(sum(key == (sex,) for key in after) >= 20 for sex in "FM")  # neither became small
    assert all(key == (LEFT_OUT,) for p, key in zip(twice, after, strict=True) if p in out)


def test_a_group_that_is_all_cases_and_a_few_of_them_are_withheld_and_that_is_all() -> None:
    for text in ("F" * 4, "F" * 4 + "M" * 3, "F" * 40):
        found = withheld({("sex",): keys(text)}, people(len(text)), 10)[("sex",)]
        assert set(found) == ({(c,) for c in text} if len(text) < 10 else set())
        assert thinned(keys(text), people(len(text)), 10, np.random.default_rng(0)) == keys(text)


def test_one_group_of_many_cases_of_few_patients_is_small() -> None:
    who = ["a", "b"] * 20 + people(40)
    hidden = withheld({("sex",): keys("F" * 40 + "M" * 40)}, who, 10)[("sex",)]
    assert hidden[("F",)].startswith("fewer than 10 patients") and ("M",) in hidden
