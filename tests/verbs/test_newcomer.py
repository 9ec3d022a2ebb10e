"""What a newcomer reads: each reason once, hints that lead on, words no surer than what is known."""

from __future__ import annotations

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow
from typer.testing import CliRunner

import vesalius as vs
from vesalius.cli import app
from vesalius.core.errors import BundleError, MismatchError, OutputError
from vesalius.run.facts import _by_clock, _steps
from vesalius.run.members import Outcome
from vesalius.run.workspace import untouched


def pictures(folder: Path, n: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for k in range(n):
        Pillow.fromarray(rng.integers(0, 255, (24, 24), dtype=np.uint8)).save(folder / f"p{k}.png")
    return folder


def test_where_every_case_lacks_spacing_nothing_is_written(volumes: Any, tmp_path: Path) -> None:
    with pytest.raises(MismatchError, match="none of 3 cases can be answered.*reads volumes"):
        vs.predict(volumes.path, pictures(tmp_path / "some", 3), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_reason_that_cases_share_is_said_once_and_names_no_case_twice(volumes: Any, tmp_path: Path) -> None:
    some = pictures(tmp_path / "some", 4)
    shutil.copy(next((volumes.data / "imagesTr").glob("*.nii.gz")), some / "good.nii.gz")
    done = CliRunner().invoke(app, ["predict", str(volumes.path), str(some), "-o", str(tmp_path / "out")])
    assert done.exit_code == 1 and "1 answered in" in done.output
    told = [x for x in done.output.splitlines() if "reads volumes" in x and not x.startswith("not answered")]
    assert len(told) == 1 and "p0, p1, p2 … (4 in all): this model reads volumes" in told[0]
    assert done.output.count("not answered: ") == 1 and "case p0" not in done.output
    with (tmp_path / "out" / "failed.csv").open() as file:
        assert [r["case"] for r in csv.DictReader(file)] == ["p0", "p1", "p2", "p3"]


def test_a_run_without_a_bundle_is_not_taken_for_predictions(volumes: Any, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text("{}")
    with pytest.raises(BundleError, match="fit --resume"):
        vs.evaluate(tmp_path / "run", volumes.data)
    with pytest.raises(OutputError, match="--resume to go on"):
        untouched(tmp_path / "run")


def test_steps_are_told_of_those_planned_at_first(volumes: Any) -> None:
    plan = volumes.run.plan
    gone = Outcome((), (), {}, False, ((279, 331), (311, 331)))
    assert (_steps(plan, gone), _by_clock(gone)) == ("279, 311 of 331", "no, but shortened by it")
    mixed = replace(gone, steps=((279, 331), (340, 340)))
    assert _steps(plan, mixed) == "279 of 331, 340"
    full = replace(gone, steps=((500, 500), (500, 500)))
    assert (_steps(plan, full), _by_clock(full)) == ("500", "no")
    assert _by_clock(replace(gone, ran_out=True)) == "yes"
