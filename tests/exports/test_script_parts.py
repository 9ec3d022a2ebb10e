"""The parts of the script that goes out with a model do, in numpy alone, what preparation and answers do here."""

from __future__ import annotations

import ast
import json
from typing import Any

import numpy as np
import pytest
import torch

from vesalius.core import calibration, grades, registry
from vesalius.core.errors import MismatchError, PlanError
from vesalius.core.image import Image
from vesalius.core.plan import DataPlan, HarmonisePlan, HarmoniseStep, Normalisation
from vesalius.exports import _preparation, _stitched
from vesalius.exports.script import answers, geometry, images, intensities, running
from vesalius.infer import native, tiles
from vesalius.prepare import geometry as ours
from vesalius.prepare import harmonise, intensity
from vesalius.prepare.harmonise.contract import Known, Sample

RNG = np.random.default_rng(5)
TILTED = np.array([[0, -0.9, 0.1, 3], [0.8, 0, 0, -7], [0, 0.1, 2.5, 11], [0, 0, 0, 1.0]])
METHODS = [n for n in harmonise.of_images() if not harmonise.says(n, "TRAINED", False)]


def plan_of(**changes: Any) -> dict[str, Any]:
    return {
        "canonical": True,
        "spacing_mm": None,
        "sampling": "whole",
        "size": [1, 32, 32],
        **changes,
    }


@pytest.mark.parametrize(
    "affine", [None, TILTED, np.diag([-1.0, 1, -3, 1])], ids=["none", "tilted", "flipped"]
)
@pytest.mark.parametrize("sampling", ["whole", "patches"])
@pytest.mark.parametrize("spacing", [None, (1.1, 0.7, 2.0)])
def test_the_grid_is_that_of_the_preparation(affine: Any, sampling: str, spacing: Any) -> None:
    array = RNG.normal(size=(2, 5, 17, 24)).astype(np.float32)
    size = (4, 20, 20)
    if spacing is not None and affine is None:
        with pytest.raises(images.Refused, match="millimetres"):
            geometry.layout_of(images.Image(array), plan_of(spacing_mm=spacing))
        return
    image = Image(array, affine=affine)
    undo = ours.layout(image, canonical=True, spacing_mm=spacing, size=size, whole=sampling == "whole")
    placed = images.placed(array, affine, None, ())
    found = geometry.layout_of(placed, plan_of(spacing_mm=spacing, sampling=sampling, size=list(size)))
    assert (found.order, found.flips, found.turned) == (undo.order, undo.flips, undo.turned)
    assert (found.inner, found.before, found.shape) == (undo.inner, undo.before, undo.shape)
    moved = geometry.pad(geometry.resample(geometry.turn(array, found), found.inner), found)
    np.testing.assert_allclose(moved, ours.forward(array, undo), atol=1e-5)
    field = RNG.normal(size=(3, *undo.shape)).astype(np.float32)
    rule = {"values": [0, 4, 2]}
    labelled = native.to_native(
        iter([(0, 0, undo.shape[0], torch.from_numpy(field))]), undo, lambda raw: raw.max(dim=0).indices
    )
    labels = geometry_labels(field, found, rule)
    assert labels.dtype == np.uint8 and (labels != np.array([0, 4, 2])[labelled]).mean() < 1e-3


def geometry_labels(field: Any, layout: geometry.Layout, rule: dict[str, Any]) -> Any:
    return answers.labels_of_points(field, layout, rule)


@pytest.mark.parametrize("name", METHODS)
def test_each_harmoniser_does_the_same_in_plain_steps_or_has_none(name: str) -> None:
    channel = (RNG.gamma(2.0, 40.0, size=(3, 16, 16)) - 30).astype(np.float32)
    method = harmonise.get(name)
    options = harmonise.options_for(name, {})
    learned = method.fit([Sample(channel * 1.3 + 5), Sample(channel)], options)
    known = Known(options, learned)
    steps = method.plain(known)
    if steps is None:
        assert name in ("clahe", "n4", "whitestripe", "learned"), "what is plain numpy can go out"
        return
    json.dumps(steps)
    wanted = method.apply(channel.copy(), known).channel
    found = channel
    for step in steps:
        found = intensities.step_taken(found, step)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def data_plan(normalise: Normalisation, *steps: HarmoniseStep) -> DataPlan:
    return DataPlan(
        dims=2,
        channels=1,
        sampling="whole",
        size=(1, 16, 16),
        normalise=(normalise,),
        harmonise=HarmonisePlan(steps=steps) if steps else None,
    )


@pytest.mark.parametrize(
    "last",
    [
        Normalisation(method="fixed", low=0.0, high=200.0, mean=60.0, sd=40.0),
        Normalisation(method="unit", low=-20.0, high=150.0),
        Normalisation(method="zscore", low=10.0),
    ],
    ids=lambda n: n.method,
)
def test_the_last_steps_are_those_of_normalise(last: Normalisation) -> None:
    channel = (RNG.gamma(2.0, 40.0, size=(1, 16, 16)) - 30).astype(np.float32)
    wanted = intensity.normalise(channel[None].copy(), [last])[0]
    found = channel
    for step in _preparation._steps_of(data_plan(last), 0):
        found = intensities.step_taken(found, step)
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_step_that_is_more_than_numpy_is_refused_by_name() -> None:
    plan = data_plan(Normalisation(method="zscore"), HarmoniseStep(method="clahe"))
    with pytest.raises(PlanError, match="'clahe', which is more than numpy; try: --no-script"):
        _preparation._steps_of(plan, 0)


@pytest.mark.parametrize("shape", [(1, 40, 25), (9, 30, 12)])
def test_tiles_are_blended_as_they_are_here(shape: tuple[int, int, int]) -> None:
    array = RNG.normal(size=(1, *shape)).astype(np.float32)
    size, overlap = (min(shape[0], 4), 16, 12), 0.5

    def net(batch: Any) -> Any:  # which knows where in its tile a voxel lies, so that the blend counts
        rows = np.arange(batch.shape[-2], dtype=np.float32)[:, None]
        return np.concatenate([batch * rows, batch**2], axis=1)

    pieces = tiles.stream(
        array,
        size=size,
        overlap=overlap,
        batch=3,
        forward=lambda t: torch.from_numpy(net(t.numpy())),
        device=torch.device("cpu"),
    )
    wanted = np.zeros((2, *shape), np.float32)
    for axis, start, stop, raw in pieces:
        place: list[Any] = [slice(None)] * 4
        place[axis + 1] = slice(start, stop)
        wanted[tuple(place)] = raw.numpy()
    found = running.tiled([net, net], array, {"tile": size, "overlap": overlap, "batch": 3, "mirror": []})
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_mirror_images_are_turned_back_where_the_answer_is_a_field() -> None:
    batch = RNG.normal(size=(1, 1, 1, 4, 5)).astype(np.float32)
    left = np.arange(5, dtype=np.float32)
    found = running.seen_from_all_sides(lambda b: b * left, batch, ["x", "z"], field=True)
    np.testing.assert_allclose(found, batch * 2.0)  # the mean of 0 … 4 and of 4 … 0; z has one plane
    summed = running.seen_from_all_sides(lambda b: (b * left).sum(axis=(2, 3, 4)), batch, ["x"], field=False)
    np.testing.assert_allclose(summed, (batch * 2.0).sum(axis=(2, 3, 4)), rtol=1e-5)


@pytest.mark.parametrize("labels", [("a", "b"), ("a", "b", "c")])
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("mapped", [False, True])
def test_probabilities_are_those_of_answers(labels: tuple[str, ...], several: bool, mapped: bool) -> None:
    logits = RNG.normal(size=(3, len(labels))) * 3
    maps = {"b": {"x": [0.1, 0.4, 0.9], "y": [0.02, 0.5, 0.7]}} if mapped else {}
    if mapped and len(labels) == 3:
        maps["a"] = {"x": [0.2, 0.8], "y": [0.3, 0.6]}
    fitted = {"temperature": 1.7, "isotonic": maps}
    wanted = calibration.answered(fitted, logits, labels=labels, multilabel=several)
    rule = {
        "rule": "probabilities",
        "labels": list(labels),
        "exclusive": not several,
        "temperature": 1.7,
        "isotonic": maps,
        "thresholds": {"b": 0.99},
        "positive": "b",
    }
    found = answers.answer_of(logits, rule)
    np.testing.assert_allclose([found[f"p_{n}"] for n in labels], wanted, atol=1e-12)
    if not several and len(labels) == 2:
        assert found["called"] == "a" and found["answer"] == labels[int(wanted.argmax())]
    if several:
        assert "b" not in found["called"]


def test_grades_are_those_of_answers() -> None:
    log_p = np.log(RNG.dirichlet([1.0, 2, 1, 3], size=2))
    wanted = grades.answered(log_p, 1.4).mean(axis=0)
    rule = {"rule": "grades", "labels": list("abcd"), "temperature": 1.4, "decision": "median"}
    found = answers.answer_of(log_p, rule)
    np.testing.assert_allclose([found[f"p_{n}"] for n in "abcd"], wanted, atol=1e-12)
    assert found["answer"] == "abcd"[int(grades.median(wanted))]


def test_numbers_have_their_unit_and_say_where_they_lie_outside() -> None:
    about = {"name": "age", "unit": "years", "mean": 50.0, "sd": 10.0, "low": 20.0, "high": 80.0}
    rule = {"rule": "numbers", "numbers": [about]}
    assert answers.answer_of(np.array([[1.0], [2.0]]), rule) == {"value": 65.0, "unit": "years"}  # by hand
    far = answers.answer_of(
        np.array([[4.0]]), {"rule": "numbers", "numbers": [about, {**about, "name": "b"}][:1]}
    )
    assert far["value"] == 90.0 and far["outside"] == "learned from 20 to 80"


@pytest.mark.parametrize(
    ("names", "count", "planned"),
    [
        (("red", "green", "blue"), 1, []),
        ((), 3, ["red", "green", "blue"]),
        (("T2", "T1"), 2, ["T1", "T2"]),
        (("red", "green", "blue"), 3, ["red", "green", "blue"]),
        (("CT",), 2, []),
        (("T2", "T1"), 2, ["T1", "FLAIR"]),
    ],
)
def test_channels_are_chosen_or_refused_alike(names: tuple[str, ...], count: int, planned: list[str]) -> None:
    array = RNG.integers(0, 255, (len(names) or 1, 1, 4, 4)).astype(np.uint8)
    try:
        wanted = intensity.to_channels(array, count, names=names, planned=planned)
    except MismatchError:
        with pytest.raises(images.Refused, match="learned from"):
            intensities.chosen_channels(images.Image(array, channels=names), count, planned)
        return
    found = intensities.chosen_channels(images.Image(array, channels=names), count, planned)
    np.testing.assert_array_equal(found, wanted)


def test_the_script_is_one_file_that_imports_numpy_alone() -> None:
    tree = ast.parse(_stitched.script())
    top = {
        (n.module if isinstance(n, ast.ImportFrom) else n.names[0].name) or ""
        for n in tree.body
        if isinstance(n, ast.Import | ast.ImportFrom)
    }
    standard = "__future__ argparse itertools json sys pathlib typing dataclasses collections.abc"
    assert top - {"numpy"} <= set(standard.split())
    anywhere = {
        (n.module if isinstance(n, ast.ImportFrom) else n.names[0].name) or ""
        for n in ast.walk(tree)
        if isinstance(n, ast.Import | ast.ImportFrom)
    }
    assert anywhere - top == {"onnxruntime", "nibabel", "PIL"}
    defined = [n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert len(defined) == len(set(defined)), "no part hides what another one defines"


def test_the_registry_lists_every_form() -> None:
    assert set(registry.names("exports")) >= {"onnx", "openvino", "torchexport", "monai", "huggingface"}
