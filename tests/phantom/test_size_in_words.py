"""A grid given on the command line is the one that Python takes as a tuple."""

from __future__ import annotations

import pytest

from vesalius.phantom import chosen


@pytest.mark.parametrize(
    ("text", "read"), [("12,32,32", (12, 32, 32)), ("12, 32, 32", (12, 32, 32)), ("full", "full")]
)
def test_a_grid_is_read_as_numbers(text: str, read: object) -> None:
    assert chosen("ct", {"size": text})["size"] == read
