"""Groups of cases by a column: words, codes, ages and other numbers; and what is not known stays unknown."""

from __future__ import annotations

import pytest

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.groups import Grouping, grouping, parse


def cases(column: str, *values: float | str | None) -> list[Case]:
    return [Case(str(k), {}, covariates={column: value}) for k, value in enumerate(values)]


def test_words_and_few_codes_are_groups_as_they_stand() -> None:
    found = cases("sex", "F", "M", None, "")
    by = grouping(found, "sex")
    assert [by.of(c) for c in found] == ["F", "M", None, None]
    found = cases("scanner", 1.0, 2.0, 1.0)
    assert [grouping(found, "scanner").of(c) for c in found] == ["1", "2", "1"]


def test_ages_lie_in_bands_whose_lower_bound_belongs_to_them() -> None:
    found = cases("age_years", 17.9, 18.0, 64.0, 65.0, 90.0, float("nan"))
    by = grouping(found, "age_years")
    assert [by.of(c) for c in found] == [
        "below 18",
        "18 to below 40",
        "40 to below 65",
        "65 to below 80",
        "from 80",
        None,
    ]


def test_other_numbers_lie_in_three_bands_of_these_cases_that_hold_for_others() -> None:
    found = cases("dose", *(float(k) + 0.5 for k in range(30)))
    by = grouping(found, "dose")
    sizes = [sum(by.of(c) == g for c in found) for g in dict.fromkeys(map(by.of, found))]
    assert sizes == [10, 10, 10]
    (other,) = cases("dose", 1000.0)
    assert by.of(other) == "from 20.5" and parse(by.json()) == by == Grouping("dose", (10.5, 20.5))


def test_a_site_is_a_cases_own_group_and_a_column_that_nobody_has_is_named() -> None:
    found = [Case("a", {}, group="north", covariates={"sex": "F"}), Case("b", {})]
    assert [grouping(found, "group").of(c) for c in found] == ["north", None]
    with pytest.raises(DataError, match="no case has a column 'site'") as caught:
        grouping(found, "site")
    assert "sex, group" in str(caught.value)
