"""A few studies, made once for all tests of the phantom."""

import pytest

from vesalius.phantom.ct import AbdomenPatient, patient


@pytest.fixture(scope="session")
def studies() -> list[AbdomenPatient]:
    """Twelve patients on the small grid: four of each class."""
    return [patient(index, seed=11) for index in range(12)]
