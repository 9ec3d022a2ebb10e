"""Conditions on the cases of an index, by hand: words, numbers, spans, what is unknown and what nobody has."""

from __future__ import annotations

import numpy as np
import pytest

from vesalius.core.errors import DataError
from vesalius.core.index import Entry, Index
from vesalius.retrieve.where import chosen

ENTRIES = (
    Entry("a", "benign", covariates={"sex": "F", "age": 40.0}, modality="CT"),
    Entry("b", "malignant", covariates={"sex": "m", "age": 60.0}, modality="MR"),
    Entry("c", "benign", covariates={"sex": "F", "age": 60.5}, modality="CT"),
    Entry("d", covariates={"sex": "F"}),
)


def index(**told: bool) -> Index:
    return Index("b", "d", "", np.eye(4, dtype=np.float32), ENTRIES, target="lesion", **told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("where", "places", "unknown"),
    [
        ({"sex": "F"}, [0, 2, 3], 0),
        ({"sex": "M"}, [1], 0),
        ({"age": "40..60"}, [0, 1], 1),
        ({"age": "60.."}, [1, 2], 1),
        ({"age": "..40"}, [0], 1),
        ({"age": "60"}, [1], 1),
        ({"modality": "ct"}, [0, 2], 1),
        ({"lesion": "benign"}, [0, 2], 1),
        ({"target": "benign,malignant"}, [0, 1, 2], 1),
        ({"sex": "F", "age": "50..70", "modality": "CT"}, [2], 1),
        ({"sex": "m", "modality": "CT"}, [], 1),
    ],
)
def test_what_is_left(where: dict[str, str], places: list[int], unknown: int) -> None:
    found = chosen(index(), where)
    assert found.places.tolist() == places and found.unknown == unknown


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"weight": "60"}, "no case of the index has 'weight'"),
        ({"sex": "X"}, "sex=X"),
        ({"age": "60..40"}, "is no span"),
        ({"age": ".."}, "is no span"),
        ({"age": "old..60"}, "is no span"),
        ({"sex": "1..2"}, "is no number"),
        ({"sex": " , "}, "nothing is asked"),
    ],
)
def test_what_is_refused(where: dict[str, str], said: str) -> None:
    with pytest.raises(DataError, match=said):
        chosen(index(), where)


def test_an_index_of_before_covariates_were_kept_says_so() -> None:
    with pytest.raises(DataError, match="keeps nothing by which"):
        chosen(index(told=False), {"sex": "F"})
