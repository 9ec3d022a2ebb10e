"""The loss of `report`: the next word of each report, and what is there, on which side and how large."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from vesalius.prepare.batch import Batch
from vesalius.tasks._report_raw import LEFT, RIGHT, SIZE, THERE
from vesalius.tasks._reporter import Reporter, chances_of, shown, taught

FOUND = "findings"  # among a batch's targets
TAUGHT = 0.5  # share of training cases of which the writer is told what is true, and not what was found
WORTH = {"findings": 4.0, "sides": 1.0, "sizes": 0.5}  # beside the words of a report


def terms(model: Reporter, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
    """Return the named terms: `words`, and where findings were learned `findings`, `sides` and `sizes`."""
    batch = shown(model, batch, generator)
    seen = model.see(batch)
    found = model.find(seen)
    truth, known = batch.targets.get(FOUND), batch.labelled(FOUND)
    draw = (torch.rand(batch.rows, generator=generator, device=generator.device) < TAUGHT).to(
        found.figures.device
    )
    chances = taught(chances_of(found.figures).detach(), truth, known, draw)
    made = {"words": words(model, batch.tokens, model.memory_of(seen, chances), model.told_of(chances))}
    if not model.findings:
        return made
    if truth is None:
        return {**made, "findings": 0.0 * found.figures.sum()}
    if known is not None:
        truth = torch.where(known[:, None, None], truth, torch.nan)
    return {**made, **of_findings(found.figures, truth.to(found.figures), model.positive)}


def words(model: Reporter, tokens: Tensor | None, memory: Tensor, findings: Tensor | None) -> Tensor:
    """Return the mean cross-entropy of the next token `(B, L)`; PAD says nothing."""
    if tokens is None:
        return 0.0 * memory.sum()
    most = max(2, int((tokens != model.tokenizer.pad).sum(dim=1).max()))
    tokens = tokens[:, :most]
    hidden, _, _ = model.writer(tokens[:, :-1], memory, findings=findings)
    logits = model.writer.logits(hidden)
    wanted = tokens[:, 1:]
    total = F.cross_entropy(
        logits.transpose(1, 2).float(), wanted, ignore_index=model.tokenizer.pad, reduction="sum"
    )
    return total / (wanted != model.tokenizer.pad).sum().clamp_min(1)


def of_findings(figures: Tensor, truth: Tensor, positive: Tensor | None) -> dict[str, Tensor]:
    """Return the terms of what is found; `truth` `(B, K, 4)` is NaN where it is unknown."""
    there = _binary(figures[..., THERE], truth[..., THERE], positive)
    sides = slice(LEFT, RIGHT + 1)
    return {
        "findings": WORTH["findings"] * there,
        "sides": WORTH["sides"] * _binary(figures[..., sides], truth[..., sides], None),
        "sizes": WORTH["sizes"] * _huber(figures[..., SIZE], truth[..., SIZE]),
    }


def _binary(logits: Tensor, truth: Tensor, positive: Tensor | None) -> Tensor:
    known = ~truth.isnan()
    each = F.binary_cross_entropy_with_logits(
        logits.float(), truth.nan_to_num(0.0), pos_weight=positive, reduction="none"
    )
    return (each * known).sum() / known.sum().clamp_min(1)


def _huber(said: Tensor, truth: Tensor) -> Tensor:
    known = ~truth.isnan()
    each = F.smooth_l1_loss(said.float(), truth.nan_to_num(0.0), reduction="none")
    return (each * known).sum() / known.sum().clamp_min(1)
