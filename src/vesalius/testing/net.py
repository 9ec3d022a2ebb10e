"""What a net promises: its literals, its maps, gradients to every parameter, eight pictures learned, export.

Nets that read images, or cines, are tried here, those over time in `overtime.py`, those that write in `writing.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

import torch
from torch import Tensor, nn

from vesalius import nets
from vesalius.core import registry
from vesalius.nets import Net
from vesalius.testing.overtime import OVER_TIME_PROMISES, over_time_trials
from vesalius.testing.promise import require
from vesalius.testing.writing import WRITER_PROMISES, WriterTrial

ROLES = ("encoder", "dense", "cine", "sequence", "text", "writer", "graph", "denoiser", "table")
IMAGE_ROLES = ("encoder", "dense", "cine")
FRAMES = 8  # of a cine
CLASSES = 2
MAX_STEPS = 100
LEARNED = 0.15  # of the cross-entropy over eight pictures


class Classifier(nn.Module):
    """An encoder with its own head, or a dense net with a 1×1 convolution: what a task would build."""

    def __init__(self, net: Net) -> None:
        super().__init__()
        self.net = net
        self.dense = net.role == "dense"
        if self.dense:
            layer = nn.Conv2d if net.dims == 2 else nn.Conv3d
            self.last: nn.Module = layer(net.out_channels, CLASSES, 1)
        else:
            self.last = net.head(CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits `(B, K)`, or `(B, K, …)` of a dense net."""
        out = self.net(x)
        logits: Tensor = self.last(out.full if self.dense else out)
        return logits


@dataclass(frozen=True)
class NetTrial:
    """A net that reads images or cines, under test: its registered name, and whether it is built in 2-D or in 3-D."""

    name: str
    dims: int

    @cached_property
    def text(self) -> dict[str, Any]:
        """The literals of its file."""
        return nets.describe(self.name)

    @property
    def size(self) -> tuple[int, ...]:
        """The size `(Y, X)` or `(Z, Y, X)` of the smallest input that it is tried on."""
        default = (16,) * 3 if self.dims == 3 else (32,) * 2
        return tuple(self.text.get("TINY_SIZE", {}).get(self.dims, default))

    @property
    def time(self) -> tuple[int, ...]:
        """The number of frames of a net that reads cines; nothing of one that reads images."""
        return (FRAMES,) if self.text["ROLE"] == "cine" else ()

    @property
    def blank(self) -> Tensor:
        """An image of zeros, `(1, 1, *size)`, or a cine of such, `(1, T, 1, *size)`."""
        return torch.zeros(1, *self.time, 1, *self.size)

    @property
    def shown(self) -> tuple[Tensor, Tensor, Tensor]:
        """Eight images or cines, their classes, and masks of images."""
        return cines(self.size) if self.time else pictures(self.size)

    def smallest(self) -> Classifier:
        """Return the net in its smallest form with a last layer, the same weights each time."""
        torch.manual_seed(0)
        net = nets.build(
            self.name,
            dims=self.dims,
            in_channels=1,
            scale=self.text["SMALLEST"],
            size=self.size,
            options=self.text.get("TINY"),
        )
        return Classifier(net)

    def __str__(self) -> str:
        return f"net {self.name} in {self.dims}-D"


def net_trials(name: str) -> list[NetTrial]:
    """Return one trial for each dimension that a net serves; none of a net that reads neither images nor cines."""
    text = nets.describe(name)
    return [NetTrial(name, d) for d in text.get("DIMS", ())] if text.get("ROLE") in IMAGE_ROLES else []


def net_checks(name: str) -> list[tuple[str, Callable[[], None]]]:
    """Return what is asked of a registered net beside its literals: what each check is called, and the check."""
    checks: list[tuple[str, Callable[[], None]]] = [
        (f"{promise.__name__}-{trial.name}-{trial.dims}", partial(promise, trial))
        for trial in net_trials(name)
        for promise in NET_PROMISES
    ]
    if nets.describe(name).get("ROLE") == "sequence":
        checks += [
            (f"{promise.__name__}-{trial.id}", partial(promise, trial))
            for trial in over_time_trials(name)
            for promise in OVER_TIME_PROMISES
        ]
    if nets.describe(name).get("ROLE") == "writer":
        checks += [
            (f"{promise.__name__}-{name}", partial(promise, WriterTrial(name))) for promise in WRITER_PROMISES
        ]
    return checks


def check_net(name: str) -> None:
    """Raise AssertionError, in a sentence, at the first promise that the registered net `name` breaks.

    Nets that neither read images, cines or sequences nor write are asked for their literals alone. Raises UnknownName.
    """
    describes_itself(name)
    for _, check in net_checks(name):
        check()


def describes_itself(name: str) -> None:
    """Require that a net's file has the literals that are read without importing it."""
    text = nets.describe(name)
    role, dims, smallest = text.get("ROLE"), text.get("DIMS", ()), text.get("SMALLEST", 0)
    require(role in ROLES, f"net {name}: ROLE is one of {', '.join(ROLES)}, not {role!r}")
    require(dims and set(dims) <= {2, 3}, f"net {name}: DIMS are of 2 and 3, not {dims!r}")
    require(str(text.get("SOURCE", "")).strip(), f"net {name}: SOURCE names the paper")
    require(0 < smallest <= 1, f"net {name}: SMALLEST is a scale above 0 and at most 1, not {smallest!r}")
    require(isinstance(text.get("OPTIONS"), dict), f"net {name}: OPTIONS are its options with their defaults")
    require(name in nets.names_for(str(role)), f"net {name} is found by its role")
    require(len(registry.names("nets")[name]) > 3, f"net {name} is described in its NAMES")


def grows_with_scale(trial: NetTrial) -> None:
    """Require that a larger `scale` builds a net with more parameters; of one size alone where SMALLEST is 1."""
    counts, smallest = [], trial.text["SMALLEST"]
    if smallest == 1.0:
        return
    dims, side = (2, 224) if 2 in trial.text["DIMS"] else (3, 64)
    if trial.dims != dims:  # asked in 2-D, where it can be
        return
    for scale in [s for s in sorted({smallest, 0.5, 1.0}) if s >= smallest]:
        with torch.device("meta"):
            net = nets.build(trial.name, dims=dims, in_channels=1, scale=scale, size=(side,) * dims)
        counts.append(nets.count_parameters(net))
    require(counts == sorted(set(counts)), f"{trial}: a larger scale has more parameters, not {counts}")


def gives_the_declared_maps(trial: NetTrial) -> None:
    """Require that the maps have the channels and the strides that the net declares."""
    model = trial.smallest().eval()
    with torch.no_grad():
        out = model.net(trial.blank)
    maps = out.features if model.dense else out
    found, declared = [m.shape[1] for m in maps], list(model.net.channels)
    require(found == declared, f"{trial}: its maps have {found} channels, and it declares {declared}")
    for number, (m, stride) in enumerate(zip(maps, model.net.strides, strict=True)):
        wanted = [-(-n // s) for n, s in zip((*trial.time, *trial.size), stride, strict=True)]
        slack = 0 if model.dense else 1  # a pooling may drop the border
        near = all(abs(n - w) <= slack for n, w in zip(m.shape[2:], wanted, strict=True))
        require(near, f"{trial}: map {number} is {tuple(m.shape[2:])}, and its stride {stride} says {wanted}")
    if model.dense:
        whole = (1, model.net.out_channels, *trial.size)
        require(out.full.shape == whole, f"{trial}: its full map is {tuple(out.full.shape)}, not {whole}")


def passes_missing_frames_by(trial: NetTrial) -> None:
    """Require of a net over cines that one with missing frames is summed up as the frames that there are."""
    if not trial.time:
        return
    model, cines = trial.smallest().eval(), trial.shown[0][:2].clone()
    there = torch.ones(cines.shape[:2], dtype=torch.bool)
    there[1, 1], there[1, -2:] = False, False
    cines[~there] = torch.nan
    with torch.no_grad():
        together = model.last(model.net(cines, None, there))
        for row in range(2):
            alone = model.last(model.net(cines[row : row + 1, there[row]]))[0]
            apart = float((alone - together[row]).abs().max())
            require(
                apart <= 1e-4,
                f"{trial}: a cine is answered as without the frames that are not there, but for {apart:.1e}",
            )


def says_its_depths(trial: NetTrial) -> None:
    """Require that each parameter of what sees images lies in one depth, and that an image passes these in order."""
    net = trial.smallest().eval().net
    depths = net.depths
    seeing = [n for n, _ in net.named_parameters() if any(_lies_in(n, root) for root in net.encoding)]
    for name in seeing:
        held = sum(_lies_in(name, part) for depth in depths for part in depth)
        require(held == 1, f"{trial}: {name} lies in one of its depths, not in {held}")
    known = {n for n, _ in net.named_parameters()} | {n for n, _ in net.named_modules()}
    strange = sorted({part for depth in depths for part in depth} - known)
    require(not strange, f"{trial}: its depths name parts of it, and these are none: {strange[:4]}")
    passed: list[int] = []
    for number, depth in enumerate(depths):
        net.get_submodule(depth[0]).register_forward_pre_hook(lambda *_, k=number: passed.append(k))
    with torch.no_grad():
        net(trial.blank)
    firsts = list(dict.fromkeys(passed))
    require(
        firsts == list(range(len(depths))), f"{trial}: an image passes its depths in order, not as {firsts}"
    )


def _lies_in(name: str, part: str) -> bool:
    return not part or name == part or name.startswith(f"{part}.")


def can_be_followed_to_its_cam_map(trial: NetTrial) -> None:
    """Require that an answer's gradient reaches the map that class-activation maps weigh."""
    model = trial.smallest().eval()
    output = model.net(torch.randn(trial.blank.shape, generator=torch.Generator().manual_seed(0)))
    weighed = model.net.cam_map(output)
    require(
        weighed.ndim == trial.blank.ndim and len(weighed) == 1, f"{trial}: cam_map returns one map a case"
    )
    answer = model.last(output.full if model.dense else output)
    (gradient,) = torch.autograd.grad(answer[:, 1].sum(), weighed, allow_unused=True)
    reached = gradient is not None and gradient.shape == weighed.shape and gradient.abs().sum() > 0
    require(reached, f"{trial}: the gradient of an answer reaches the map that cam_map names")


def learns_eight_pictures(trial: NetTrial) -> None:
    """Require that gradients reach every parameter, and that eight small pictures are learned in a hundred steps."""
    model = trial.smallest().train()
    images, labels, masks = trial.shown
    target = masks if model.dense else labels
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-2 if model.dense else 3e-3)
    losses: list[float] = []
    for step in range(MAX_STEPS):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(images), target)
        loss.backward()  # type: ignore[no-untyped-call]
        if step == 0:
            silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
            require(not silent, f"{trial}: no gradient reaches {', '.join(silent)}")
        losses.append(loss.item())
        if losses[-1] < LEARNED:
            return
        optimiser.step()
    told = ", ".join(f"{x:.2f}" for x in losses[:: MAX_STEPS // 10])
    raise AssertionError(f"{trial}: eight pictures are learned in {MAX_STEPS} steps, but the loss was {told}")


def is_exported_alike(trial: NetTrial) -> None:
    """Require that `torch.export` gives the same answer, or that the net's NO_EXPORT says why it cannot."""
    model = trial.smallest().eval()
    images = trial.shown[0][:1]
    reason = trial.text.get("NO_EXPORT")
    try:
        exported = torch.export.export(model, (images,)).module()
        with torch.no_grad():
            torch.testing.assert_close(exported(images), model(images), atol=1e-4, rtol=0)
    except Exception as error:
        if not reason:
            raise AssertionError(
                f"{trial}: torch.export gives the same answer, but {type(error).__name__}: {error}"
            ) from error
        return
    require(not reason, f"{trial}: torch.export can follow it, and its NO_EXPORT says that it cannot")


@cache
def pictures(size: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Return eight noisy balls `(8, 1, *size)`, four of them hollow (class 1), their classes and their masks."""
    generator = torch.Generator().manual_seed(7)
    axes = [torch.linspace(-1, 1, n) for n in size]
    grid = torch.stack(torch.meshgrid(axes, indexing="ij"))
    images, masks = [], []
    for i in range(8):
        centre = (torch.rand(len(size), generator=generator) - 0.5) * 0.5
        distance = (grid - centre.reshape(-1, *(1,) * len(size))).square().sum(0).sqrt()
        radius = 0.45 + 0.2 * float(torch.rand((), generator=generator))
        mask = distance < radius
        ball = mask.float() * 2.0
        if i % 2:
            ball[distance < 0.6 * radius] = -1.0
        images.append(ball + 0.1 * torch.randn(size, generator=generator))
        masks.append(mask.long())
    return torch.stack(images)[:, None], torch.arange(8) % 2, torch.stack(masks)


@cache
def cines(size: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Return eight noisy cines `(8, T, 1, *size)` of a ball that grows, or shrinks (class 1), and their classes.

    Each that shrinks is one that grows, backwards: no frame tells them apart. There are no masks.
    """
    generator = torch.Generator().manual_seed(7)
    grid = torch.stack(torch.meshgrid(*(torch.linspace(-1, 1, n) for n in size), indexing="ij"))
    found = []
    for _ in range(4):
        centre = (torch.rand(len(size), generator=generator) - 0.5) * 0.5
        distance = (grid - centre.reshape(-1, *(1,) * len(size))).square().sum(0).sqrt()
        radius = torch.linspace(0.2, 0.9, FRAMES).reshape(-1, *(1,) * len(size))
        cine = (distance < radius).float() * 2.0 + 0.1 * torch.randn(FRAMES, *size, generator=generator)
        found += [cine, cine.flip(0)]
    return torch.stack(found)[:, :, None], torch.arange(8) % 2, torch.zeros(0)


NET_PROMISES: tuple[Callable[[NetTrial], None], ...] = (
    grows_with_scale,
    gives_the_declared_maps,
    passes_missing_frames_by,
    says_its_depths,
    can_be_followed_to_its_cam_map,
    learns_eight_pictures,
    is_exported_alike,
)
