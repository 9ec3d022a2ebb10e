"""BiLSTM: long short-term memory over steps in time, both ways: each answer stands on all steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from vesalius.core.options import options_of
from vesalius.nets._net import Net
from vesalius.nets._recurrent import recurrent

NAMES = {"bilstm": "long short-term memory over steps, both ways"}
ROLE = "sequence"
OVER = {"bilstm": "vectors"}
AHEAD = True
DIMS = (2, 3)
SOURCE = "Graves, Schmidhuber: Framewise phoneme classification with bidirectional LSTM, Neural Networks 2005"
SMALLEST = 0.0625
OPTIONS = {"layers": 1, "times": "both"}
LIMITS = {"layers": {"ge": 1, "le": 8}, "times": {"in": ["both", "gap", "none"]}}


def build(
    name: str,
    *,
    dims: int,
    in_channels: int,
    scale: float = 1.0,
    dropout: float = 0.0,
    size: Sequence[int] | None = None,
    options: Mapping[str, Any] | None = None,
) -> Net:
    """Build layers of LSTM cells of 128 times `scale` each way; dropout acts on what each layer gives.

    `layers` is how many there are, `times` what is told of when each step was: the gap before it and the time since the
    first (`both`), the `gap` alone, or `none`. `dims` is that of the plan, and `size` means nothing to it.
    """
    chosen = options_of("nets", name, options or {}, where=f"{name}: options")
    return recurrent(
        "lstm", chosen, both=True, dims=dims, in_channels=in_channels, scale=scale, dropout=dropout
    )
