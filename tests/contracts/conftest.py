"""Scorecards of contract tests resample their cases fifty times, which is enough to see that there are intervals."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from vesalius.evaluate import scoring


@pytest.fixture(scope="session", autouse=True)
def few_resamples() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "scorecard", functools.partial(scoring.scorecard, resamples=50))
        yield
