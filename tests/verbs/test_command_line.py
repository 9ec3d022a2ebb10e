"""The commands on the tiny fits: the words they print, the files they write, their exit codes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Picture
from typer.testing import CliRunner

import vesalius as vs
from vesalius.cli import app
from vesalius.cohorts._check import decode
from vesalius.core.errors import DataError, PlanError, VesaliusError

RUN = CliRunner()


def test_predict_and_evaluate(volumes: Any, tmp_path: Path) -> None:
    out = tmp_path / "answers"
    done = RUN.invoke(app, ["predict", str(volumes.path), str(volumes.data / "imagesTr"), "-o", str(out)])
    assert done.exit_code == 0, done.output
    assert "8 answered" in done.output and (out / "answers.csv").is_file()
    card = tmp_path / "card"
    arguments = [str(out), str(volumes.data), "--target", "mask", "--split", "all", "-o", str(card)]
    done = RUN.invoke(app, ["evaluate", *arguments])
    assert done.exit_code == 0, done.output
    assert "dice" in done.output and "8 cases" in done.output and (card / "report.html").is_file()
    found = json.loads((card / "scorecard.json").read_text())
    assert found["n_cases"] + found["left_out"] == 8 and found["left_out"] > 0, "training cases are left out"


def test_predict_with_a_bad_case_ends_with_one(volumes: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(volumes.data / "imagesTr" / "case-0000.nii.gz", data)
    (data / "broken.nii.gz").write_bytes(b"\x1f\x8b not a volume")
    done = RUN.invoke(app, ["predict", str(volumes.path), str(data), "-o", str(tmp_path / "out")])
    assert done.exit_code == 1, done.output
    assert "1 answered" in done.output and "broken" in done.output
    assert (tmp_path / "out" / "case-0000.nii.gz").is_file() and (tmp_path / "out" / "failed.csv").is_file()


def test_a_case_that_lacks_two_files_is_one_case_and_answered(volumes: Any, tmp_path: Path) -> None:
    image = volumes.data / "imagesTr" / "case-0000.nii.gz"
    done = RUN.invoke(app, ["predict", str(volumes.path), str(image), "-o", str(tmp_path / "out"), "--dicom"])
    assert done.exit_code == 1, done.output
    assert "1 answered, but without some of its files" in done.output
    assert "could not be answered" not in done.output


def test_pixels_that_are_no_numbers_are_a_bad_case_and_not_filled(volumes: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("case-0000", "case-0001"):
        shutil.copy(volumes.data / "imagesTr" / f"{name}.nii.gz", data)
    given = nib.load(data / "case-0001.nii.gz")
    values = given.get_fdata(dtype=np.float32)
    values[0, :2, 3] = np.nan, np.inf
    nib.save(nib.Nifti1Image(values, given.affine), data / "case-0001.nii.gz")
    reason = "2 pixels of 'image' are NaN or infinite"
    fault = decode(vs.read(data).case("case-0001")).fault
    assert fault is not None and fault.reason == reason, "as fit says it"
    done = RUN.invoke(app, ["predict", str(volumes.path), str(data), "-o", str(tmp_path / "out")])
    assert done.exit_code == 1, done.output
    assert "1 answered" in done.output and reason in done.output
    failed = (tmp_path / "out" / "failed.csv").read_text().splitlines()
    assert len(failed) == 2 and failed[1].startswith("case-0001,") and reason in failed[1]
    assert not (tmp_path / "out" / "case-0001.nii.gz").exists()
    with pytest.raises(DataError, match=reason):
        vs.predict(volumes.path, data / "case-0001.nii.gz")


def test_a_dry_run_prints_every_value_with_its_reason(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = RUN.invoke(app, ["fit", str(pictures.data), "--dry-run", "--set", "net.scale=0.125"])
    assert done.exit_code == 0, done.output
    for text in ("net.scale", "0.125", "set by the user", "train.steps", "data.normalise", "enough for"):
        assert text in done.output
    assert list(tmp_path.iterdir()) == []


def test_inspect_as_json(pictures: Any) -> None:
    done = RUN.invoke(app, ["inspect", str(pictures.data), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["result"]["summary"]["cases"] == 12


def test_every_command_that_reads_a_cohort_takes_the_layout_that_a_hint_may_name(
    pictures: Any, tmp_path: Path
) -> None:
    data, run = str(pictures.data.parent), str(pictures.path)
    for words, says in (
        (["inspect", data, "--layout", "nonsense"], "unknown layout"),
        (["fit", data, "--dry-run", "--layout", "nonsense"], "unknown layout"),
        (["evaluate", run, data, "--layout", "nonsense"], "unknown layout"),
        (["predict", run, data, "-o", str(tmp_path / "none"), "--layout", "nonsense"], "unknown layout"),
        (["fit", data, "--dry-run", "--layout", "plain"], "nothing to learn"),
        (["evaluate", run, data, "--layout", "plain"], ""),
    ):
        done = RUN.invoke(app, words)
        assert isinstance(done.exception, VesaliusError) and says in str(done.exception), words
    out = tmp_path / "answers"
    done = RUN.invoke(app, ["predict", run, data, "-o", str(out), "--layout", "plain"])
    assert done.exit_code == 0, done.output
    assert len((out / "answers.csv").read_text().splitlines()) == 13


@pytest.mark.parametrize("wrong", ["nothing", "a warning", "an error"])
def test_inspect_ends_with_one_where_there_are_errors_and_writes_all_of_it_either_way(
    wrong: str, tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    for k in range(12):
        place = tmp_path / "data" / ("ill" if k % 2 else "well") / f"{k}.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        Picture.fromarray(rng.integers(0, 255, (24, 24), dtype=np.uint8)).save(place)
    if wrong == "a warning":
        (tmp_path / "data" / "ill" / "9.png").write_bytes(b"\x89PNG")
    if wrong == "an error":  # one picture under two labels
        (tmp_path / "data" / "ill" / "again.png").write_bytes(
            (tmp_path / "data" / "well" / "0.png").read_bytes()
        )
    page = tmp_path / "page.html"
    done = RUN.invoke(app, ["inspect", str(tmp_path / "data"), "--json", "--html", str(page)])
    found = {f["severity"] for f in json.loads(done.stdout)["result"]["findings"]}
    assert done.exit_code == {"nothing": 0, "a warning": 0, "an error": 1}[wrong]
    assert ("error" in found) == (wrong == "an error") and ("warning" in found) == (wrong == "a warning")
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    again = RUN.invoke(app, ["inspect", str(tmp_path / "data")])
    assert again.exit_code == done.exit_code and "well" in again.stdout
    assert RUN.invoke(app, ["inspect", str(tmp_path / "nowhere")]).exit_code != 0


def test_a_plan_for_a_run_that_is_resumed_is_refused(pictures: Any) -> None:
    plan = str(pictures.path / "plan.json")
    done = RUN.invoke(app, ["fit", str(pictures.data), "-o", str(pictures.path), "--resume", "--plan", plan])
    said = "a run that is resumed follows its own plan; found --plan and --resume; try: one of the two"
    assert str(done.exception) == said and isinstance(done.exception, PlanError)


def test_a_mistake_names_itself(pictures: Any, tmp_path: Path) -> None:
    done = RUN.invoke(app, ["fit", str(pictures.data), "-o", str(tmp_path / "r"), "--set", "train.step=4"])
    assert done.exit_code != 0 and "train.steps" in str(done.exception) and not (tmp_path / "r").exists()
