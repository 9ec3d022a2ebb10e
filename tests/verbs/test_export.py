"""A model that goes out: it agrees when it is read back, says whose it is, and answers without Vesalius."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import vesalius as vs
from vesalius.core.bundle import open_bundle
from vesalius.core.errors import BundleError, DataError, PlanError
from vesalius.core.plan import override
from vesalius.core.sealed import seal
from vesalius.exports._agreement import agreed
from vesalius.exports._preparation import preprocessing_of
from vesalius.exports._writing import _write_script
from vesalius.exports.contract import LIMIT, source_of

PLANTED = b"PLANTED"
# What stands for onnxruntime where it is not installed: the raw outputs about inputs that it knows.
RUNTIME = """
import numpy as np
class SessionOptions: pass
class _Named:
    def __init__(self, name): self.name = name
class InferenceSession:
    def __init__(self, path, sess_options=None, providers=()):
        self._known = np.load(path.replace(".onnx", ".npz"))
    def get_inputs(self): return [_Named("image")]
    def get_outputs(self): return [_Named("raw")]
    def run(self, names, arrays):
        for k in range(len(self._known.files) // 2):
            x = self._known[f"x-{k}"]
            if x.shape == arrays["image"].shape and abs(x - arrays["image"]).max() < 1e-4:
                return [self._known[f"raw-{k}"]]
        raise OSError("an input that is not known")
"""
ALONE = """
import runpy, sys
sys.modules["vesalius"] = sys.modules["torch"] = None  # any import of these fails
sys.path.insert(0, sys.argv[1])
sys.argv = sys.argv[2:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture(scope="module")
def taken(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A fit of pictures, and what torch.export made of it."""
    return pictures, vs.export(pictures.run, "torchexport", out=tmp_path_factory.mktemp("taken") / "new")


@pytest.fixture(scope="module", params=["pictures", "volumes"])
def out(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A fit, and the script of an ONNX export with what stands for the runtime."""
    fitted = request.getfixturevalue(request.param)
    folder = tmp_path_factory.mktemp("out")
    source = source_of(fitted.run.bundle, None, script=True)
    _write_script(source, ("model-0.onnx",), folder)
    asked, known = source.asked(0), dict[str, Any]()
    for case in (*source.cases, vs.read(fitted.data).cases[0]):
        x = torch.as_tensor(source.predictor.accepting.encoded(case).example.images["image"])[None]
        for flip in ((), *(((-1,),) if fitted.run.plan.infer.mirror else ())):
            with torch.no_grad():
                raw = asked(x.flip(flip), torch.ones(1, dtype=torch.bool)).numpy()
            known |= {f"x-{len(known) // 2}": x.flip(flip).numpy(), f"raw-{len(known) // 2}": raw}
    np.savez(folder / "model-0.npz", **known)
    (folder / "fake").mkdir()
    (folder / "fake" / "onnxruntime.py").write_text(RUNTIME)
    return fitted, folder


def alone(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """The script in a process that has neither Vesalius nor torch."""
    command = [
        sys.executable,
        "-c",
        ALONE,
        str(folder / "fake"),
        str(folder / "predict.py"),
        *map(str, words),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_agrees_and_says_of_which_bundle_it_is(taken: Any) -> None:
    fitted, done = taken
    about = json.loads((done.path / "export.json").read_text())
    assert about["bundle_sha256"] == done.bundle_sha256 == fitted.run.bundle.hash
    (one,) = done.agreements
    assert one.difference <= one.limit and one.batches == 3 and "torch.export" in one.by
    assert one.limit == LIMIT * max(1.0, one.largest)
    assert (done.path / "card.md").read_bytes() == (fitted.bundle / "card.md").read_bytes()
    assert "refusal" in about["left_out"][0] and about["needs"] == []


def test_any_number_of_rows_goes_through(taken: Any) -> None:
    fitted, done = taken
    x = torch.randn(5, fitted.run.plan.data.channels, *fitted.run.plan.data.size)
    with torch.no_grad():
        wanted = fitted.run.bundle.torch(mirror=False)(x)
        found = torch.export.load(done.path / "model-0.pt2").module()(x, torch.ones(5, dtype=torch.bool))
    assert torch.allclose(found, wanted, atol=1e-5)


def test_nobody_is_named_in_what_goes_out(taken: Any, out: Any) -> None:
    for folder in (taken[1].path, out[1]):
        for path in folder.rglob("*"):
            assert not path.is_file() or PLANTED not in path.read_bytes(), path


def test_the_script_answers_without_vesalius_as_the_bundle_does(out: Any) -> None:
    _, folder = out
    done = alone(folder, "--selftest")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert len(rows) == 2 and all(row["passed"] and row["difference"] < 1e-4 for row in rows)


def test_the_script_reads_files_as_vesalius_does(out: Any, tmp_path: Path) -> None:
    fitted, folder = out
    case = vs.read(fitted.data).cases[0]
    path, answer = case.images[case.reference].paths[0], vs.predict(fitted.run.bundle, case)
    done = alone(folder, path, "-o", tmp_path / "mask.npz")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    if "voxels" in said:
        found = np.load(tmp_path / "mask.npz")["mask"]
        assert found.shape == answer.image.array[0].shape
        assert (found != answer.image.array[0]).mean() < 0.02, "but for bfloat16"
        return
    for label, p in zip(answer.labels, answer.p, strict=True):
        assert said[f"p_{label.name}"] == pytest.approx(float(p), abs=1e-5)
    assert said["called"] == answer.labels[answer.called].name


def test_the_script_fails_where_anything_of_it_was_changed(out: Any) -> None:
    _, folder = out
    path = folder / "preprocessing.json"
    was = path.read_text()
    told = json.loads(was)
    rule = told["answer"]
    if rule["rule"] == "points":
        rule["values"] = [rule["values"][-1], *rule["values"][:-1]]
    else:
        rule["temperature"] *= 1.01
    try:
        path.write_text(json.dumps(told))
        assert alone(folder, "--selftest").returncode == 1
    finally:
        path.write_text(was)
    done = alone(folder, folder / "no.png")
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1


def test_another_answer_is_refused(pictures: Any) -> None:
    source = source_of(pictures.run.bundle, 0, script=True)
    raw = iter(source.raw(0))
    with pytest.raises(DataError, match="raw outputs that differ by 0.01, where 0.0001 is allowed"):
        agreed(source, 0, lambda arrays: next(raw) + np.float32(0.01), by="another tool")
    with pytest.raises(DataError, match="another shape"):
        agreed(source, 0, lambda arrays: np.zeros((1, 7)), by="another tool")
    with pytest.raises(DataError, match="not finite"):
        agreed(source, 0, lambda arrays: np.full(source.raw(0)[0].shape, np.nan), by="another tool")


def test_what_cannot_go_out_is_refused_and_leaves_nothing(pictures: Any, tmp_path: Path) -> None:
    bundle = pictures.run.bundle
    with pytest.raises(vs.UnknownName, match="torchexport"):
        vs.export(bundle, "torchexprt", out=tmp_path / "a")
    with pytest.raises(PlanError, match="no member 4"):
        vs.export(bundle, "huggingface", out=tmp_path / "a", member=4)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    with pytest.raises(vs.OutputError, match="not empty"):
        vs.export(bundle, "huggingface", out=tmp_path / "full")
    with pytest.raises(PlanError, match="one stage"):
        source_of(replace(bundle, stages=bundle.stages * 2), None, script=True)
    with pytest.raises(PlanError, match="runtime onnx"):
        source_of(replace(bundle, stages=(replace(bundle.stages[0], runtime="onnx"),)), None, script=True)
    assert not (tmp_path / "a").exists() and [p.name for p in (tmp_path / "full").iterdir()] == ["x"]


def test_a_bundle_that_answers_otherwise_here_does_not_go_out(pictures: Any, tmp_path: Path) -> None:
    import shutil

    path = shutil.copytree(pictures.bundle, tmp_path / "bundle")
    weights = load_file(path / "weights-0-0.safetensors")
    save_file(
        {n: t * 1.5 if t.is_floating_point() else t for n, t in weights.items()},
        path / "weights-0-0.safetensors",
    )
    seal(path)
    with pytest.raises(BundleError, match="self-test fails"):
        vs.export(path, "huggingface", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_script_for_what_a_script_cannot_know(pictures: Any) -> None:
    source = source_of(pictures.run.bundle, None, script=True)
    (stage,) = source.bundle.stages

    def changed(**changes: Any) -> Any:
        return replace(source, bundle=replace(source.bundle, stages=(replace(stage, **changes),)))

    grouped = changed(calibration={**stage.calibration, "groups": {"thresholds": {}}})
    with pytest.raises(PlanError, match="groups of patients"):
        preprocessing_of(grouped, ())
    stepped = changed(plan=override(stage.plan, {"data.harmonise": {"steps": [{"method": "clahe"}]}}))
    with pytest.raises(PlanError, match="'clahe'"):
        preprocessing_of(stepped, ())
    told = preprocessing_of(changed(calibration={**stage.calibration, "promise": {"x": 1}}), ())
    assert any("withheld" in what for what in told["left_out"])


def test_a_monai_bundle_answers_as_the_bundle_does(
    pictures: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from monai.bundle import ConfigParser

    done = vs.export(pictures.run, "monai", out=tmp_path / "out")
    assert "MONAI's own ResNet" in done.notes[0] and done.difference <= LIMIT
    meta = json.loads((done.path / "configs" / "metadata.json").read_text())
    assert meta["bundle_sha256"] == pictures.run.bundle.hash
    assert meta["network_data_format"]["outputs"]["pred"]["num_channels"] == 3
    case = vs.read(pictures.data).cases[1]
    monkeypatch.syspath_prepend(str(done.path))
    parser = ConfigParser()
    parser.read_config(str(done.path / "configs" / "inference.json"))
    parser["bundle_root"], parser["image"] = str(done.path), str(case.image.paths[0])  # type: ignore[union-attr]
    said, mask = parser.get_parsed_content("answer")
    answer: Any = vs.predict(pictures.run.bundle, case)
    assert mask is None
    for label, p in zip(answer.labels, answer.p, strict=True):
        assert said[f"p_{label.name}"] == pytest.approx(float(p), abs=1e-5)
    for name in [n for n in sys.modules if n == "scripts" or n.startswith("scripts.")]:
        del sys.modules[name]


def test_a_folder_for_the_hub_says_that_transformers_does_not_open_it(pictures: Any, tmp_path: Path) -> None:
    done = vs.export(pictures.run, "huggingface", out=tmp_path / "out", member=0)
    text = (done.path / "README.md").read_text()
    assert text.startswith("---\nlibrary_name: vesalius\n") and pictures.run.bundle.hash in text
    assert "transformers has no such architecture" in done.notes[0]
    held = load_file(done.path / "model.safetensors")
    kept = load_file(pictures.bundle / "weights-0-0.safetensors")
    assert held.keys() == kept.keys() and all(torch.equal(held[n], kept[n]) for n in kept)
    assert (
        open_bundle(pictures.bundle).hash
        == json.loads((done.path / "config.json").read_text())["bundle_sha256"]
    )
