"""What weights of others are once they are read: tensors under our own net's names, and what is known of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from vesalius.core.plan import NetPlan, Normalisation
from vesalius.core.words import counted, listed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, eq=False)
class Weights:
    """Tensors by the names that the net `net` gives them (`stem.0.weight`, not `net.stem.0.weight`).

    `origin` is what they are called in a plan, without a path. `net` is None where only the tensors are known.
    `head` are the tensors of their own last layer, which a task replaces; `labels` are what it tells apart.
    `channels` are what the input's channels are called, and `mean` and `sd` what each of them was normalised with, on
    the scale of 8-bit pictures, 0 to 255; all three are empty where nobody knows. `dims` is 2 or 3. `unused` are names
    of tensors in the file that have no place in the net. `learned_from` is what they learned from, where it is known
    that no case of anybody's study is among it.

    `size` is the input that the net was made for, `(Y, X)` or `(Z, Y, X)` in voxels, where its tensors depend on it or
    its maker planned it; `spacing_mm` are the voxels that it learned from, `(x, y, z)`; `normalise` is one
    `Normalisation` a channel, as in a plan. All three are None or empty where nobody knows. `notes` are sentences on
    what is assumed of the weights and what of the file is left out. `naming` is the registered naming that they had.
    `tokenizer` is what the tokenizer of a text model learned (`language/tokenizers`), None where none lies beside it.
    """

    tensors: Mapping[str, Tensor]
    origin: str
    net: NetPlan | None = None
    dims: int = 2
    channels: tuple[str, ...] = ()
    mean: tuple[float, ...] = ()
    sd: tuple[float, ...] = ()
    head: Mapping[str, Tensor] = field(default_factory=dict)
    labels: tuple[str, ...] = ()
    licence: str = ""
    learned_from: str = ""
    unused: tuple[str, ...] = ()
    size: tuple[int, ...] | None = None
    spacing_mm: tuple[float, float, float] | None = None
    normalise: tuple[Normalisation, ...] = ()
    notes: tuple[str, ...] = ()
    naming: str = ""
    tokenizer: Mapping[str, Any] | None = None

    def left_out(self) -> str:
        """Return which tensors of the file have no place in the net, in words; empty where all have one."""
        said = ["their own last layer"] if self.head else []
        if self.unused:
            said.append(
                f"{counted(len(self.unused), 'tensor')} without a place in it: {listed(self.unused, 3)}"
            )
        return " and ".join(said)
