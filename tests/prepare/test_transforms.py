"""Transforms are files: batches are to the bit as before, and another package's transform takes its turn."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vesalius.core import registry
from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.plan import AugmentPlan
from vesalius.prepare import augment, transforms

_spec = importlib.util.spec_from_file_location("_before", Path(__file__).with_name("_augment_before.py"))
assert _spec is not None and _spec.loader is not None
before = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(before)

ALL = AugmentPlan(
    probability=0.6, rotate_deg=15, translate=0.1, shear=0.1, zoom=0.2, flip_axes=("z", "y", "x"), elastic=0.03,
    crop=0.2, noise=0.2, blur=0.5, brightness=0.2, contrast=0.2, gamma=0.3, cutout=0.2, mixup=0.4,
)  # fmt: skip
FIELDS = [f for f in AugmentPlan.model_fields if f not in ("probability", "options")]
PLANS = {
    "all": ALL,
    "none": AugmentPlan(),
    "in plane": ALL.model_copy(update={"rotate_in_plane_only": True}),
    **{f"{f} alone": AugmentPlan(probability=0.6, **{f: getattr(ALL, f)}) for f in FIELDS},
    **{f"all but {f}": ALL.model_copy(update={f: AugmentPlan.model_fields[f].default}) for f in FIELDS},
    "whole images": AugmentPlan(
        probability=0.8, rotate_deg=15, translate=0.08, zoom=0.15, shear=0.08, brightness=0.2, contrast=0.2,
        mixup=0.4, flip_axes=("x",),
    ),
    "patches": AugmentPlan(
        probability=0.7, rotate_deg=15, zoom=0.15, noise=0.1, brightness=0.1, contrast=0.15, flip_axes=("y", "x")
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", [(1, 20, 28), (6, 12, 16)], ids=["2d", "3d"])
@pytest.mark.parametrize("name", PLANS)
def test_batches_are_to_the_bit_what_they_were(name: str, shape: tuple[int, int, int]) -> None:
    plan = PLANS[name]
    for with_mask, seed in itertools.product((True, False), (0, 1)):
        torch.manual_seed(seed)
        images = {"a": torch.randn(5, 2, *shape), "b": torch.randn(5, 1, *shape)}
        fields = {"mask": torch.randint(-1, 4, (5, 1, *shape), dtype=torch.int16)} if with_mask else {}
        made = []
        for module in (before, augment):
            g = torch.Generator().manual_seed(seed)
            moved, on, *_ = module.space(images, fields, plan, g)
            moved = module.intensity(moved, plan, g)
            moved, label = module.mixup(moved, {"label": torch.eye(5)}, plan, g)
            made.append({**moved, **on, **label, "drawn": torch.rand(3, generator=g)})
        old, new = made
        assert list(old) == list(new)
        assert all(torch.equal(old[k], new[k]) for k in old), "to the bit, and as many numbers drawn"


SHADE = '''"""Darkens images (throw-away)."""

STAGE = "intensity"
OPTIONS = {"strength": 0.5}
LIMITS = {"strength": {"ge": 0, "le": 1}}


def make(settings, probability):
    def change(image, generator):
        return image * (1 - settings["strength"])

    return change
'''
NUDGE = '''"""Shifts images by a share of half their width (throw-away)."""

import torch

from vesalius.prepare.transforms.contract import Move

STAGE = "grid"
OPTIONS = {"share": 0.5}


def make(settings, probability):
    def move(n, shape, generator):
        matrix = torch.eye(3, 4).repeat(n, 1, 1)
        matrix[:, 2, 3] = settings["share"]
        return Move(torch.ones(n, dtype=torch.bool), matrix)

    return move
'''


@pytest.fixture
def thirdparty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An installed package with two transforms."""
    about = tmp_path / "shades-1.dist-info"
    about.mkdir()
    (tmp_path / "other_shade.py").write_text(SHADE, encoding="utf-8")
    (tmp_path / "other_nudge.py").write_text(NUDGE, encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: shades\nVersion: 1\n", encoding="utf-8")
    points = "[vesalius.prepare.transforms]\nshade = other_shade\nnudge = other_nudge\n"
    (about / "entry_points.txt").write_text(points, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    caches = (registry.stems, registry.literals, registry.names)
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()
    for name in ("other_shade", "other_nudge"):
        sys.modules.pop(name, None)


def test_another_packages_transforms_take_their_turn_where_they_are_named(thirdparty: None) -> None:
    images = {"image": torch.ones(2, 1, 1, 4, 8)}
    assert torch.equal(augment.intensity(images, AugmentPlan(), torch.Generator())["image"], images["image"])
    plan = AugmentPlan(options={"shade": {"strength": 0.25}})
    assert torch.equal(augment.intensity(images, plan, torch.Generator())["image"], images["image"] * 0.75)

    ramp = {"image": torch.arange(8.0).expand(2, 1, 1, 4, 8).clone()}
    moved, *_ = augment.space(ramp, {}, AugmentPlan(options={"nudge": {}}), torch.Generator())
    assert torch.allclose(moved["image"][..., :6], ramp["image"][..., 2:], atol=1e-5), (
        "a quarter of the width"
    )
    both = AugmentPlan(probability=0.0, zoom=0.1, options={"nudge": {"share": 0.25}})
    moved, *_ = augment.space(ramp, {}, both, torch.Generator())
    assert torch.allclose(moved["image"][..., :7], ramp["image"][..., 1:], atol=1e-5), (
        "after a zoom by nothing"
    )


def test_what_a_transform_does_not_take_is_refused(thirdparty: None) -> None:
    for options, error, words in (
        ({"shade": {"strength": 2.0}}, PlanError, "augment.options.shade.strength must be at most 1"),
        ({"shade": {"stength": 0.2}}, UnknownName, "strength"),
        ({"gamma": {"gamma": 0.2}}, UnknownName, "gamma"),
    ):
        with pytest.raises(error, match=words):
            transforms.planned(AugmentPlan(options=options), "intensity")
