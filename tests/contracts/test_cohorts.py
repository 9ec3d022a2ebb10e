"""What every layout must do, whoever wrote it: describe itself, look without failing, read or refuse in one line."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from vesalius import cohorts
from vesalius.core import registry
from vesalius.core.cohort import Cohort
from vesalius.core.errors import VesaliusError

LAYOUTS = sorted(registry.names("cohorts"))


def places(root: Path) -> list[Path]:
    """Folders and files of every sort that a layout may be shown."""
    empty, one, deep = root / "empty", root / "one.png", root / "deep" / "er"
    empty.mkdir()
    deep.mkdir(parents=True)
    Picture.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(one)
    Picture.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(deep / "x.png")
    (root / "broken.npz").write_bytes(b"PK\x03\x04 no archive")
    (root / "broken.csv").write_bytes(b"\x00\xff\xfe,\n\n,,,\x00")
    (root / "imagesTr").mkdir()
    (root / "dataset.json").write_text("[]")
    return [empty, one, root / "deep", root, root / "broken.npz", root / "broken.csv"]


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_describes_itself_and_has_the_two_functions(name: str) -> None:
    module = registry.lookup("cohorts", name)
    assert 10 < len(registry.names("cohorts")[name]) < 130
    assert list(inspect.signature(module.detect).parameters) == ["root"]
    read = inspect.signature(module.read).parameters
    assert list(read) == ["root", "options"] and read["options"].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_looks_at_anything_without_failing(name: str, tmp_path: Path) -> None:
    for place in places(tmp_path):
        seen = registry.lookup("cohorts", name).detect(place)
        if seen is not None:
            assert 0 < seen.confidence <= 1 and seen.reason and "\n" not in seen.reason


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_reads_or_refuses_in_one_line(name: str, tmp_path: Path) -> None:
    for place in places(tmp_path):
        try:
            cohort = cohorts.read(place, layout=name, max_set_aside=1.0)
        except VesaliusError as error:
            assert "\n" not in str(error) and str(error)
        else:
            assert isinstance(cohort, Cohort) and cohort.layout == name
            assert len({c.id for c in cohort.cases}) == len(cohort.cases)
            for case in cohort.cases:
                assert case.reference in case.images or (case.reference is None and case.courses)
                assert set(case.targets) <= set(cohort.targets)


def test_reading_a_cohort_loads_no_torch() -> None:
    code = "import sys, vesalius.cohorts, vesalius.reliability; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
