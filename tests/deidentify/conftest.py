"""A key that is no secret, and the programs that some tests need."""

from __future__ import annotations

import shutil

import pytest

from vesalius.deidentify.key import Key


@pytest.fixture
def key() -> Key:
    return Key(bytes(range(32)))


@pytest.fixture
def tesseract() -> str:
    """The program; the test is skipped, and says so, where it is not installed."""
    found = shutil.which("tesseract")
    if found is None:
        pytest.skip("tesseract is not installed (Debian: tesseract-ocr)")
    return found
