"""How `align` learns, and how texts become vectors: what of it needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from vesalius.core.bundle import State
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.sentences import sentences
from vesalius.language import tokenizers
from vesalius.prepare.batch import Batch, Example
from vesalius.tasks import _prompts
from vesalius.tasks._aligned import deciding
from vesalius.tasks._claims import ABSENT
from vesalius.tasks._pairs import report_pairs, sentence_pairs, words_of

LOOKED_AT = 256  # training images that the usual vectors of places are taken from


def terms_of(model: Any, batch: Batch) -> dict[str, Tensor]:
    """Return the terms of the loss: `reports` and `sentences` against whole images, `places` against their places."""
    whole, places, _ = model.sees(batch.images["image"])
    there = _there(batch)
    if int(there.sum()) < 2:
        nothing = 0.0 * whole.sum() + 0.0 * sum(p.sum() for p in model.reads.parameters())
        return {"reports": nothing}
    said, keys, held, own = (_stacked(batch, name) for name in ("said", "keys", "held", "whole"))
    tokens = batch.tokens[there]  # type: ignore[index]
    whole, places = whole[there], places[there]
    words = words_of(tokens, said, keys, torch.ones(len(keys), dtype=torch.bool, device=keys.device))
    vectors = model.reads(_short(words.tokens))
    pairs, weight = sentence_pairs(words, held)
    reports = F.normalize(words.of.T.to(vectors) @ vectors, dim=-1)  # (B, D)
    denied = (words.said == ABSENT).any(dim=1) & ~(words.said > 0).any(dim=1)
    fits = report_pairs(held, own[:, 0])

    def told(near: Tensor, true: Tensor, counts: Tensor | None = None) -> Tensor:
        found: Tensor = model.criterion(model.sharpness * near + model.offset, true, counts)
        return found

    return {
        "reports": told(reports @ whole.T, fits),
        "sentences": told(vectors @ whole.T, pairs, weight),
        "places": told(deciding(places, vectors, denied).T, pairs, weight),
    }


def vectors_of(model: Any, texts: Sequence[str], state: State) -> Tensor:
    """Return the unit vectors `(N, D)` of texts: of several sentences, the direction of their mean.

    Raises DataError for a text without a word that training reports have.
    """
    tokenizer = tokenizers.load(state.values["tokenizer"])
    length = int(state.values["length"])
    rows, ids = [], []
    for row, text in enumerate(texts):
        parts = [s for s in sentences(text) if set(tokenizer.encode(s)) - {tokenizer.unknown}]
        if not parts:
            raise DataError(
                "the model has never read any word of a text",
                found=repr(text[:60]),
                hint="words that its training reports have, in their language",
            )
        rows += [row] * len(parts)
        ids += [_prompts.tokens_of(s, tokenizer, length) for s in parts]
    device = model.factor.device
    each = model.reads(_short(torch.tensor(ids, device=device)))
    total = each.new_zeros(len(texts), each.shape[1]).index_add(0, torch.tensor(rows, device=device), each)
    return F.normalize(total, dim=-1)


def usual_places(model: Any, examples: Sequence[Example]) -> Array:
    """Return the vectors `(P, D)` float32 that places have on average in some prepared images."""
    total, many = None, 0
    with torch.inference_mode():
        for example in examples[:LOOKED_AT]:
            image = torch.from_numpy(np.ascontiguousarray(example.images["image"]))[None]
            _, places, _ = model.sees(image.to(model.factor.device))
            total = places[0].double() if total is None else total + places[0].double()
            many += 1
    if total is None:
        raise DataError("no training image to look at")
    found: Array = (total / many).float().cpu().numpy()
    return found


def _short(tokens: Tensor) -> Tensor:
    """Return tokens `(N, L)` without the columns behind the longest text."""
    longest = int((tokens >= 0).sum(dim=1).max())
    return tokens[:, :longest]


def _there(batch: Batch) -> Tensor:
    """Return which cases have a report, `(B,)` bool."""
    held = batch.ragged.get("keys", ())
    device = next(iter(batch.images.values())).device
    if not held or batch.tokens is None:
        return torch.zeros(batch.rows, dtype=torch.bool, device=device)
    return torch.tensor([k is not None for k in held], device=device)


def _stacked(batch: Batch, name: str) -> Tensor:
    return torch.stack([t for t in batch.ragged[name] if t is not None])
