"""What a net over time promises: an answer a step, missing steps passed by, no look ahead, streaming, eight learned."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vesalius import nets
from vesalius.testing.promise import require

OVERS = ("vectors", "maps", "tree")
CLASSES, ROWS, STEPS, CHANNELS = 2, 8, 7, 3
SIDE = 4  # of the maps
MAX_STEPS, LEARNED = 120, 0.15
ALIKE = 1e-5  # between a stream and the whole


class Shown(NamedTuple):
    """Eight sequences: `x` `(8, T, F, …)`, times in seconds or parents `(8, T)`, which steps there are, and classes."""

    x: Tensor
    beside: Tensor
    there: Tensor
    classes: Tensor


class Sequencer(nn.Module):
    """A net over time and a linear layer on the mean of the steps that are there: what a task would build."""

    def __init__(self, net: Any) -> None:
        super().__init__()
        self.net = net
        self.last = nn.Linear(net.out_channels, CLASSES)

    def forward(self, x: Tensor, beside: Tensor, there: Tensor) -> Tensor:
        """Return logits `(B, K)`."""
        out = self.net(x, beside, there)
        each = out.flatten(3).mean(-1) if out.ndim > 3 else out
        logits: Tensor = self.last(each.sum(1) / there.sum(1, keepdim=True))
        return logits


@dataclass(frozen=True)
class OverTimeTrial:
    """A net over time under test: its registered name, the dimensions of a map, and its option `causal`, if any."""

    name: str
    dims: int
    causal: bool | None = None

    @cached_property
    def text(self) -> dict[str, Any]:
        """The literals of its file."""
        return nets.describe(self.name)

    @property
    def over(self) -> str:
        """What it reads of a step."""
        return str(self.text.get("OVER", {}).get(self.name))

    @property
    def options(self) -> dict[str, Any]:
        """The options that it is built with."""
        return {
            **(self.text.get("TINY") or {}),
            **({} if self.causal is None else {"causal": self.causal}),
        }

    @cached_property
    def shown(self) -> Shown:
        """The sequences that it is shown."""
        return (
            trees() if self.over == "tree" else sequences((SIDE,) * self.dims if self.over == "maps" else ())
        )

    def smallest(self, *, scale: float | None = None) -> Sequencer:
        """Return the net in its smallest form with a last layer, the same weights each time."""
        torch.manual_seed(0)
        scale = self.text["SMALLEST"] if scale is None else scale
        net = nets.build(self.name, dims=self.dims, in_channels=CHANNELS, scale=scale, options=self.options)
        return Sequencer(net)

    def answered(self, shown: Shown | None = None) -> tuple[Any, Tensor]:
        """Return the net as it answers, and what it says of what is shown."""
        net: Any = self.smallest().eval().net
        shown = shown or self.shown
        with torch.no_grad():
            return net, net(shown.x, shown.beside, shown.there)

    @property
    def id(self) -> str:
        """What the trial is called in a test's name."""
        way = {None: "", True: "-causal", False: "-ahead"}[self.causal]
        return f"{self.name}{way}" + (f"-{self.dims}" if self.over == "maps" else "")

    def __str__(self) -> str:
        how = "" if self.causal is None else f" with causal={str(self.causal).lower()}"
        return f"net {self.name}{how}" + (f" on {self.dims}-D maps" if self.over == "maps" else "")


def over_time_trials(name: str) -> list[OverTimeTrial]:
    """Return the trials of a net over time: one for each dimension of its maps, and for each way of `causal`."""
    text = nets.describe(name)
    dims = text["DIMS"] if text.get("OVER", {}).get(name) == "maps" else text["DIMS"][:1]
    asked = (True, False) if "causal" in text.get("OPTIONS", {}) else (None,)
    return [OverTimeTrial(name, d, causal) for d in dims for causal in asked]


def sequences(size: tuple[int, ...] = ()) -> Shown:
    """Return eight noisy sequences at uneven times: two pulses, and the class says which one comes first.

    Steps are missing in the middle and at the end of some of them; there `x` and times are NaN.
    """
    generator = torch.Generator().manual_seed(7)
    x = 0.1 * torch.randn(ROWS, STEPS, CHANNELS, *size, generator=generator)
    classes = torch.arange(ROWS) % 2
    for k in range(ROWS):
        early = k // 2 % 2
        x[k, early, k % 2] += 1.5
        x[k, early + 3, 1 - k % 2] += 1.5
    gaps = torch.rand(ROWS, STEPS, generator=generator, dtype=torch.float64) + 0.05
    there = torch.ones(ROWS, STEPS, dtype=torch.bool)
    there[::3, 2], there[1::2, -1], there[2, -2:] = False, False, False
    x[~there] = torch.nan
    times = gaps.cumsum(1).masked_fill(~there, torch.nan)
    return Shown(x, times, there, classes)


def trees() -> Shown:
    """Return eight trees of a study, two organs and four lesions: are both marked lesions in one organ?"""
    generator = torch.Generator().manual_seed(7)
    x = 0.1 * torch.randn(ROWS, STEPS, CHANNELS, generator=generator)
    parents = torch.tensor([-1, 0, 0, 1, 1, 2, 2]).repeat(ROWS, 1)
    pairs = [(3, 4), (3, 5), (5, 6), (3, 6), (3, 4), (4, 5), (5, 6), (4, 6)]
    for k, pair in enumerate(pairs):
        x[k, list(pair), 0] += 1.5
    there = torch.ones(ROWS, STEPS, dtype=torch.bool)
    return Shown(x, parents, there, torch.arange(ROWS) % 2)


def says_what_it_is_over(trial: OverTimeTrial) -> None:
    """Require that its file says what it reads of a step, as the net does."""
    require(trial.over in OVERS, f"{trial}: OVER says {', '.join(OVERS)} by its name, not {trial.over!r}")
    net = trial.smallest().net
    require(net.role == "sequence", f"{trial}: its class has the role sequence, not {net.role}")
    causal = getattr(net, "causal", None)
    require(isinstance(causal, bool), f"{trial}: its .causal is True or False, not {causal!r}")
    if trial.causal is not None:
        require(causal == trial.causal, f"{trial}: its .causal is what its option says, not {causal}")
    ahead = nets.looks_ahead(trial.name, trial.options)
    require(
        trial.over == "tree" or ahead != causal,
        f"{trial}: its file says AHEAD = True, or has an option causal, where it is not causal, and else not",
    )
    require(not (causal and trial.over == "tree"), f"{trial}: a tree has no steps to come one after another")


def grows(trial: OverTimeTrial) -> None:
    """Require that a larger `scale` builds a net with more parameters; of one size alone where SMALLEST is 1."""
    smallest = trial.text["SMALLEST"]
    if smallest == 1.0:
        return
    scales = [s for s in sorted({smallest, 0.5, 1.0}) if s >= smallest]
    counts = [nets.count_parameters(trial.smallest(scale=scale).net) for scale in scales]
    require(counts == sorted(set(counts)), f"{trial}: a larger scale has more parameters, not {counts}")


def gives_an_answer_a_step(trial: OverTimeTrial) -> None:
    """Require the declared channels for each step, also of a single one; and the same answer each time."""
    net, out = trial.answered()
    x, beside, there = trial.shown[:3]
    wanted = (*x.shape[:2], net.out_channels, *x.shape[3:])
    require(out.shape == wanted, f"{trial}: it answers {tuple(out.shape)}, and it declares {wanted}")
    require(torch.isfinite(out).all(), f"{trial}: what it answers is finite, also where steps are missing")
    require(torch.equal(out, trial.answered()[1]), f"{trial}: the same weights answer the same")
    first = (x[:, :1], beside[:, :1], there[:, :1])
    with torch.no_grad():
        again = net(x, beside, there)
        require(torch.equal(out, again), f"{trial}: it answers the same when it is asked again")
        one, bare = net(*first), None if trial.over == "tree" else net(x[:, :1])
    require(one.shape[1] == 1 and torch.isfinite(one).all(), f"{trial}: it answers a sequence of one step")
    require(bare is None or bare.shape == one.shape, f"{trial}: it answers without times, too")


def passes_missing_steps_by(trial: OverTimeTrial) -> None:
    """Require that a step that is not there changes no other, and that its own answer is 0."""
    shown = trial.shown
    if trial.over == "tree":
        there = shown.there.clone()
        there[:, -1] = False
        shown = shown._replace(there=there)
    net, out = trial.answered(shown)
    require(not out[~shown.there].any(), f"{trial}: the answer to a step that is not there is 0")
    if trial.over != "tree":
        junk = shown._replace(x=shown.x.nan_to_num(9.0), beside=shown.beside.nan_to_num(9.0))
        same = torch.equal(trial.answered(junk)[1], out)
        require(same, f"{trial}: what stands in a step that is not there changes nothing")
    for row in range(ROWS):
        held = shown.there[row]
        with torch.no_grad():
            alone = net(shown.x[row : row + 1, held], shown.beside[row : row + 1, held], None)[0]
        apart = float((alone - out[row, held]).abs().max())
        require(
            apart <= ALIKE,
            f"{trial}: a sequence is answered as without the steps that are not there, but for {apart:.1e}",
        )


def looks_where_it_says(trial: OverTimeTrial) -> None:
    """Require that later steps change no earlier answer where it is causal, and do where it is not."""
    shown, half = trial.shown, STEPS // 2
    net, out = trial.answered()
    x = shown.x.clone()
    x[:, half:] = x[:, half:] + 1.0
    with torch.no_grad():
        changed = net(x, shown.beside, shown.there)
    before, after = ((changed - out)[:, now].abs().max() for now in (slice(0, half), slice(half, None)))
    require(after > 0, f"{trial}: an answer stands on its own step")
    if net.causal:
        require(before == 0, f"{trial}: later steps change no earlier answer, but they did by {before:.1e}")
    else:
        require(before > 0, f"{trial}: it says that it looks ahead, and later steps change no earlier answer")


def streams_alike(trial: OverTimeTrial) -> None:
    """Require of a causal net that `begin` and `step` answer as `forward`, from a state that does not grow.

    Sequences are of uneven times, with steps that are missing; a state that is given is not changed.
    """
    net, out = trial.answered()
    if not net.causal:
        return
    shown, sizes, apart = trial.shown, [], 0.0
    with torch.no_grad():
        state = net.begin(ROWS)
        for k in range(STEPS):
            given = (shown.x[:, k], shown.beside[:, k], state, shown.there[:, k])
            answer, after = net.step(*given)
            again, _ = net.step(*given)
            require(
                torch.equal(answer, again), f"{trial}: a step leaves the state that it is given as it was"
            )
            state, apart = after, max(apart, float((answer - out[:, k]).abs().max()))
            sizes.append(_size(state))
    require(apart <= ALIKE, f"{trial}: step by step it answers as at once, but for {apart:.1e}")
    require(
        sizes[-1] == sizes[0], f"{trial}: its state does not grow, but it did from {sizes[0]} to {sizes[-1]}"
    )


def learns_eight_sequences(trial: OverTimeTrial) -> None:
    """Require that gradients reach every parameter, and that eight sequences are learned in so many steps."""
    model, shown = trial.smallest().train(), trial.shown
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-2)
    losses: list[float] = []
    for step in range(MAX_STEPS):
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(shown.x, shown.beside, shown.there), shown.classes)
        loss.backward()  # type: ignore[no-untyped-call]
        if step == 0:
            found = [(n, p.grad) for n, p in model.named_parameters()]
            silent = [
                n for n, g in found if g is None or not torch.isfinite(g).all() or not g.abs().max() > 0
            ]
            require(not silent, f"{trial}: no gradient reaches {', '.join(silent)}")
        losses.append(loss.item())
        if losses[-1] < LEARNED:
            return
        optimiser.step()
    told = ", ".join(f"{x:.2f}" for x in losses[:: MAX_STEPS // 10])
    raise AssertionError(
        f"{trial}: eight sequences are learned in {MAX_STEPS} steps, but the loss was {told}"
    )


def holds_in_half_the_bits(trial: OverTimeTrial) -> None:
    """Require that under bfloat16 autocast it answers nearly the same, and learns."""
    model, shown = trial.smallest(), trial.shown
    _, out = trial.answered()
    with torch.autocast("cpu", torch.bfloat16):
        half = model.eval().net(shown.x, shown.beside, shown.there)
        loss = model.train()(shown.x, shown.beside, shown.there).float().square().sum()
    loss.backward()
    apart, spread = float((half.detach().float() - out).abs().max()), float(out.abs().max())
    require(
        apart <= 0.1 * max(1.0, spread),
        f"{trial}: in bfloat16 it answers nearly the same, but for {apart:.2f}",
    )
    lost = [n for n, p in model.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    require(not lost, f"{trial}: in bfloat16 no gradient reaches {', '.join(lost)}")


def is_exported(trial: OverTimeTrial) -> None:
    """Require that `torch.export` gives the same answer, or that the net's NO_EXPORT says why it cannot."""
    model, given = trial.smallest().eval(), tuple(part[:2] for part in trial.shown[:3])
    reason = trial.text.get("NO_EXPORT")
    try:
        exported = torch.export.export(model, given).module()
        with torch.no_grad():
            torch.testing.assert_close(exported(*given), model(*given), atol=1e-4, rtol=0)
    except Exception as error:
        if not reason:
            raise AssertionError(
                f"{trial}: torch.export gives the same answer, but {type(error).__name__}: {error}"
            ) from error
        return
    require(not reason, f"{trial}: torch.export can follow it, and its NO_EXPORT says that it cannot")


def _size(state: Any) -> int:
    """Return how many numbers a state holds: a tensor, or several by name or in a row, however deep."""
    if isinstance(state, Tensor):
        return state.numel()
    parts = state.values() if isinstance(state, Mapping) else state if isinstance(state, list | tuple) else ()
    return sum(_size(part) for part in parts)


OVER_TIME_PROMISES: tuple[Callable[[OverTimeTrial], None], ...] = (
    says_what_it_is_over,
    grows,
    gives_an_answer_a_step,
    passes_missing_steps_by,
    looks_where_it_says,
    streams_alike,
    learns_eight_sequences,
    holds_in_half_the_bits,
    is_exported,
)
