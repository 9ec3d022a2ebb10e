"""Masks learned on whole pictures that are scaled down: answers lie on the picture's own grid, whatever its size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import vesalius as vs
from vesalius.core.answers.mask import Mask
from vesalius.core.image import Array, Image

QUICK: dict[str, Any] = {
    "data.sampling": "whole",
    "data.size": [1, 32, 32],
    "net.name": "flexunet",
    "net.scale": 0.25,
    "net.options": {"encoder": "resnet-10", "encoder_scale": 0.125, "encoder_options": '{"stem": "small"}'},
    "train.steps": 60,
    "train.lr": 0.01,
    "train.members": 1,
    "train.threads": 1,
    "train.validations": 1,
    "infer.novelty": "none",
}


def drawn(k: int, shape: tuple[int, int] = (48, 64)) -> tuple[Array, Array]:
    """A bright rectangle on noise, and its mask, `(1, 1, Y, X)`."""
    rng = np.random.default_rng(k)
    mask = np.zeros((1, 1, *shape), np.uint8)
    y, x = rng.integers(4, shape[0] - 24), rng.integers(4, shape[1] - 30)
    mask[..., y : y + 20, x : x + 26] = 1
    pixels = np.clip(rng.normal(80, 15, mask.shape) + 90 * mask, 0, 255).astype(np.uint8)
    return pixels, mask


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> vs.Run:
    root = tmp_path_factory.mktemp("rectangles")
    for folder in ("images", "masks"):
        (root / folder).mkdir()
    for k in range(24):
        pixels, mask = drawn(k)
        vs.write(Image(array=pixels), root / "images" / f"{k}.png")
        vs.write(Mask(image=Image(array=mask), labels=()), root / "masks" / f"{k}.png")
    return vs.fit(root, root / "run", settings=QUICK)


@pytest.mark.parametrize("shape", [(48, 64), (96, 70), (33, 200)])
def test_the_answer_lies_on_the_pictures_own_grid(
    run: vs.Run, shape: tuple[int, int], tmp_path: Path
) -> None:
    pixels, truth = drawn(100, shape)
    vs.write(Image(array=pixels), tmp_path / "new.png")
    answer = vs.predict(run.bundle, tmp_path / "new.png")
    assert isinstance(answer, Mask) and answer.image.array.shape == truth.shape
    if shape == (48, 64):  # of the proportions that were learned from
        found = answer.image.array > 0
        dice = 2 * (found & (truth > 0)).sum() / (found.sum() + truth.sum())
        assert dice > 0.8, "a box that is off by a factor of the scale has under 0.5"


def test_it_is_scored_on_the_pictures_own_grid(run: vs.Run) -> None:
    assert run.scorecard is not None and run.plan.data.sampling == "whole"
    dice = run.scorecard.metrics["dice"].value
    assert dice is not None and dice > 0.8
