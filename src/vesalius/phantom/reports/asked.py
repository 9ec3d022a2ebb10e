"""Asked: what a cohort with reports is written with: which writers, how often sides are wrong, who is in the test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from vesalius.core.errors import DataError
from vesalius.phantom.common.streams import stream
from vesalius.phantom.reports.content import Content, Written
from vesalius.phantom.reports.style import chosen_styles
from vesalius.phantom.reports.writing import write

WRITERS = "1,2,3,4,5,6"  # unless others are asked for
TEST_EVERY = 4  # with writers of the test, every fourth patient is in it
TEST_SEED = 1_000_003  # what is added to the seed of patients of the test


@dataclass(frozen=True)
class Asked:
    """What reports are written with.

    `styles` are writers, one drawn a patient. With `test_styles` every fourth patient is in the test, is drawn from
    other random numbers, and its report is of one of those writers. `wrong_sides` is the share of findings whose side
    is exchanged, `earlier` the share of patients with an earlier study.
    """

    styles: tuple[int, ...]
    test_styles: tuple[int, ...] = ()
    wrong_sides: float = 0.0
    earlier: float = 0.0

    def split(self, index: int) -> Literal["train", "test"] | None:
        """Return in which part of the cohort a patient is, if it has parts."""
        if not self.test_styles:
            return None
        return "test" if index % TEST_EVERY == TEST_EVERY - 1 else "train"

    def seed(self, index: int, seed: int) -> int:
        """Return the seed of all that is drawn of a patient."""
        return seed + TEST_SEED if self.split(index) == "test" else seed

    def report(self, content: Content, random: np.random.Generator, *, index: int) -> Written:
        """Return a patient's report by one of its writers."""
        among = self.test_styles if self.split(index) == "test" else self.styles
        return write(content, among[int(random.integers(len(among)))], random, wrong_sides=self.wrong_sides)

    def has_earlier(self, index: int, seed: int, purpose: int) -> bool:
        """Return whether a patient has an earlier study."""
        return bool(stream(self.seed(index, seed), index, purpose).random() < self.earlier)


def asked_for(styles: object, test_styles: object, wrong_sides: float, earlier: float) -> Asked:
    """Return what options of these names ask for. Raises DataError for what there is not, or out of its range."""
    for name, value in (("wrong_sides", wrong_sides), ("earlier", earlier)):
        if not 0 <= value <= 1:
            raise DataError(f"option {name} of a phantom with reports lies from 0 to 1", found=f"{value:g}")
    test = chosen_styles(test_styles, "test_styles") if test_styles != "" else ()
    return Asked(chosen_styles(styles), test, wrong_sides, earlier)


def assert_unasked(styles: object, test_styles: object, wrong_sides: float, earlier: float) -> None:
    """Raise DataError for options of reports in a cohort without any: nobody would see that they did nothing."""
    usual = (
        styles in (WRITERS, chosen_styles(WRITERS)) and test_styles == "" and not wrong_sides and not earlier
    )
    if not usual:
        raise DataError(
            "options of reports need a cohort with reports",
            found=f"styles {styles}, test_styles '{test_styles}', wrong_sides {wrong_sides:g}, earlier {earlier:g}",
            hint="reports=true beside them",
        )
