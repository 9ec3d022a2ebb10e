"""bundle.torch(), bundle.prepare() and bundle.features(): the same numbers as predict's, to the bit."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Picture

import vesalius as vs
from vesalius import formats
from vesalius.core.bundle import Bundle, open_bundle
from vesalius.core.case import Case, Ref
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Image
from vesalius.core.plan import override
from vesalius.formats import image_of
from vesalius.infer.predictor import Predictor
from vesalius.tasks import contract as tasks


def twice(bundle: Bundle, **changes: Any) -> Bundle:
    """The bundle as an ensemble of two equal members."""
    (stage,) = bundle.stages
    return replace(bundle, stages=(replace(stage, members=stage.members * 2, **changes),))


def picture_of(pictures: Any) -> Path:
    return sorted(Path(pictures.data).parent.rglob("*.png"))[0]


def test_decoding_what_the_module_says_is_predicts_answer(pictures: Any) -> None:
    for bundle in (open_bundle(pictures.bundle), twice(open_bundle(pictures.bundle))):
        path, stage = picture_of(pictures), bundle.stages[0]
        module, x = bundle.torch(), bundle.prepare(path)
        assert not module.training and x.shape == (1, stage.plan.data.channels, 1, 32, 32)
        with torch.inference_mode():
            raw = module(x)
        assert raw.shape == ((1, 3) if len(stage.members) == 1 else (1, 2, 3))
        task, said = tasks.get(stage.plan.task.name), vs.predict(bundle, path)
        decoded = task.decode(raw[0].numpy(), stage.state, stage.calibration, formats.read(Ref((path,))))
        assert np.array_equal(decoded.p, said.p) and decoded.thresholds == said.thresholds
        assert np.array_equal(module.answer(raw, path).p, said.p)
        torch.testing.assert_close(
            bundle.torch(calibrated=True)(x)[0].double(), torch.from_numpy(said.p), atol=1e-6, rtol=0
        )


def test_one_member_is_one_of_the_ensemble_and_mirror_images_can_be_left_out(pictures: Any) -> None:
    bundle = twice(open_bundle(pictures.bundle))
    x = bundle.prepare(picture_of(pictures))
    both, one = bundle.torch()(x), bundle.torch(member=1)(x)
    assert torch.equal(both[:, 1], one)
    bare = bundle.torch(member=1, mirror=False)
    assert bundle.stages[0].plan.infer.mirror and not torch.equal(bare(x), one)
    assert torch.equal(bare(x), bare.members[0](x)), "without mirror images it is the very model"
    with pytest.raises(PlanError, match="no member 2; found 2 members"):
        bundle.torch(member=2)


def test_paths_images_cases_and_pixels_are_prepared_alike(pictures: Any) -> None:
    bundle, path = open_bundle(pictures.bundle), picture_of(pictures)
    image, picture = formats.read(Ref((path,))), Picture.open(path)
    x = bundle.prepare(path)
    case = Case("c", {"image": image})
    for given in (
        str(path),
        image,
        case,
        picture,
        np.asarray(picture),
        torch.from_numpy(np.asarray(picture).copy()),
    ):
        assert torch.equal(bundle.prepare(given), x)
    encoded = Predictor(bundle).encoded(case).example.images["image"]
    assert np.array_equal(encoded, x[0].numpy())
    with pytest.raises(DataError, match="holds 12 cases that can be prepared, not one"):
        bundle.prepare(pictures.data)


def test_the_module_trains_in_anyones_loop(pictures: Any) -> None:
    bundle = open_bundle(pictures.bundle)
    module = bundle.torch(mirror=False).train()
    x = torch.cat([bundle.prepare(picture_of(pictures))] * 4)
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1)
    before = {k: v.clone() for k, v in module.state_dict().items()}
    loss = torch.nn.functional.cross_entropy(module(x), torch.tensor([0, 1, 0, 1]))
    loss.backward()
    optimiser.step()
    assert any(not torch.equal(before[k], v) for k, v in module.state_dict().items())
    assert "takes (B, 1, 1, 32, 32) float32; axes (z, y, x)" in repr(module)
    assert torch.equal(bundle.torch()(x[:1]), open_bundle(pictures.bundle).torch()(x[:1])), (
        "the bundle on disk stays"
    )


def test_features_are_the_mean_of_the_deepest_map(pictures: Any) -> None:
    bundle = open_bundle(pictures.bundle)
    x = bundle.prepare(picture_of(pictures))
    found = bundle.features(torch.cat([x, -x]))
    net = bundle.torch().members[0].net
    with torch.inference_mode():
        mean = net(x[:, :, 0])[-1].flatten(2).mean(-1)
    assert found.shape == (2, net.channels[-1]) and torch.allclose(found[:1], mean, atol=1e-6)
    assert not torch.equal(found[0], found[1])


def test_a_volume_of_one_tile_is_predicts_mask(volumes: Any) -> None:
    (stage,) = open_bundle(volumes.bundle).stages
    plan = override(stage.plan, {"data.size": [16, 33, 33]})  # a tile as large as the prepared volumes are
    bundle = replace(open_bundle(volumes.bundle), stages=(replace(stage, plan=plan),))
    module = bundle.torch()
    path = next(Path(volumes.data).rglob("imagesTr/*.nii.gz"))
    x = module.prepare(path)
    assert tuple(x.shape) == (1, 1, 16, 33, 33)
    with torch.inference_mode():
        raw = module(x)
    assert raw.shape == (1, len(stage.state.values["labels"]) + 1, 16, 33, 33)
    said, mine = vs.predict(bundle, path), module.answer(raw, path)
    assert np.array_equal(mine.image.array, said.image.array) and mine.image.array.any()
    assert np.array_equal(mine.image.affine, said.image.affine) and mine.labels == said.labels
    assert (mine.bundle, mine.outside) == (said.bundle, said.outside)
    assert bundle.features(x).shape == (1, module.members[0].net.channels[-1])
    with pytest.raises(PlanError, match="not calibrated"):
        bundle.torch(calibrated=True)


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (1, 3, 1, 32, 32), (1, 1, 4, 32, 32)])
def test_what_does_not_fit_the_module_is_said_with_its_own_shape(
    pictures: Any, shape: tuple[int, ...]
) -> None:
    bundle = pictures.run.bundle
    for call in (bundle.torch(), bundle.features):
        with pytest.raises(DataError, match=re.escape(f"found {shape} float32; try: bundle.prepare(source)")):
            call(torch.zeros(shape))
        with pytest.raises(DataError, match="uint8"):
            call(torch.zeros(1, 1, 1, 32, 32, dtype=torch.uint8))
        with pytest.raises(DataError, match="a module takes prepared tensors; found str"):
            call("x.png")


def test_axes_that_may_be_others_are_not_guessed() -> None:
    assert image_of(np.zeros((5, 7))).array.shape == (1, 1, 5, 7)
    assert image_of(torch.zeros(3, 5, 7)).array.shape == (3, 1, 5, 7)
    assert image_of(np.zeros((5, 7, 3)), axes="YXC").array.shape == (3, 1, 5, 7)
    assert image_of(torch.zeros(1, 6, 5, 7, dtype=torch.bfloat16)).array.shape == (1, 6, 5, 7)
    for shape in ((28, 28, 28), (5, 7, 3), (3, 5, 3), (2, 3, 5, 4)):
        with pytest.raises(DataError, match=r"not certain what the axes.*axes="):
            image_of(np.zeros(shape))
    with pytest.raises(DataError, match="do not name the axes"):
        image_of(np.zeros((5, 7)), axes="YXC")
    with pytest.raises(DataError, match="holds no numbers"):
        image_of("a text")
    image: Image = image_of(Picture.new("RGB", (7, 5)))
    assert image.array.shape == (3, 1, 5, 7) and image.in_colour and image.affine is None
