"""Weights whose rows are words: what they know of each word goes to its row in another vocabulary.

A row of a table of pieces means nothing without its vocabulary: tables of which nobody knows it are not taken over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vesalius.language import tokenizers
from vesalius.language.normal import GLUED
from vesalius.language.tokenizers import Tokenizer
from vesalius.nets import Net

KNOWN = "vocabulary"  # of a model: what its tokenizer learned


class Worded(dict[str, Tensor]):
    """Tensors by name, with what the tokenizer learned whose pieces their rows are."""

    def __init__(self, tensors: Mapping[str, Tensor], tokenizer: Mapping[str, Any]) -> None:
        super().__init__(tensors)
        self.tokenizer = tokenizer


def reworded(start: Mapping[str, Tensor], model: nn.Module) -> Mapping[str, Tensor]:
    """Return given weights with a row for each piece that the model knows, in its order.

    A piece that both vocabularies have keeps its row; another begins as the mean of the rows of the pieces that the
    weights' own tokenizer parts it into, and an unknown one as the mean of all (Gee et al., "Fast vocabulary transfer",
    EMNLP 2022). Tables are left out where either vocabulary is not known. Without such tables weights stay as they are.
    """
    tables = {table for net in model.modules() if isinstance(net, Net) for table in net.tables}
    found = [name for name in start if any(name == t or name.endswith(f".{t}") for t in tables)]
    if not found:
        return start
    theirs, ours = getattr(start, "tokenizer", None), getattr(model, KNOWN, None)
    if theirs is None or ours is None:
        return {name: tensor for name, tensor in start.items() if name not in found}
    if theirs == ours:
        return start
    old, new = tokenizers.load(theirs), tokenizers.load(ours)
    places = [_places(number, new, old) for number in range(new.size)]
    moved = {
        name: _rows(start[name], places) if len(start[name]) == old.size else start[name] for name in found
    }
    return {**start, **moved}


def _places(number: int, new: Tokenizer, old: Tokenizer) -> list[int]:
    """Return the numbers of the old pieces that a new one is made of; none where they do not know it."""
    for name in ("pad", "begin", "end", "unknown", "mask", "sep"):
        if number == getattr(new, name):
            return [getattr(old, name)]
    piece = new.piece(number)
    if piece == GLUED:
        return []
    return [n for n in old.numbers(piece) if n != old.unknown]


def _rows(table: Tensor, places: list[list[int]]) -> Tensor:
    """Return a row for each list of places in a table `(V, …)`: the mean of theirs, and of all where there is none."""
    mean = table.float().mean(dim=0)
    rows = [table[held].float().mean(dim=0) if held else mean for held in places]
    return torch.stack(rows).to(table.dtype)
