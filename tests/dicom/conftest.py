"""A small DICOM study to write into, and the judge of what was written: dciodvfy."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from _studies import make_study

from vesalius.core.image import Image


@pytest.fixture(scope="session")
def dciodvfy() -> Callable[[Path], list[str]]:
    """The errors that dciodvfy finds in a file; the test is skipped, and says so, where it is not installed."""
    tool = shutil.which("dciodvfy")
    if tool is None:
        pytest.skip("dciodvfy is not installed (Debian: dicom3tools)")

    def errors(path: Path) -> list[str]:
        done = subprocess.run(
            [tool, str(path)], capture_output=True, text=True, errors="replace", timeout=300
        )
        assert done.stderr, "dciodvfy names at least the IOD"
        return [line for line in done.stderr.splitlines() if line.startswith("Error")]

    return errors


@pytest.fixture(scope="session")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """A small oblique, anisotropic CT series, read from its files."""
    return make_study(tmp_path_factory.mktemp("ct"))
