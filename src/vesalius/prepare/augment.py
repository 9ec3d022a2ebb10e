"""Random changes to a batch, drawn a sample at a time and made on the batch's own device.

The changes are the registered files of `prepare/transforms/`; here they take their turns. One grid of all that is drawn
moves images (linearly) and everything on their grid (nearest) together. What comes from outside an image is its mirror
image; where something lies on its grid, it is zero, which is the mean, and -1, 'not known', in integer targets. Points
and boxes are moved the other way through the same grid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

from vesalius.core.plan import AugmentPlan
from vesalius.prepare import transforms
from vesalius.prepare.transforms.contract import Exchange, Move

Named = Mapping[str, Tensor]


Ragged = Mapping[str, tuple[Tensor | None, ...]]
_LATTICE = 5  # points along each edge of a box that is bent, whose places make the box that surrounds it
_ROUNDS = 30  # fixed-point iterations by which a point is found under a bend


@dataclass(frozen=True, eq=False)
class Places:
    """Points `(N, 3)` and boxes `(N, 2, 3)` of each sample, by name; None where a sample has none.

    They are `(z, y, x)` in voxels of the main image: voxel k reaches from k to k + 1.
    """

    points: Ragged = field(default_factory=dict)
    boxes: Ragged = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.points or self.boxes)


def space(
    images: Named,
    fields: Named,
    plan: AugmentPlan,
    generator: torch.Generator,
    *,
    places: Places | None = None,
) -> tuple[dict[str, Tensor], dict[str, Tensor], Places]:
    """Return `(B, C, Z, Y, X)` images moved as planned, with the fields and the places on their grid.

    Samples for which nothing was drawn are left as they are, bit for bit. A moved box is the smallest that surrounds
    what the old one held, and ends where the image does; one outside of it has no extent any more.
    """
    places = places or Places()
    main = images["image"] if "image" in images else next(iter(images.values()))
    n, shape = main.shape[0], main.shape[2:]
    exchanges: list[Exchange] = [draw(n, shape, generator) for draw in transforms.planned(plan, "place")]
    images, fields = dict(images), dict(fields)
    for exchange in exchanges:
        for group in (images, fields):
            group |= {name: exchange.tensor(tensor) for name, tensor in group.items()}
    moves: list[Move] = [draw(n, shape, generator) for draw in transforms.planned(plan, "grid")]
    chosen = torch.stack([m.chosen for m in moves]).any(dim=0) if moves else torch.zeros(n, dtype=torch.bool)
    if bool(chosen.any()):
        pick = chosen.nonzero()[:, 0].to(main.device)
        grid = _grid(moves, chosen, shape, main.device)
        flat, mirror = shape[0] == 1, not fields and not places
        for group, soft in ((images, True), (fields, False)):
            for name, tensor in group.items():
                if tensor.shape[2:] == shape:
                    moved = _sample(tensor[pick], grid, flat=flat, soft=soft, mirror=mirror)
                    group[name] = tensor.index_copy(0, pick, moved)
    return images, fields, _followed(places, exchanges, moves, chosen, shape) if places else places


def _matrix(moves: Sequence[Move], n: int) -> Tensor:
    """Return `(n, 3, 4)`: from a place in the output to that in the input, (z, y, x) in units of half the image."""
    matrices = [m.matrix for m in moves if m.matrix is not None]
    theta = matrices[0] if matrices else torch.eye(3, 4).repeat(n, 1, 1)
    for matrix in matrices[1:]:
        shift = theta[:, :, :3] @ matrix[:, :, 3:] + theta[:, :, 3:]
        theta = torch.cat([theta[:, :, :3] @ matrix[:, :, :3], shift], dim=2)
    return theta


def _grid(moves: Sequence[Move], chosen: Tensor, shape: torch.Size, device: torch.device) -> Tensor:
    """Return where each point of the chosen samples comes from, as `grid_sample` takes it."""
    theta = _matrix(moves, len(chosen))[chosen].to(device)
    if shape[0] == 1:
        flat = theta[:, 1:, 1:][:, [1, 0]][:, :, [1, 0, 2]]
        grid = F.affine_grid(flat, [len(theta), 1, *shape[1:]], align_corners=False)
    else:
        turned = theta[:, [2, 1, 0]][:, :, [2, 1, 0, 3]]
        grid = F.affine_grid(turned, [len(theta), 1, *shape], align_corners=False)
    for move in moves:
        if move.displacement is not None:
            grid = grid + move.displacement[chosen].to(grid)
    return grid


def _followed(
    places: Places, exchanges: Sequence[Exchange], moves: Sequence[Move], chosen: Tensor, shape: torch.Size
) -> Places:
    """Return points and boxes moved as the image was, so that they still mark the same things."""
    theta = _matrix(moves, len(chosen)).double()
    shifts = [m.displacement for m in moves if m.displacement is not None]
    share = torch.linspace(0, 1, _LATTICE if shifts else 2, dtype=torch.float64)
    lattice = torch.cartesian_prod(share, share, share)  # (P, 3)

    def turned(value: Tensor, sample: int) -> Tensor:
        points = value.cpu().double()
        for exchange in exchanges:
            points = exchange.points(points, sample)
        return points

    def moved(points: Tensor, sample: int) -> Tensor:
        bend = torch.stack([s[sample] for s in shifts]).sum(dim=0).double() if shifts else None
        return _forward(points, theta[sample], bend, shape)

    def point(value: Tensor, sample: int) -> Tensor:
        points = turned(value, sample)
        return moved(points, sample) if chosen[sample] else points

    def box(value: Tensor, sample: int) -> Tensor:
        corners = turned(value, sample).sort(dim=1).values  # (N, 2, 3)
        if not chosen[sample]:
            return corners
        inside = corners[:, :1] + lattice * (corners[:, 1:] - corners[:, :1])  # (N, P, 3)
        gone = moved(inside, sample)
        around = torch.stack([gone.amin(dim=1), gone.amax(dim=1)], dim=1)
        return around.clamp(torch.zeros(3).double(), torch.tensor(shape).double())

    def each(ragged: Ragged, how: Callable[[Tensor, int], Tensor]) -> Ragged:
        def one(value: Tensor | None, sample: int) -> Tensor | None:
            if value is None or not len(value):
                return value
            kind = value.dtype if value.is_floating_point() else torch.float32
            return how(value, sample).to(value.device, kind)

        return {name: tuple(map(one, values, range(len(values)))) for name, values in ragged.items()}

    return Places(each(places.points, point), each(places.boxes, box))


def _forward(points: Tensor, theta: Tensor, bend: Tensor | None, shape: torch.Size) -> Tensor:
    """Return where points `(…, 3)` of the input lie in the output, which `theta` and `bend` lead back to the input.

    `bend` `(…, 2 or 3)`, x first, is looked up at the place that is sought, which is found by fixed-point iteration.
    """
    axes = [1, 2] if shape[0] == 1 else [0, 1, 2]  # a flat image moves in its plane alone
    extent = torch.tensor([shape[k] for k in axes], dtype=points.dtype)
    inverse = torch.linalg.inv(theta[axes][:, axes])
    source = points[..., axes] * 2 / extent - 1 - theta[axes, 3]
    place = source @ inverse.T
    if bend is not None:
        field = bend.movedim(-1, 0)[None]  # (1, 2 or 3, …)
        for _ in range(_ROUNDS):
            at = place.flip(-1).reshape(1, *(1,) * (len(axes) - 1), -1, len(axes))
            shift = F.grid_sample(field, at, padding_mode="border", align_corners=False)
            shift = shift.reshape(len(axes), -1).T.flip(-1).reshape(place.shape)
            place = (source - shift) @ inverse.T
    out = points.clone()
    out[..., axes] = (place + 1) * extent / 2
    return out


def _sample(tensor: Tensor, grid: Tensor, *, flat: bool, soft: bool, mirror: bool) -> Tensor:
    whole = not tensor.is_floating_point()
    value = tensor.to(grid.dtype) + 1 if whole else tensor
    if flat:
        value = value[:, :, 0]
    mode = "bilinear" if soft and not whole else "nearest"
    value = F.grid_sample(
        value, grid, mode=mode, padding_mode="reflection" if mirror else "zeros", align_corners=False
    )
    if flat:
        value = value[:, :, None]
    return (value - 1).round().to(tensor.dtype) if whole else value


def intensity(images: Named, plan: AugmentPlan, generator: torch.Generator) -> dict[str, Tensor]:
    """Return images whose intensities, which `prepare` has normalised, are changed as planned."""
    changes = transforms.planned(plan, "intensity")
    out: dict[str, Tensor] = {}
    for name, tensor in images.items():
        for change in changes:
            tensor = change(tensor, generator)
        out[name] = tensor
    return out


def mixup(
    images: Named, targets: Named, plan: AugmentPlan, generator: torch.Generator
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return images and targets that do not lie on their grid, samples mixed with one another as planned."""
    for mix in transforms.planned(plan, "mix"):
        images, targets = mix(images, targets, generator)
    return dict(images), dict(targets)
