"""Parts of statistics: merged, told in JSON, put under a key, or refused by name."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vesalius.core.case import Case
from vesalius.core.distinct import Distinct
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.histogram import Histogram
from vesalius.core.image import Image
from vesalius.core.moments import Moments
from vesalius.core.statistics import Cases, Statistics, columns
from vesalius.core.tally import Tally

ROWS = st.lists(st.lists(st.sampled_from(["a", "b", "c", None, ("d", 2)]), max_size=4), max_size=8)


@given(ROWS, ROWS)
def test_tallies_are_merged_as_if_they_had_been_one(one: list[list[str]], two: list[list[str]]) -> None:
    whole = Tally.of_each([*one, *two])
    assert (
        Tally.of_each(one).merged(Tally.of_each(two))
        == Tally.of_each(two).merged(Tally.of_each(one))
        == whole
    )
    assert whole.counts == Counter(v for row in [*one, *two] for v in set(row)) and whole.n == len(one) + len(
        two
    )
    assert Tally.parse(json.loads(json.dumps(whole.json()))) == whole


def test_a_tally_counts_things_in_the_order_of_their_appearance() -> None:
    found = Tally.of(["b", "a", "b"]).merged(Tally.of(["c", "a"]))
    assert list(found) == ["b", "a", "c"] and (found.n, found["a"], found["x"], len(found)) == (5, 2, 0, 3)
    assert Tally.summed([{1: 300, 2: 5}, {1: 7}]) == Tally(2, {1: 307, 2: 5})


def test_patients_are_counted_once_and_told_under_a_key_alone() -> None:
    here, there = Distinct.of(["p1", "p2", 7, 7.0]), Distinct.of(["p2", "p3", "7"])
    assert len(here) == 3 and len(here.merged(there)) == 5
    with pytest.raises(DataError, match="may name a patient are not written down"):
        here.json()
    told = [Distinct.parse(json.loads(json.dumps(d.keyed(b"ours").json()))) for d in (here, there)]
    assert len(told[0].merged(told[1])) == 5 and "p2" not in str(told)
    for other in (there, there.keyed(b"theirs")):
        with pytest.raises(DataError, match="different keys cannot be told apart"):
            told[0].merged(other)
    for keyed in (lambda: here.keyed(b""), lambda: told[0].keyed(b"ours")):
        with pytest.raises(DataError, match="under a key once"):
            keyed()


def statistics(numbers: list[float]) -> Statistics:
    return Statistics(
        {
            "age": Moments.of(numbers),
            "sizes": columns([(n, 2 * n) for n in numbers], ("y", "x")),
            "sex": Tally.of("FM"[int(n) % 2] for n in numbers),
            "patients": Distinct.of(str(n) for n in numbers),
        }
    )


def test_statistics_are_merged_rounded_and_told_part_by_part() -> None:
    one, two = statistics([1.0, 1000.7]), statistics([3.0, 1.0])
    both = one.merged(two)
    assert (
        both.part("age", Moments).n == 4
        and both.part("sizes", Statistics).part("x", Histogram).high == 2001.4
    )
    assert len(both.part("patients", Distinct)) == 3 and both.merged(Statistics()) == both
    told = both.rounded(8).keyed(b"ours").json()
    again = Statistics.parse(json.loads(json.dumps(told)))
    assert again.json() == told and again.part("sizes", Statistics).part("y", Histogram).high == 1000.0
    assert again.part("age", Moments) == both.part("age", Moments)
    assert Statistics.parse(Statistics({"none": Moments()}).json()).part("none", Moments) == Moments()


def test_what_is_not_there_or_does_not_fit_is_refused_by_name() -> None:
    found = statistics([1.0])
    with pytest.raises(UnknownName, match="unknown Moments 'ages'; try: closest: 'age'|closest: age"):
        found.part("ages", Moments)
    with pytest.raises(UnknownName, match="unknown Moments 'sex'"):
        found.part("sex", Moments)
    with pytest.raises(DataError, match="'age' cannot be merged; found Moments and Tally"):
        found.merged(Statistics({"age": Tally()}))
    with pytest.raises(DataError, match="'age' are damaged"):
        Statistics.parse({"age": {"sketch": {}}})
    with pytest.raises(DataError, match="'age' are damaged"):
        Statistics.parse({"age": {"moments": {"mean": 3}}})


def test_cases_are_merged_here_and_never_sent() -> None:
    picture = Image(np.zeros((1, 1, 2, 2)))
    one, two = (Cases.of([Case(name, {"image": picture})]) for name in "ba")
    both = Statistics({"cases": one}).merged(Statistics({"cases": two}))
    assert both == Statistics({"cases": two.merged(one)}) and both != Statistics({"cases": one})
    assert [c.id for c in both.part("cases", Cases).cases] == ["a", "b"]
    with pytest.raises(DataError, match="'cases' cannot be sent; found Cases"):
        both.json()
