"""One loader for http and node: a folder is opened once however often it is named, with the same checks and errors."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vesalius.core.bundle import open_bundle
from vesalius.core.errors import BundleError, PlanError
from vesalius.serve import models as loading
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.models import open_model, open_models


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_folder_of_two_names_is_opened_once(
    bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    monkeypatch.setattr(loading, "open_bundle", lambda path: opened.append(path) or open_bundle(path))
    chest, organs = bundles["chest"], bundles["organs"]
    found = open_models({"a": chest, "b": organs, "c": chest}, devices=["cpu", "cpu"])
    assert opened == [chest, organs]
    assert [m.name for m in found.values()] == ["a", "b", "c"]
    assert found["a"].predictors is found["c"].predictors and len(found["a"].predictors) == 2
    assert found["a"].predictors[0] is not found["a"].predictors[1]


def test_a_runs_folder_stands_for_its_bundle(bundles: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(bundles["chest"], tmp_path / "run" / "bundle")
    assert (
        open_model("x", tmp_path / "run", devices=["cpu"]).bundle.hash == open_bundle(bundles["chest"]).hash
    )


def test_a_mismatch_is_accepted_where_it_is_asked_for(bundles: dict[str, Path]) -> None:
    model = open_model("x", bundles["chest"], devices=["cpu"])
    assert not model.predictor().accept_mismatch and model.predictor(accept_mismatch=True).accept_mismatch
    assert model.predictor(accept_mismatch=True).stages is model.predictor().stages


def test_what_cannot_be_opened_is_one_error_for_both_servers(
    bundles: dict[str, Path], tmp_path: Path
) -> None:
    shutil.copytree(bundles["chest"], tmp_path / "changed")
    with (tmp_path / "changed" / "bundle.json").open("a") as file:
        file.write(" ")
    for path, words in ((tmp_path / "nowhere", "no bundle at"), (tmp_path / "changed", "changed")):
        told = []
        for server in (lambda p: open_models({"x": p}), lambda p: Catalogue([p])):
            with pytest.raises(BundleError, match=words) as error:
                server(path)
            told.append(str(error.value))
        assert told[0] == told[1]
    with pytest.raises(PlanError, match="no device 'mars'"):
        open_models({"x": bundles["chest"]}, devices=["mars"])
