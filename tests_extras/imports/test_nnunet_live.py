"""nnU-Net itself plans, trains and answers, and its models are imported: in an environment that has nnunetv2.

    NNUNET_PYTHON=ENV/bin/python pytest tests_extras/imports/test_nnunet_live.py

It takes some minutes; the suite holds the same against recordings (tests/imports/test_nnunet_results.py).
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.imports._fields import case_of, probabilities

from vesalius.imports.contract import Told
from vesalius.imports.origins import nnunet

PYTHON = os.environ.get("NNUNET_PYTHON", "")
MAKE = Path(__file__).parent / "make_nnunet.py"

pytestmark = pytest.mark.skipif(not PYTHON, reason="NNUNET_PYTHON names no Python that has nnunetv2")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("nnunet")
    subprocess.run([PYTHON, str(MAKE), str(out)], check=True, capture_output=True, timeout=1800)
    return out


@pytest.mark.parametrize("kind", ["ct", "mr", "flat"])
def test_a_model_that_was_made_just_now_answers_as_nnunet(kind: str, made: Path) -> None:
    folder = next(p for p in (made / kind).iterdir() if p.is_dir())
    brought = nnunet.bring(folder, Told())
    paths = dict(zip(brought.plan.data.images, sorted((made / kind).glob("image_*.nii.gz")), strict=True))
    found = probabilities(brought, case_of(paths))
    with np.load(made / kind / "answer.npz") as recorded:
        wanted = recorded["steps"] / 65535
    inside = wanted.sum(axis=0) > 0
    assert np.abs(found[1:] - wanted)[:, inside].max() < 1e-4
