"""Doubt, isotonic calibration and operating points through the front door: fit, predict, its folder, its table."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from typer.testing import CliRunner

import vesalius as vs
from vesalius import formats
from vesalius.cli import app
from vesalius.core.bundle import open_bundle, save_bundle
from vesalius.core.errors import OutputError, PlanError, VesaliusError

SMALL = {
    "net.scale": 0.125,
    "train.threads": 1,
    "train.batch": 4,
    "train.validations": 1,
    "data.size": [1, 32, 32],
}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def ensemble(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    """Two members whose probabilities are mapped, with a threshold that keeps a sensitivity."""
    settings = SMALL | {
        "train.members": 2,
        "train.steps": 4,
        "task.options.calibration": "isotonic",
        "task.options.threshold": "sensitivity:0.9",
    }
    joined = {"malignant": "lesion", "cyst": "lesion"}
    out = tmp_path_factory.mktemp("isotonic") / "run"
    return vs.fit(pictures.data, out, labels=joined, settings=settings, folds=2, seed=1)


def test_a_bundle_keeps_maps_and_what_its_threshold_reached(ensemble: vs.Run) -> None:
    calibration = open_bundle(ensemble.path).stages[-1].calibration  # type: ignore[arg-type]
    (label,) = calibration["isotonic"]
    one = calibration["reached"][label]
    assert one["rule"] == "sensitivity:0.9" and one["sensitivity"]["value"] >= 0.9
    assert calibration["thresholds"] == {label: one["threshold"]} and calibration["positive"] == label
    assert ensemble.path is not None
    for page in ("report.html", "card.md", "bundle/card.md"):
        text = (ensemble.path / page).read_text(encoding="utf-8")
        assert "chosen by sensitivity:0.9" in text and "isotonic maps after a temperature" in text, page


def test_torch_and_numpy_answer_alike_with_maps(ensemble: vs.Run, pictures: Any) -> None:
    bundle = open_bundle(ensemble.path)  # type: ignore[arg-type]
    one = vs.read(pictures.data).cases[0]
    answer = vs.predict(bundle, one)
    found = bundle.torch(calibrated=True)(bundle.prepare(one)).detach().numpy()[0]
    assert np.allclose(found, answer.p, atol=1e-6) and found.min() > 0  # type: ignore[attr-defined]


def test_members_and_dropout_and_mirror_images(ensemble: vs.Run, pictures: Any) -> None:
    case = vs.read(pictures.data).cases[0]
    plain = vs.predict(ensemble, case)
    for way, samples in (("members", 2), ("dropout", 6), ("mirror", 2)):
        found = vs.predict(ensemble, case, doubt=way, samples=6 if way == "dropout" else None)
        assert np.array_equal(found.p, plain.p), "the answer stays"  # type: ignore[attr-defined]
        assert found.doubt is not None and (found.doubt.way, found.doubt.samples) == (way, samples)
        assert "doubt: mutual information" in found._repr_html_()


def test_a_folder_says_which_doubt_it_holds_and_refuses_another(pictures: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = vs.predict(pictures.run, pictures.data, out, doubt="dropout", samples=4, json=True)
    assert isinstance(done, vs.Predictions)
    lines = rows(out / "answers.csv")
    assert len(lines) == 12 and all(float(line["doubt_mutual_information"]) >= 0 for line in lines)
    stored = json.loads(next(out.glob("*.json")).read_text())
    assert stored["doubt"]["way"] == "dropout" and stored["doubt"]["samples"] == 4
    again = vs.predict(pictures.run, vs.read(pictures.data), doubt="dropout", samples=4).to_polars()
    assert np.allclose(again["doubt_entropy"], [float(line["doubt_entropy"]) for line in lines])
    begun = tmp_path / "begun"
    vs.predict(pictures.run, pictures.data, begun, doubt="dropout", samples=4)
    (begun / "answers.csv").rename(begun / "answers.partial.csv")
    _unfinished(begun, bundle=str(open_bundle(pictures.bundle).hash), doubt="dropout", samples=4)
    with pytest.raises(OutputError):
        vs.predict(pictures.run, pictures.data, begun, doubt="dropout", samples=5, resume=True)
    assert len(rows(begun / "answers.partial.csv")) == 12, "nothing was changed"
    assert vs.predict(pictures.run, pictures.data, begun, resume=True).case_ids  # type: ignore[attr-defined]


def _unfinished(folder: Path, *, bundle: str, doubt: str, samples: int) -> None:
    """Put back the mark of a folder that is not done."""
    from vesalius.run.ledger import MARK
    from vesalius.run.predict_settings import PredictSettings

    mark = PredictSettings(doubt=doubt, samples=samples).mark(bundle)
    (folder / MARK).write_text(json.dumps(mark))


def test_masks_have_maps_beside_them(volumes: Any, tmp_path: Path) -> None:
    out, pair = tmp_path / "out", tmp_path / "pair"
    shutil.copytree(volumes.bundle, pair)
    before = open_bundle(pair)
    weights = load_file(pair / before.stages[0].members[0])
    save_file({n: np.asarray(a * 1.1, a.dtype) for n, a in weights.items()}, pair / "weights-0-9.safetensors")
    stage = replace(before.stages[0], members=(*before.stages[0].members, "weights-0-9.safetensors"))
    save_bundle(pair, (stage,), data_hash=before.data_hash, made_by=before.made_by, learned=before.learned)
    vs.predict(pair, volumes.data, out, doubt="members")
    names = {p.name for p in out.glob("*.nii.gz")}
    cases = [line["case"] for line in rows(out / "answers.csv")]
    assert names == {f"{c}{end}.nii.gz" for c in cases for end in ("", ".entropy", ".mutual_information")}
    mask, field = (formats.read(out / f"{cases[0]}{end}.nii.gz") for end in ("", ".entropy"))
    assert np.allclose(mask.affine, field.affine) and mask.shape == field.shape  # type: ignore[arg-type]
    assert float(field.array.min()) >= 0 and field.array.dtype == np.float32
    assert {"doubt_entropy", "doubt_mutual_information"} < rows(out / "answers.csv")[0].keys()
    for way, says in (("dropout", "no dropout layer"), ("mirror", "not trained on mirrored images")):
        with pytest.raises(PlanError, match=says):  # labels name a side, so that nothing is mirrored
            vs.predict(volumes.run, volumes.data, tmp_path / "other", doubt=way)
    assert not (tmp_path / "other").exists()


def test_the_command_line_says_what_cannot_be(pictures: Any, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    for words, says in (
        (["--doubt", "members"], "an ensemble of one member has no second opinion"),
        (["--doubt", "guess"], "guess"),
        (["--samples", "5"], "samples are taken for a doubt alone"),
    ):
        given = ["predict", str(pictures.bundle), str(pictures.data), "-o", out, *words]
        error = CliRunner().invoke(app, given).exception
        assert isinstance(error, VesaliusError) and says in str(error) and not (tmp_path / "out").exists()
    listed = CliRunner().invoke(app, ["opinions"])
    assert listed.exit_code == 0 and {"members", "dropout", "mirror"} <= set(listed.output.split())


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"task.options.threshold": "sensitivity:95"}, "lies between 0 and 1"),
        ({"task.options.threshold": "best"}, "no rule for a threshold"),
        ({"task.options.threshold": "cost:5"}, "3 classes that exclude one another"),
        ({"task.options.calibration": "platt"}, "no method of calibration"),
        ({"task.options.calibraton": "isotonic"}, "calibraton"),
    ],
)
def test_bad_words_are_said_before_training(
    settings: dict[str, str], says: str, pictures: Any, tmp_path: Path
) -> None:
    with pytest.raises(Exception, match=says) as error:
        vs.fit(pictures.data, tmp_path / "run", settings=SMALL | settings, dry_run=True)
    assert "\n" not in str(error.value)
