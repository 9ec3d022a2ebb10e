"""Augmentation: nothing drawn changes nothing; whatever moves an image moves what lies on it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vesalius.core.plan import AugmentPlan
from vesalius.prepare import augment
from vesalius.prepare.transforms.flip import AXES

STILL = AugmentPlan(
    probability=0.0, rotate_deg=30, translate=0.2, shear=0.2, zoom=0.3, elastic=0.1, crop=0.3, noise=1, blur=1,
    brightness=1, contrast=1, gamma=1, cutout=0.5,
)  # fmt: skip
SHAPES = [(1, 24, 40), (12, 20, 28)]


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blob(shape: tuple[int, int, int], n: int = 8) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Images that are 1 in a lopsided block and 0 elsewhere, and integer masks of that block."""
    z, y, x = shape
    image = torch.zeros(n, 1, *shape)
    image[:, :, z // 4 : z - z // 3, y // 4 : y // 2 + 1, x // 3 : x - x // 5] = 1
    return {"image": image}, {"mask": (image > 0.5).to(torch.int16)}


@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_drawn_changes_nothing(shape: tuple[int, int, int]) -> None:
    images = {"image": torch.randn(4, 2, *shape)}
    fields = {"mask": torch.randint(0, 5, (4, 1, *shape), dtype=torch.int16)}
    moved, on, _ = augment.space(images, fields, STILL, seeded())
    assert torch.equal(moved["image"], images["image"]) and torch.equal(on["mask"], fields["mask"])
    lit = augment.intensity(images, STILL.model_copy(update={"gamma": 0.0}), seeded())
    assert torch.equal(lit["image"], images["image"])
    lit = augment.intensity(images, STILL, seeded())
    assert torch.allclose(lit["image"], images["image"], atol=1e-5), (
        "a power of one goes by the range and back"
    )


@pytest.mark.parametrize("axis", ["z", "y", "x"])
def test_flips_are_exact_and_shared(axis: str) -> None:
    images = {"image": torch.randn(32, 1, 3, 4, 5)}
    fields = {"mask": (images["image"] > 0).to(torch.int16)}
    moved, on, _ = augment.space(images, fields, AugmentPlan(flip_axes=(axis,)), seeded())
    turned = images["image"].flip(AXES[axis])
    flipped = [bool(torch.equal(m, t)) for m, t in zip(moved["image"], turned, strict=True)]
    kept = [bool(torch.equal(m, i)) for m, i in zip(moved["image"], images["image"], strict=True)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True)) and 4 < sum(flipped) < 28
    assert torch.equal(on["mask"], (moved["image"] > 0).to(torch.int16))


MOVES = {
    "rotate": AugmentPlan(probability=1, rotate_deg=40),
    "in-plane": AugmentPlan(probability=1, rotate_deg=40, rotate_in_plane_only=True),
    "zoom": AugmentPlan(probability=1, zoom=0.5),
    "shear": AugmentPlan(probability=1, shear=0.3),
    "translate": AugmentPlan(probability=1, translate=0.2),
    "crop": AugmentPlan(probability=1, crop=0.4),
    "elastic": AugmentPlan(probability=1, elastic=0.05),
    "all": AugmentPlan(
        probability=0.7, rotate_deg=20, zoom=0.2, shear=0.1, translate=0.1, flip_axes=("y", "x")
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", MOVES)
def test_a_blobs_mask_stays_on_the_blob(name: str, shape: tuple[int, int, int]) -> None:
    images, fields = blob(shape)
    moved, on, _ = augment.space(images, fields, MOVES[name], seeded(3))
    assert not torch.equal(moved["image"], images["image"])
    known = on["mask"] >= 0
    seen, drawn = (moved["image"] > 0.5) & known, on["mask"] == 1
    overlap = 2 * (seen & drawn).sum() / (seen.sum() + drawn.sum())
    assert overlap > 0.93, f"{overlap:.3f}"
    assert set(on["mask"].unique().tolist()) <= {-1, 0, 1} and on["mask"].dtype == torch.int16


@pytest.mark.parametrize("shape", SHAPES)
def test_turning_an_oblong_image_does_not_distort_it(shape: tuple[int, int, int]) -> None:
    """A disc (a ball) stays one: its second moments stay equal along every axis."""
    grid = torch.meshgrid(*(torch.arange(n) - (n - 1) / 2 for n in shape), indexing="ij")
    radius = min(n for n in shape if n > 1) / 3
    ball = (sum(g**2 for g in grid) < radius**2).float()[None, None].repeat(6, 1, 1, 1, 1)
    for plan in (AugmentPlan(probability=1, rotate_deg=60), AugmentPlan(probability=1, zoom=0.2)):
        moved, *_ = augment.space({"image": ball}, {"mask": ball.int()}, plan, seeded(1))
        for one in moved["image"][:, 0]:
            where = (one > 0.5).nonzero().double()
            spread = where.var(dim=0)[[k for k in range(3) if shape[k] > 1]]
            assert spread.max() / spread.min() < 1.12
            if plan.rotate_deg:
                assert abs(len(where) / float(ball[0].sum()) - 1) < 0.06


def test_a_flat_image_is_turned_by_the_drawn_angle() -> None:
    """The direction from one bright spot to another turns by at most the planned angle, and does turn."""
    image = torch.zeros(16, 1, 1, 41, 61)
    image[..., 18:23, 8:13] = 1
    image[..., 19:22, 48:53] = 2
    moved, *_ = augment.space(
        {"image": image}, {"m": image.int()}, AugmentPlan(probability=1, rotate_deg=20), seeded()
    )
    angles = []
    for one in moved["image"][:, 0, 0]:
        big = (one > 1.5).nonzero().double().mean(dim=0)
        small = ((one > 0.5) & (one < 1.5) & (torch.arange(61) < 30)).nonzero().double().mean(dim=0)
        dy, dx = (big - small).tolist()
        assert abs(np.hypot(dy, dx) - 40) < 1.5, "a rotation keeps lengths, in voxels"
        angles.append(np.rad2deg(np.arctan2(dy, dx)))
    assert max(map(abs, angles)) < 21.5 and max(angles) > 5 and min(angles) < -5


def test_where_nothing_is_known_integers_say_minus_one_and_images_zero() -> None:
    images, fields = (
        {"image": torch.ones(4, 1, 1, 16, 16)},
        {"mask": torch.full((4, 1, 1, 16, 16), 3, dtype=torch.int16)},
    )
    plan = AugmentPlan(probability=1, translate=0.4)
    moved, on, _ = augment.space(images, fields, plan, seeded(2))
    outside = on["mask"] == -1
    assert outside.any() and set(on["mask"].unique().tolist()) == {-1, 3}
    assert (moved["image"][outside] < 0.51).all()
    alone, *_ = augment.space(images, {}, plan, seeded(2))
    assert torch.allclose(alone["image"], torch.ones(()), atol=1e-5), "a lone image is mirrored at its edge"


def test_not_known_stays_not_known() -> None:
    fields = {"mask": torch.full((4, 1, 1, 16, 16), -1, dtype=torch.int16)}
    _, on, _ = augment.space({"image": torch.ones(4, 1, 1, 16, 16)}, fields, MOVES["rotate"], seeded())
    assert (on["mask"] == -1).all()


def test_the_generator_decides_and_nothing_else() -> None:
    plan = AugmentPlan(
        probability=0.6, rotate_deg=15, zoom=0.1, elastic=0.03, flip_axes=("x",), noise=0.2, blur=0.5, gamma=0.3,
        brightness=0.2, contrast=0.2, cutout=0.2, mixup=0.4,
    )  # fmt: skip
    images = {"image": torch.randn(6, 1, 4, 12, 12)}

    def run(seed: int) -> torch.Tensor:
        torch.manual_seed(np.random.randint(1 << 30))
        g = seeded(seed)
        moved, *_ = augment.space(images, {}, plan, g)
        return augment.mixup(augment.intensity(moved, plan, g), {"label": torch.eye(6)}, plan, g)[0]["image"]

    assert torch.equal(run(1), run(1)) and not torch.equal(run(1), run(2))


def test_probability_is_a_share_of_the_samples() -> None:
    images = {"image": torch.randn(400, 1, 1, 6, 6)}
    moved = augment.intensity(images, AugmentPlan(probability=0.3, brightness=0.5), seeded())["image"]
    changed = (moved != images["image"]).flatten(1).any(dim=1).float().mean()
    assert 0.22 < float(changed) < 0.38  # 0.3 ± 3.5 standard errors
    shift = (moved - images["image"]).flatten(1)
    assert torch.allclose(shift.amin(1), shift.amax(1), atol=1e-5) and shift.abs().max() <= 0.5


def test_cut_out_is_one_box() -> None:
    moved = augment.intensity(
        {"image": torch.ones(5, 2, 1, 20, 10)}, AugmentPlan(probability=1, cutout=0.5), seeded()
    )
    for one in moved["image"]:
        assert (one == 0).sum() == 2 * 10 * 5
        where = (one[0, 0] == 0).nonzero()
        assert (where.amax(0) - where.amin(0) + 1).tolist() == [10, 5]


def test_mixed_targets_still_sum_to_one_and_follow_their_images() -> None:
    n = 64
    plan = AugmentPlan(mixup=0.4)
    images = {"image": torch.arange(n, dtype=torch.float32).view(n, 1, 1, 1, 1).repeat(1, 1, 1, 2, 2)}
    targets = {"label": torch.eye(n)}
    mixed, soft = augment.mixup(images, targets, plan, seeded())
    assert torch.allclose(soft["label"].sum(dim=1), torch.ones(n), atol=1e-5)
    assert torch.allclose(
        soft["label"] @ torch.arange(n, dtype=torch.float32), mixed["image"][:, 0, 0, 0, 0], atol=1e-3
    )
    assert (soft["label"].diagonal() >= 0.5 - 1e-6).all(), "each is at least half itself"
    assert (soft["label"].diagonal() < 0.999).any()


def test_whole_numbers_are_never_mixed() -> None:
    images = {"image": torch.randn(4, 1, 1, 2, 2)}
    mixed, same = augment.mixup(images, {"label": torch.arange(4)}, AugmentPlan(mixup=1.0), seeded())
    assert torch.equal(mixed["image"], images["image"]) and torch.equal(same["label"], torch.arange(4))


# ---------------------------------------------------------------------------------------------- points and boxes


def extents(mask: torch.Tensor) -> torch.Tensor | None:
    """The box `(2, 3)` around what is drawn, low included, high excluded; None where nothing is."""
    where = (mask == 1).nonzero()
    return None if not len(where) else torch.stack([where.amin(dim=0), where.amax(dim=0) + 1]).double()


def followed(
    shape: tuple[int, int, int], plan: AugmentPlan, seed: int
) -> tuple[torch.Tensor, torch.Tensor, tuple[torch.Tensor, ...], tuple[torch.Tensor, ...]]:
    """Masks and images of moved blocks, with the blocks' boxes and middles, which moved with them."""
    images, fields = blob(shape)
    box = extents(fields["mask"][0, 0])
    assert box is not None
    places = augment.Places(
        points={"middle": (box.mean(dim=0, keepdim=True),) * 8}, boxes={"block": (box[None],) * 8}
    )
    moved, on, gone = augment.space(images, fields, plan, seeded(seed), places=places)
    alone, bare, _ = augment.space(images, fields, plan, seeded(seed))
    assert torch.equal(moved["image"], alone["image"]) and torch.equal(on["mask"], bare["mask"])
    return on["mask"][:, 0], moved["image"][:, 0], gone.boxes["block"], gone.points["middle"]  # type: ignore[return-value]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", MOVES)
def test_a_box_still_surrounds_its_block_and_its_middle_stays_there(
    name: str, shape: tuple[int, int, int]
) -> None:
    for seed in (3, 4):
        masks, _, boxes, middles = followed(shape, MOVES[name], seed)
        for mask, box, middle in zip(masks, boxes, middles, strict=True):
            drawn = extents(mask)
            assert box.shape == (1, 2, 3) and drawn is not None
            slack = 1.0 if name == "elastic" else 0.5 + 1e-3  # a voxel is drawn where its middle is inside
            assert (box[0, 0] <= drawn[0] + slack).all() and (box[0, 1] >= drawn[1] - slack).all()
            if name in ("zoom", "translate", "crop"):
                assert (box[0] - drawn).abs().max() <= slack, "and is no larger than the block"
            inside = (middle[0] >= 0) & (middle[0] < torch.tensor(shape))
            if inside.all():
                assert mask[tuple(middle[0].long())] == 1, "the middle is still on the block"


@pytest.mark.parametrize("axis", ["z", "y", "x"])
def test_flips_move_boxes_and_points_exactly(axis: str) -> None:
    shape = (12, 20, 28)
    masks, _, boxes, middles = followed(shape, AugmentPlan(flip_axes=(axis,)), 0)
    for mask, box, middle in zip(masks, boxes, middles, strict=True):
        drawn = extents(mask)
        assert drawn is not None and torch.equal(box[0], drawn)
        assert torch.equal(middle[0], drawn.mean(dim=0))
    assert len({tuple(b.flatten().tolist()) for b in boxes}) == 2, "some are mirrored and some are not"


@pytest.mark.parametrize("shape", SHAPES)
def test_a_bend_takes_points_where_what_they_mark_goes(shape: tuple[int, int, int]) -> None:
    """Images hold their own places, (z, y, x): read at a moved point, they say where it was."""
    axes = torch.meshgrid(*(torch.arange(n) + 0.5 for n in shape), indexing="ij")
    images = {"image": torch.stack(axes)[None].repeat(8, 1, 1, 1, 1)}
    marks = torch.tensor([[n // 2, n / 3, n / 1.7] for n in shape], dtype=torch.float64).T + 0.5
    marks[:, 0] = marks[:, 0].clamp(max=shape[0] - 0.5)
    plan = AugmentPlan(probability=1, elastic=0.03, rotate_deg=20, zoom=0.2, flip_axes=("x",))
    places = augment.Places(points={"marks": (marks,) * 8})
    moved, _, gone = augment.space(images, {}, plan, seeded(5), places=places)
    for image, points in zip(moved["image"], gone.points["marks"], strict=True):
        assert points is not None
        at = (points * 2 / torch.tensor(shape) - 1).flip(-1).float()[None, None, None]
        read = torch.nn.functional.grid_sample(image[None], at, align_corners=False)[0, :, 0, 0].T
        away = (read - marks).abs().amax(dim=1)
        inside = ((points > 1) & (points < torch.tensor(shape) - 1))[:, 1:].all(dim=1)
        assert inside.any() and away[inside].max() < 0.15, (points, read)


def test_samples_without_places_and_those_not_drawn_stay_as_they_are() -> None:
    images, _ = blob((12, 20, 28), n=3)
    box = torch.tensor([[[1.5, 2, 3], [4, 5, 6.25]]])
    whole = torch.tensor([[[1, 2, 3], [4, 5, 6]]])
    places = augment.Places(boxes={"b": (box, None, torch.zeros(0, 2, 3))}, points={"p": (whole[0],) * 3})
    _, _, still = augment.space(images, {}, STILL, seeded(), places=places)
    kept = still.boxes["b"]
    assert kept[0] is not None and torch.equal(kept[0], box) and kept[1] is None
    assert kept[2] is not None and kept[2].shape == (0, 2, 3)
    _, _, gone = augment.space(images, {}, MOVES["translate"], seeded(), places=places)
    assert gone.points["p"][0] is not None and gone.points["p"][0].is_floating_point()
    far = augment.Places(boxes={"b": (torch.tensor([[[0.0, 0, 27], [1, 1, 28]]]),) * 3})
    _, _, out = augment.space(images, {}, MOVES["translate"], seeded(1), places=far)
    sizes = torch.tensor((12, 20, 28))
    assert all(b is not None and (b >= 0).all() and (b <= sizes).all() for b in out.boxes["b"])
