"""How does a report go on? A model of language, learned from reports alone: each piece from those before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from vesalius.core.bundle import State
from vesalius.core.plan import Plan
from vesalius.tasks._wording import UNIGRAM, Wording
from vesalius.tasks.contract import Nets

if TYPE_CHECKING:
    from torch import nn

NAMES = {
    "nextword": "A model of language that writes on, learned from reports without images, for writers to begin from"
}


class NextWord(Wording):
    """Causal language modelling. The answer is the report's perplexity, END and unknown words as pieces of it."""

    name: ClassVar[str] = "nextword"
    roles: ClassVar[tuple[str, ...]] = ("writer",)
    net: ClassVar[tuple[str, float]] = ("writer-transformer", 0.25)

    def net_of(self, plan: Plan, words: int, nets: Nets) -> Any:
        """Return the planned net, with a row for each word."""
        return nets.build(
            plan.net.name,
            dims=plan.data.dims,
            in_channels=1,
            scale=plan.net.scale,
            dropout=plan.net.dropout,
            options={"longest": plan.sources.longest, **plan.net.options, "words": words},
        )

    def model(self, net: Any, state: State) -> nn.Module:
        """Return the net, asked for the next piece."""
        from vesalius.tasks._worded import NextPiece

        return NextPiece(net, state.arrays[UNIGRAM])


TASK = NextWord()
