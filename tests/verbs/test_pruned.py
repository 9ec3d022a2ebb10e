"""A pruned bundle is an ordinary one: another process opens it, answers, explains and tests itself with it."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import vesalius as vs
from vesalius.compress.pruning.groups import groups_of, random_units, removed
from vesalius.compress.pruning.weights import zeroed
from vesalius.core.bundle import Bundle, open_bundle, save_bundle
from vesalius.core.disk import write_bytes
from vesalius.infer.asked import inferred
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest.recording import recorded
from vesalius.infer.shapes import FORM, form_of, with_form
from vesalius.infer.stored import VALUES, written_as

ANSWERS = """
import json, sys
import vesalius as vs
cases = vs.read(sys.argv[2]).cases
print(json.dumps([a.p.tolist() for a in vs.predict(sys.argv[1], cases[:3], progress=False)]))
"""


@pytest.fixture(scope="module")
def made(pictures: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Bundle]:
    """The bundle of a run, and two of it: without some filters, and with weights that are zero."""
    original = open_bundle(pictures.path)
    loaded, case = Predictor(original, device="cpu"), vs.read(pictures.data).cases[0]
    (whole,), batch = loaded.stages[0].models, loaded.stages[0].task.collate([loaded.encoded(case).example])

    def ask(model: nn.Module) -> Tensor:
        return inferred(loaded.stages[0].task, model, batch, torch.Generator().manual_seed(0))

    units = random_units(groups_of(whole, ask), 0.4, torch.Generator().manual_seed(0))
    narrow, form = removed(whole, units, ask)
    state = original.stages[0].state
    found = {"original": original}
    for name, model, own in (
        ("filters", narrow, with_form(state, form)),
        ("weights", zeroed(whole, 0.8), state),
    ):
        folder = tmp_path_factory.mktemp(name) / "bundle"
        write_bytes(folder / "weights-0-0.safetensors", written_as(model.state_dict()))
        stage = replace(original.stages[0], state=own, extras={})
        made = save_bundle(
            folder, (stage,), data_hash=original.data_hash, made_by="", learned=original.learned
        )
        found[name] = recorded(made)
    return found


def test_another_process_answers_with_it_as_this_one(made: dict[str, Bundle], pictures: Any) -> None:
    cases = vs.read(pictures.data).cases[:3]
    way = "filters"
    here = [a.p.tolist() for a in vs.predict(made[way], cases)]
    told = subprocess.run(
        [sys.executable, "-c", ANSWERS, str(made[way].path), str(pictures.data)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert np.allclose(json.loads(told.stdout), here, atol=1e-5)


@pytest.mark.parametrize("way", ["filters", "weights"])
def test_it_is_smaller_explains_and_tests_itself(way: str, made: dict[str, Bundle], pictures: Any) -> None:
    whole, small = (Predictor(made[n], device="cpu").stages[0].models[0] for n in ("original", way))
    many = [sum(int((p != 0).sum()) for p in m.parameters()) for m in (whole, small)]
    assert many[1] < 0.8 * many[0]
    sizes = [made[n].path / made[n].stages[0].members[0] for n in ("original", way)]
    assert sizes[1].stat().st_size < sizes[0].stat().st_size
    assert vs.selftest(made[way]).outcome == "passed"
    case = vs.read(pictures.data).cases[0]
    found = vs.explain(made[way], case, method=["gradcam", "occlusion"], check="none", samples=8, pieces=12)
    values = [np.asarray(e.map.image.array) for e in found.explained]
    assert len(values) == 2 and all(np.isfinite(v).all() for v in values)
    assert form_of(made["original"].stages[0].state) is None
    assert (form_of(made[way].stages[0].state) is not None) == (way == "filters")


def test_what_is_sealed_says_what_is_left(made: dict[str, Bundle]) -> None:
    told = json.loads((made["filters"].path / "state-0.json").read_text())
    assert set(told[FORM]) == {"shapes", "without", "channels"} and told[FORM]["shapes"]
    from safetensors import safe_open

    with safe_open(made["weights"].path / "weights-0-0.safetensors", "pt") as file:
        assert any(name.endswith(VALUES) for name in file.keys())  # noqa: SIM118 - it is no mapping


def test_features_are_those_of_the_narrower_net(made: dict[str, Bundle], pictures: Any) -> None:
    x = made["filters"].prepare(vs.read(pictures.data).cases[0])
    module = made["filters"].torch()
    net = module.members[0].net
    assert made["filters"].features(x).shape == (1, net.channels[-1])
    out = module(x.requires_grad_())
    out.sum().backward()
    assert bool(torch.isfinite(x.grad).all())
