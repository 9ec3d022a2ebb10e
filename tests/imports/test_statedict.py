"""State dicts of registered nets become bundles that answer as the library's own net, and say what nobody knows."""

from __future__ import annotations

import io
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.networks.nets import resnet10
from safetensors.torch import save_file

import vesalius as vs
from vesalius.core.bundle import ORIGIN, Bundle, open_bundle
from vesalius.core.errors import BundleError, OutputError, PlanError, UnknownName, VesaliusError
from vesalius.imports.bringing import bring
from vesalius.imports.contract import Told
from vesalius.run.past import past_of_bundle

TOLD = {"labels": {0: "well", 1: "ill"}, "normalise": "0..255", "settings": {"data.size": [1, 32, 32]}}


@pytest.fixture(scope="module")
def theirs() -> torch.nn.Module:
    torch.manual_seed(0)
    return resnet10(spatial_dims=2, n_input_channels=1, num_classes=2).eval()


@pytest.fixture(scope="module")
def file(theirs: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("dict") / "theirs.safetensors"
    save_file(theirs.state_dict(), path)
    return path


@pytest.fixture(scope="module")
def bundle(file: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return vs.import_model(file, tmp_path_factory.mktemp("made") / "bundle", **TOLD, progress=False)


def test_it_answers_as_the_library_that_made_it(bundle: Bundle, theirs: torch.nn.Module) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (32, 32), dtype=np.uint8)
    (answer,) = [vs.predict(bundle, vs.image(pixels, axes="yx"))]
    with torch.inference_mode():
        wanted = theirs(torch.from_numpy(pixels / 255).float()[None, None]).softmax(dim=1)[0].numpy()
    assert np.abs(np.asarray(answer.p) - wanted).max() < 1e-5
    assert [label.name for label in answer.labels] == ["well", "ill"]


def test_the_bundle_says_where_it_came_from_and_what_is_not_known(bundle: Bundle, file: Path) -> None:
    card = (bundle.path / "card.md").read_text(encoding="utf-8")
    assert card.startswith("> Imported from resnet-10 in MONAI's naming")
    assert "none of Vesalius's yet" in card and "not known here" in card
    assert "imported from resnet-10" in bundle.made_by and bundle.learned is None
    record = bundle.stages[-1].extras[ORIGIN].values
    assert record["from"] in bundle.made_by and not (bundle.path / "scorecard.json").exists()
    for path in bundle.path.iterdir():
        assert str(file.parent).encode() not in path.read_bytes(), f"{path.name} names a path"


def test_evaluate_says_that_training_cases_cannot_be_told(bundle: Bundle) -> None:
    past = past_of_bundle(bundle)
    assert past.record is None and not past.data_hash
    said = past.unchecked(vs.Cohort, None)  # type: ignore[arg-type]  # neither is looked at without a record
    assert "imported from resnet-10" in said and "could not be checked" in said


def test_its_self_test_holds(bundle: Bundle) -> None:
    assert bundle.stages[-1].extras["selftest"].values.get("none") is None
    assert vs.selftest(bundle).passed


@pytest.mark.parametrize(
    ("left_out", "said"),
    [("labels", "each stands for"), ("normalise", "normalised"), ("settings", "size of the images")],
)
def test_what_nobody_says_is_asked_for(file: Path, left_out: str, said: str, tmp_path: Path) -> None:
    told = {k: v for k, v in TOLD.items() if k != left_out}
    with pytest.raises(PlanError, match=said):
        vs.import_model(file, tmp_path / "out", **told)
    assert not (tmp_path / "out").exists()


def test_labels_are_as_many_as_outputs(file: Path) -> None:
    for labels in ({0: "well"}, {0: "well", 1: "well"}, {1: "well", 2: "ill"}):
        with pytest.raises(PlanError, match="each stands for"):
            bring(file, Told(labels=labels, normalise="none"))


def test_nothing_is_overwritten_and_nothing_half_written(file: Path, bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "mine").touch()
    with pytest.raises(OutputError):
        vs.import_model(file, tmp_path / "there", **TOLD)
    with pytest.raises(VesaliusError):
        vs.import_model(file, tmp_path / "out", **{**TOLD, "settings": {"data.size": [1, 32, 32], "a.b": 1}})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["there"]
    assert open_bundle(bundle.path).hash == bundle.hash


def test_sources_that_are_none(tmp_path: Path, file: Path) -> None:
    with pytest.raises(BundleError, match="nothing to import"):
        bring(tmp_path / "gone", Told())
    (tmp_path / "notes.txt").write_text("no model")
    with pytest.raises(BundleError, match="no model that is known"):
        bring(tmp_path / "notes.txt", Told())
    with pytest.raises(UnknownName):
        bring(file, Told(), origin="keras")


class Planted:
    """What runs a command where a pickle is run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def hostile(tmp_path: Path, kind: str, mark: Path) -> Path:
    """Write a checkpoint with code planted in it, in one of several forms."""
    path = tmp_path / "theirs.pth"
    if kind == "pickle":
        path.write_bytes(pickle.dumps({"state_dict": Planted(mark)}))
    elif kind == "torch":
        torch.save({"network_weights": {"a": torch.zeros(2)}, "logging": Planted(mark)}, path)
    elif kind == "bomb":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("archive/data.pkl", b"\0" * (64 << 20))
    else:
        held = io.BytesIO()
        torch.save({"a": torch.zeros(2)}, held)
        with zipfile.ZipFile(held) as made, zipfile.ZipFile(path, "w") as archive:
            for name in made.namelist():
                archive.writestr(f"../../{name}", made.read(name))
    return path


@pytest.mark.parametrize("kind", ["pickle", "torch", "bomb", "traversal"])
def test_hostile_checkpoints_run_nothing_and_write_nothing(kind: str, tmp_path: Path) -> None:
    mark = tmp_path / "planted"
    path = hostile(tmp_path, kind, mark)
    with pytest.raises(BundleError):
        vs.import_model(path, tmp_path / "out", **TOLD)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["theirs.pth"]


@pytest.mark.parametrize("where", ["fold", "plans"])
def test_a_hostile_folder_of_nnunet_runs_nothing(where: str, tmp_path: Path) -> None:
    folder, mark = tmp_path / "Trainer__Plans__3d_fullres", tmp_path / "planted"
    (folder / "fold_0").mkdir(parents=True)
    (folder / "plans.json").write_text('{"configurations": {"../../x": {}}}' if where == "plans" else "{}")
    held = {"network_weights": {"decoder.transpconvs.0.weight": torch.zeros(2, 2)}}
    held |= {"init_args": Planted(mark)} if where == "fold" else {}
    torch.save(held, folder / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(BundleError):
        vs.import_model(folder, tmp_path / "out")
    assert not mark.exists() and not (tmp_path / "out").exists()
