"""Means over cases: worked out by hand, whatever some cases lack."""

from __future__ import annotations

import csv
import io

import pytest

from vesalius.explain.summary import over_cases
from vesalius.run.ledger import as_csv

ROWS = [
    {
        "case": "a",
        "asked": "bad",
        "method": "lime",
        "fails": "",
        "gain": "1.0",
        "pointing x": "1",
        "pieces": "60",
    },
    {"case": "b", "asked": "bad", "method": "lime", "fails": "no better", "gain": "2.0", "pointing x": ""},
    {"case": "c", "asked": "bad", "method": "lime", "fails": "", "gain": "6.0", "pointing x": "0"},
    {"case": "a", "asked": "bad", "method": "rollout", "fails": "no class token", "gain": ""},
]


def test_all_maps_count_and_a_figure_is_of_the_cases_that_have_it() -> None:
    found = {(r["method"], r["figure"]): r for r in over_cases(ROWS, {"a": "p", "b": "q", "c": "r"})}
    assert {m for m, _ in found} == {"lime"} and {f for _, f in found} == {"holds", "gain", "pointing x"}
    gain, pointing = found["lime", "gain"], found["lime", "pointing x"]
    assert (gain["mean"], gain["cases"]) == (3.0, 3) and 1.0 <= gain["low"] < 3.0 < gain["high"] <= 6.0
    assert (pointing["mean"], pointing["cases"]) == (0.5, 2)
    assert found["lime", "holds"]["mean"] == pytest.approx(2 / 3, abs=1e-4)


def test_one_patient_alone_has_no_interval_and_the_table_says_so() -> None:
    table = list(csv.DictReader(io.StringIO(as_csv(over_cases(ROWS[:1], {})))))
    assert {r["figure"]: (r["mean"], r["low"]) for r in table} == {
        "holds": ("1.0", ""), "gain": ("1.0", ""), "pointing x": ("1.0", "")
    }  # fmt: skip
