"""A few studies, made once for all tests of the phantom."""

import pytest

from vesalius.phantom import Study, patient


@pytest.fixture(scope="session")
def studies() -> list[Study]:
    """Twelve patients on the small grid: four of each class."""
    return [patient(index, seed=11) for index in range(12)]
