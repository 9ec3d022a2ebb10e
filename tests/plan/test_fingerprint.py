"""Fingerprint: what the training cases have in common, or the error that they have nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vesalius.core.case import Case
from vesalius.core.cohort import Cohort
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.plan.facts import facts
from vesalius.plan.fingerprint import fingerprint


def test_cases_without_an_image_in_common_are_refused_in_words() -> None:
    image = Image(array=np.arange(64, dtype=np.uint8).reshape(1, 1, 8, 8))
    cases = [Case(f"c{k}", {name: image}, reference=name) for k, name in enumerate(["PA", "PA", "lateral"])]
    measured = {c.id: facts(image, None) for c in cases}
    cohort = Cohort(root=Path(), layout="table", cases=tuple(cases))
    with pytest.raises(
        DataError, match="3 cases to learn from have no image in common; found 'PA' in 2, 'lateral' in 1"
    ):
        fingerprint(cohort, measured, cases, None)
    assert fingerprint(cohort, measured, cases[:2], None).images == ("PA",)
