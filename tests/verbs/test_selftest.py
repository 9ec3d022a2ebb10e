"""A bundle's self-test: it passes where arithmetic differs by rounding, and fails where the model is another one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import vesalius as vs
from vesalius.core.bundle import Bundle, Stage, State, hash_when_scored, open_bundle, save_bundle
from vesalius.core.plan import override
from vesalius.core.sealed import seal
from vesalius.infer.predictor import Predictor
from vesalius.infer.selftest import inputs, record
from vesalius.infer.selftest.checking import SelfTest, selftested
from vesalius.infer.selftest.observing import observe
from vesalius.infer.selftest.recording import made, recorded, shaken

PLANTED = b"PLANTED"


@pytest.fixture(params=["pictures", "volumes"])
def fitted(request: pytest.FixtureRequest) -> Any:
    """A tiny fit of classes of pictures, and one of masks of volumes."""
    return request.getfixturevalue(request.param)


def copied(fitted: Any, folder: Path) -> Path:
    return shutil.copytree(fitted.bundle, folder / "copy")


def numbers_alone(path: Path) -> SelfTest:
    """The test of a bundle whose record claims to be for what lies there, as if nobody had looked at hashes."""
    bundle = open_bundle(path)
    found = record.of(bundle)
    assert found is not None
    forged = replace(found, covers=record.covered(bundle)).state()
    name = f"selftest-{len(bundle.stages) - 1}.json"
    (path / name).write_text(json.dumps(forged.values))
    seal(path)
    return vs.selftest(path)


def resealed(path: Path, change: Callable[[Stage], Stage]) -> Path:
    """The bundle with its last stage changed, its record kept as it is."""
    bundle = open_bundle(path)
    stages = (*bundle.stages[:-1], change(bundle.stages[-1]))
    save_bundle(path, stages, data_hash=bundle.data_hash, made_by=bundle.made_by, learned=bundle.learned)
    return path


def test_a_fit_seals_a_small_record_of_nobody(fitted: Any) -> None:
    bundle = fitted.run.bundle
    found = record.of(bundle)
    assert found is not None and found.none is None and len(found.inputs) == 2
    assert found.inputs[0].made.seed != found.inputs[1].made.seed
    text = (bundle.path / "selftest-0.json").read_bytes()
    assert len(text) < 200_000 and PLANTED not in text and str(fitted.path).encode() not in text
    assert "learned from" in "".join(found.covers) and record.stale(bundle, found) == []


def test_it_passes_where_it_was_made_and_tells_two_answers_apart(fitted: Any) -> None:
    done = vs.selftest(fitted.run)
    assert done.passed and done.inputs == 2 and done.largest is not None and done.largest < 0.05
    assert "torch" in done.here and done.here == done.there
    first, second = ([r.found for r in done.rows if r.input == k and r.what == "raw outputs"] for k in (1, 2))
    assert first != second, "a constant answer is not a right one"


def test_the_guard_takes_its_images_for_what_was_learned_from(fitted: Any) -> None:
    bundle = fitted.run.bundle
    found = record.of(bundle)
    assert found is not None
    case = inputs.again(found.recipe, found.inputs[0].made)
    answer = Predictor(bundle)(case)  # not told to accept another kind of image
    beside = ("size", "darkest values", "brightest values")  # smaller, and within what the plan clips to
    said = [text for text in answer.outside or () if not text.startswith(beside)]
    assert said == []


@pytest.mark.parametrize("how", ["one thread", "two threads", "without oneDNN"])
def test_another_way_of_computing_passes(fitted: Any, how: str) -> None:
    predictor, before = Predictor(fitted.run.bundle), torch.get_num_threads()
    predictor.threads = None
    try:
        torch.set_num_threads(2 if how == "two threads" else 1)
        with torch.backends.mkldnn.flags(enabled=how != "without oneDNN"):
            done = selftested(fitted.run.bundle, predictor)
    finally:
        torch.set_num_threads(before)
    assert done.passed, done.why


def test_an_old_processor_passes(pictures: Any, volumes: Any) -> None:
    words = [
        sys.executable,
        "-m",
        "vesalius",
        "selftest",
        str(pictures.bundle),
        str(volumes.bundle),
        "--json",
    ]
    old = {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
    }
    done = subprocess.run(words, env={**os.environ, **old}, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)["result"]["bundles"]
    assert done.returncode == 0, [one["why"] for one in found]
    assert all("DEFAULT" in one["here"] and one["here"] != one["there"] for one in found)


def _largest(weights: dict[str, torch.Tensor]) -> str:
    return max((n for n, t in weights.items() if t.ndim > 1), key=lambda n: weights[n].numel())


def _scattered(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    name, generator = _largest(weights), torch.Generator().manual_seed(1)
    noise = torch.randn(weights[name].shape, generator=generator)
    return {**weights, name: weights[name] * (1 + 0.5 * noise)}


def _permuted(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    name = _largest(weights)
    return {**weights, name: weights[name].roll(1, dims=0)}


@pytest.mark.parametrize("change", [_scattered, _permuted])
def test_other_weights_fail_by_their_hash_and_by_their_answers(
    fitted: Any, tmp_path: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]
) -> None:
    path = copied(fitted, tmp_path)
    weights = load_file(path / "weights-0-0.safetensors")
    changed = {n: t.contiguous() for n, t in change(weights).items()}
    assert any(not torch.equal(t, changed[n]) for n, t in weights.items())
    save_file(changed, path / "weights-0-0.safetensors")
    seal(path)
    done = vs.selftest(path)
    assert done.outcome == "stale" and "weights-0-0.safetensors" in done.why and not done.passed
    assert numbers_alone(path).outcome == "failed"


def _warmer(stage: Stage) -> Stage:
    heat = (
        stage.calibration["temperature"] * 1.05
    )  # 2 % move a chance by .0008 on some processors, within the limit
    return replace(stage, calibration={**stage.calibration, "temperature": heat})


def _relabelled(stage: Stage) -> Stage:
    labels = list(reversed(stage.state.values["labels"]))
    return replace(stage, state=State({**stage.state.values, "labels": labels}, stage.state.arrays))


def _respaced(stage: Stage) -> Stage:
    size = [stage.plan.data.size[0], *(n + 32 for n in stage.plan.data.size[1:])]
    return replace(stage, plan=override(stage.plan, {"data.size": size}))


def _windowed(stage: Stage) -> Stage:
    rows = [{**n.model_dump(), "low": -20.0, "high": 90.0} for n in stage.plan.data.normalise]
    return replace(stage, plan=override(stage.plan, {"data.normalise": rows}))


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (_warmer, "calibration of stage 0"),
        (_relabelled, "state-0.json"),
        (_respaced, "plan-0.json"),
        (_windowed, "plan-0.json"),
    ],
)
def test_another_calibration_label_order_or_plan_fails(
    pictures: Any, tmp_path: Path, change: Callable[[Stage], Stage], part: str
) -> None:
    path = resealed(copied(pictures, tmp_path), change)
    done = vs.selftest(path)
    assert done.outcome == "stale" and part in done.why
    found = numbers_alone(path)
    assert found.outcome == "failed", found.rows


def test_another_spacing_of_volumes_fails(volumes: Any, tmp_path: Path) -> None:
    def change(stage: Stage) -> Stage:
        spacing = [1.15 * s for s in stage.plan.data.spacing_mm or ()]
        return replace(stage, plan=override(stage.plan, {"data.spacing_mm": spacing}))

    path = resealed(copied(volumes, tmp_path), change)
    assert "plan-0.json" in vs.selftest(path).why
    assert numbers_alone(path).outcome == "failed"


def test_a_network_that_gives_nan_fails_in_words(fitted: Any) -> None:
    predictor = Predictor(fitted.run.bundle)
    with torch.no_grad():
        for tensor in predictor.stages[0].models[0].state_dict().values():
            if tensor.is_floating_point():
                tensor.fill_(float("nan"))
    done = selftested(fitted.run.bundle, predictor)
    assert done.outcome == "failed" and done.why


def test_listening_changes_no_answer_and_shaking_leaves_the_weights(pictures: Any) -> None:
    bundle = pictures.run.bundle
    found, predictor = record.of(bundle), Predictor(bundle)
    assert found is not None
    case = inputs.again(found.recipe, found.inputs[0].made)
    plain, before = (
        predictor(case).p,
        {n: t.clone() for n, t in predictor.stages[0].models[0].state_dict().items()},
    )
    with shaken(predictor, 0.1):
        assert (predictor(case).p != plain).any()
    observe(predictor, case)
    assert (predictor(case).p == plain).all()
    after = predictor.stages[0].models[0].state_dict()
    assert all(torch.equal(t, after[n]) for n, t in before.items())


def test_what_is_recorded_is_the_same_each_time(pictures: Any, tmp_path: Path) -> None:
    path = copied(pictures, tmp_path)
    before = open_bundle(path)
    text = (path / "scorecard.json").read_text()
    again = recorded(before)
    assert again.hash == before.hash and (path / "scorecard.json").read_text() == text
    assert made(again).state().values == made(again).state().values


def test_a_bundle_of_before_gets_one_and_its_scorecard_stays_its_own(pictures: Any, tmp_path: Path) -> None:
    old = copied(pictures, tmp_path)
    bare = resealed(old, lambda stage: replace(stage, extras={}))
    bundle = open_bundle(bare)
    texts = {"notes.md": "kept\n"}
    about = {"data_hash": bundle.data_hash, "made_by": bundle.made_by}
    scored = save_bundle(bare, bundle.stages, learned=bundle.learned, texts=texts, **about)
    card = json.loads((pictures.bundle / "scorecard.json").read_text()) | {"bundle": scored.hash}
    texts |= {"scorecard.json": json.dumps(card), "card.md": "A card.\n"}
    save_bundle(bare, bundle.stages, learned=bundle.learned, texts=texts, **about)
    absent = vs.selftest(old)
    assert absent.outcome == "absent" and not absent.passed and not absent.refused and absent.rows == ()
    assert vs.selftest(old, record=tmp_path / "new").passed
    new = open_bundle(tmp_path / "new")
    assert json.loads((new.path / "scorecard.json").read_text())["bundle"] == hash_when_scored(new)
    assert (new.path / "notes.md").read_text() == "kept\n"
    weights = "weights-0-0.safetensors"
    assert (new.path / weights).read_bytes() == (old / weights).read_bytes()
    with pytest.raises(vs.OutputError, match="not empty"):
        vs.selftest(old, record=tmp_path / "new")


def test_a_record_that_cannot_be_is_told_in_words(pictures: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from vesalius.tasks.contract import Task

    def refuse(self: Task, case: vs.Case, state: State, draw: Any) -> vs.Case:
        raise vs.DataError("it answers about words alone")

    monkeypatch.setattr(Task, "made_up", refuse)
    bundle: Bundle = pictures.run.bundle
    found = made(bundle)
    assert found.none == "it answers about words alone" and found.inputs == ()
    extras = {record.NAME: found.state()}
    stages = (replace(bundle.stages[-1], extras=extras),)
    done = selftested(replace(bundle, stages=stages), Predictor(bundle))
    assert done.outcome == "none" and "words alone" in done.why and not done.refused


def test_a_record_of_a_later_version_is_refused(pictures: Any, tmp_path: Path) -> None:
    path = copied(pictures, tmp_path)
    values = json.loads((path / "selftest-0.json").read_text())
    (path / "selftest-0.json").write_text(json.dumps({**values, "version": 99}))
    seal(path)
    with pytest.raises(vs.BundleError, match="newer than is read here"):
        vs.selftest(path)


def test_it_is_shown(pictures: Any) -> None:
    done = vs.selftest(pictures.path)
    assert "passed" in repr(done) and "raw outputs" in done._repr_html_()
