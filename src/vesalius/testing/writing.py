"""What a net that writes promises: no look ahead, a cache that changes nothing, shares of looking, texts learned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vesalius import nets
from vesalius.testing.promise import require

ROWS, LENGTH, REGIONS, FINDINGS, WIDE = 4, 9, 5, 3, 6
MAX_STEPS, LEARNED = 150, 0.2
ALIKE = 1e-5  # between a text at once and piece by piece


@dataclass(frozen=True)
class WriterTrial:
    """A net that writes under test: its registered name."""

    name: str

    def smallest(self) -> Any:
        """Return the net in its smallest form, the same weights each time."""
        text = nets.describe(self.name)
        torch.manual_seed(0)
        return nets.build(
            self.name, dims=2, in_channels=WIDE, scale=text["SMALLEST"], options=text.get("TINY")
        )

    def shown(self, net: Any) -> tuple[Tensor, Tensor, Tensor]:
        """Return texts `(B, L)`, regions `(B, S, F)` and findings `(B, K, F)`."""
        draw = torch.Generator().manual_seed(3)
        tokens = torch.randint(6, net.words, (ROWS, LENGTH), generator=draw)
        tokens[:, 0] = 1
        memory = torch.randn(ROWS, REGIONS, WIDE, generator=draw)
        return tokens, memory, torch.randn(ROWS, FINDINGS, WIDE, generator=draw)

    def __str__(self) -> str:
        return f"net {self.name}"


def says_as_many_pieces(trial: WriterTrial) -> None:
    """Require shapes as declared, with image, with findings, and without either; and shares that do not pass one."""
    net = trial.smallest().eval()
    tokens, memory, findings = trial.shown(net)
    for seen, found, n in (
        (memory, findings, REGIONS + FINDINGS),
        (memory, None, REGIONS),
        (None, findings, FINDINGS),
        (None, None, 0),
    ):
        hidden, _, looked = net(tokens, seen, findings=found)
        wanted = (ROWS, LENGTH, net.out_channels)
        require(tuple(hidden.shape) == wanted, f"{trial}: says {tuple(hidden.shape)}, not {wanted}")
        if not n:
            require(looked is None, f"{trial}: looks nowhere where nothing is shown")
            continue
        require(looked is not None, f"{trial}: says where it looks")
        require(tuple(looked.shape) == (ROWS, LENGTH, n), f"{trial}: looks at {n} things, not {looked.shape}")
        require(
            bool((looked >= 0).all() and (looked.sum(-1) <= 1 + 1e-5).all()),
            f"{trial}: shares of looking are at least 0 and at most 1 in all",
        )
    logits = net.logits(hidden)
    require(tuple(logits.shape) == (ROWS, LENGTH, net.words), f"{trial}: logits of all {net.words} pieces")


def does_not_look_ahead(trial: WriterTrial) -> None:
    """Require that later pieces change nothing of what is said before them."""
    net = trial.smallest().eval()
    tokens, memory, _ = trial.shown(net)
    other = tokens.clone()
    other[:, -2:] = 7
    with torch.no_grad():
        apart = (net(tokens, memory)[0] - net(other, memory)[0])[:, :-2].abs().max()
    require(
        float(apart) <= ALIKE, f"{trial}: what is said does not stand on later pieces, but for {apart:.1e}"
    )


def goes_on_from_its_cache(trial: WriterTrial) -> None:
    """Require that a text piece by piece, and by halves, is that of the whole at once; and an unchanged cache."""
    net = trial.smallest().eval()
    tokens, memory, findings = trial.shown(net)
    with torch.no_grad():
        whole, _, looked = net(tokens, memory, findings=findings)
        for step in (1, 4):
            cache: Any = None
            parts, shares = [], []
            for at in range(0, LENGTH, step):
                said, after, share = net(tokens[:, at : at + step], memory, cache, findings=findings)
                again = net(tokens[:, at : at + step], memory, cache, findings=findings)[0]
                require(torch.equal(said, again), f"{trial}: the cache that is given is not changed")
                cache = after
                parts.append(said)
                shares.append(share)
            apart = max(
                float((torch.cat(parts, 1) - whole).abs().max()),
                float((torch.cat(shares, 1) - looked).abs().max()),
            )
            require(apart <= ALIKE, f"{trial}: {step} pieces at a time say the same, but for {apart:.1e}")


def learns_four_texts(trial: WriterTrial) -> None:
    """Require gradients to every parameter, and that texts which only the image tells apart are learned."""
    net = trial.smallest().train()
    tokens, memory, findings = trial.shown(net)
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-2)
    losses: list[float] = []
    for step in range(MAX_STEPS):
        optimiser.zero_grad()
        hidden, _, _ = net(tokens[:, :-1], memory, findings=findings)
        loss = nn.functional.cross_entropy(net.logits(hidden).flatten(0, 1), tokens[:, 1:].flatten())
        loss.backward()  # type: ignore[no-untyped-call]
        if step == 0:
            silent = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
            require(not silent, f"{trial}: no gradient reaches {', '.join(silent)}")
        losses.append(loss.item())
        if losses[-1] < LEARNED:
            return
        optimiser.step()
    told = ", ".join(f"{x:.2f}" for x in losses[:: MAX_STEPS // 10])
    raise AssertionError(f"{trial}: four texts are learned in {MAX_STEPS} steps, but the loss was {told}")


WRITER_PROMISES: tuple[Callable[[WriterTrial], None], ...] = (
    says_as_many_pieces,
    does_not_look_ahead,
    goes_on_from_its_cache,
    learns_four_texts,
)
