"""What stands at hidden places of a report? A model of language, learned from reports alone: each from all about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from vesalius.core.bundle import State
from vesalius.core.plan import Plan
from vesalius.tasks._texts import reading, tokenizer_of
from vesalius.tasks._wording import UNIGRAM, Wording
from vesalius.tasks.contract import Nets

if TYPE_CHECKING:
    from torch import nn

NAMES = {
    "maskedwords": "A model of language that reads, learned from reports without images, for readers to begin from"
}


class MaskedWords(Wording):
    """Masked language modelling (Devlin et al. 2019, section 3.1).

    The answer is the report's pseudo-perplexity: each piece hidden once, with every seventh beside it, and the rest
    shown (after Salazar et al., ACL 2020, arXiv:1910.14659, who hide one at a time). Unknown words are not asked for.
    """

    name: ClassVar[str] = "maskedwords"
    roles: ClassVar[tuple[str, ...]] = ("text",)
    net: ClassVar[tuple[str, float]] = ("textformer", 0.5)

    def net_of(self, plan: Plan, words: int, nets: Nets) -> Any:
        """Return the planned net, with a row for each word."""
        return reading(plan.net, words, plan, nets)

    def model(self, net: Any, state: State) -> nn.Module:
        """Return the net, asked for hidden pieces."""
        from vesalius.tasks._worded import HiddenPieces

        return HiddenPieces(net, state.arrays[UNIGRAM], tokenizer_of(state.values))


TASK = MaskedWords()
