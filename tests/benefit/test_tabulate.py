"""What was known before treatment, as numbers: what is missing, what nobody had, and the same words as everywhere."""

from __future__ import annotations

import math

import pytest

from vesalius.benefit import tabulate
from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.known import absent, word
from vesalius.prepare import covariates
from vesalius.survival.signature import tabled

ROWS = [
    {"age": 40.0, "stage": 1, "sex": "M"},
    {"age": 60.0, "stage": 2, "sex": "M"},
    {"age": 50.0, "stage": 2, "sex": "F"},
]


def test_a_missing_word_that_nobody_lacked_counts_as_the_usual_one_and_a_number_as_the_mean() -> None:
    about = tabulate.learn(ROWS, ("age", "stage", "sex"), ("stage", "sex"))
    assert tabulate.columns(about) == ("age", "stage 2", "sex M")
    assert tabulate.encode({"age": None, "stage": None, "sex": None}, about).tolist() == [50.0, 1.0, 1.0]
    assert tabulate.encode({"age": math.nan, "stage": 1.0, "sex": "F"}, about).tolist() == [50.0, 0.0, 0.0]


def test_a_word_that_others_lacked_has_a_bit_that_says_so() -> None:
    about = tabulate.learn([*ROWS, {"age": 50.0, "stage": None, "sex": "F"}], ("stage",), ("stage",))
    assert tabulate.columns(about) == ("stage 2", "stage known")
    assert tabulate.encode({"stage": None}, about).tolist() == [0.0, 0.0]
    assert tabulate.encode({"stage": 2}, about).tolist() == [1.0, 1.0]


def test_a_word_that_nobody_had_is_refused_and_not_taken_for_another() -> None:
    about = tabulate.learn(ROWS, ("age", "stage"), ("stage",))
    with pytest.raises(DataError, match="nothing was learned about 'stage' 4; try: one of"):
        tabulate.encode({"age": 50.0, "stage": 4}, about)
    with pytest.raises(DataError, match="'age' is a number"):
        tabulate.encode({"age": math.inf, "stage": 1}, about)


def test_what_is_missing_and_how_a_code_is_written_is_the_same_in_all_three_tables() -> None:
    assert absent(None) and absent(math.nan) and not absent(0.0) and not absent("") and not absent(math.inf)
    assert (word(2.0), word(2), word("2"), word(0.5)) == ("2", "2", "2", "0.5")
    known = [{"stage": 1.0}, {"stage": "2"}, {"stage": math.nan}, {"stage": None}]
    cases = [Case(str(k), {}, None, covariates=row) for k, row in enumerate(known)]
    learned = covariates.learn(covariates.summary(cases, ("stage",), ("stage",)), ("stage",), ("stage",))
    assert learned == {"stage": {"values": ["1", "2"], "missing": 2}}
    assert [covariates.encode(c, learned).tolist() for c in cases] == [
        [1, 0, 1],
        [0, 1, 1],
        [0, 0, 0],
        [0, 0, 0],
    ]
    assert tabulate.learn(known, ("stage",), ("stage",))["stage"]["values"] == ["1", "2"]
    table = tabled({"stage": [row["stage"] for row in known]})
    assert table.rows.tolist() == [0, 1] and table.names == ("stage: 2",)
