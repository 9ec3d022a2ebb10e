"""Pairs: which sentences of a batch are true of which of its images, and which reports say the same."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from vesalius.tasks._claims import ABSENT, BOTH, LEFT, RIGHT, THERE

YES, NO, UNKNOWN = 1, 0, -1
BARE = 0.25  # what a sentence counts that says nothing of any finding


@dataclass(frozen=True, eq=False)
class Words:
    """The different sentences of a batch: `tokens` `(N, L)`, what they say `(N, K)`, their keys and owners.

    `of` `(N, B)` says which cases' reports have each.
    """

    tokens: Tensor
    said: Tensor
    keys: Tensor
    of: Tensor


def words_of(tokens: Tensor, said: Tensor, keys: Tensor, there: Tensor) -> Words:
    """Return each sentence of a batch once, in the order of its first owner.

    `tokens` `(B, S, L)`, `said` `(B, S, K)`, `keys` `(B, S)`, 0 where there is no sentence, `there` `(B,)`.
    """
    held = (keys != 0) & there[:, None]
    rows = torch.arange(len(keys), device=keys.device)[:, None].expand_as(keys)[held]
    flat = keys[held]
    unique, back = torch.unique(flat, return_inverse=True)
    first = torch.full((len(unique),), len(flat), device=keys.device, dtype=torch.long)
    first = first.scatter_reduce(0, back, torch.arange(len(flat), device=keys.device), "amin")
    of = torch.zeros(len(unique), len(keys), dtype=torch.bool, device=keys.device)
    of[back, rows] = True
    order = first.argsort()
    first = first[order]
    return Words(tokens[held][first], said[held][first], unique[order], of[order])


def true_of(said: Tensor, held: Tensor) -> Tensor:
    """Return whether what is said `(N, K)` is true of images that hold `(B, K)`: `(N, B)` of YES, NO, UNKNOWN.

    A sentence is true where all that it says is, and wrong where anything is. A side is told from the other where both
    are said. What says nothing is UNKNOWN.
    """
    s, h = said[:, None, :], held[None, :, :]
    speaks = s != 0
    sided = (s == LEFT) | (s == RIGHT) | (s == BOTH)
    placed = (h == LEFT) | (h == RIGHT) | (h == BOTH)
    fits = torch.where(s == BOTH, h == BOTH, (h == s) | (h == BOTH))
    right = torch.where(
        s == ABSENT,
        h == ABSENT,
        torch.where(sided, fits & placed, h >= THERE),
    )
    wrong = torch.where(
        s == ABSENT,
        h >= THERE,
        (h == ABSENT) | (sided & placed & ~fits),
    )
    any_wrong = (wrong & speaks).any(dim=-1)
    all_right = (right | ~speaks).all(dim=-1) & speaks.any(dim=-1)
    unknown = torch.full(any_wrong.shape, UNKNOWN, device=said.device)
    return torch.where(any_wrong, NO, torch.where(all_right, YES, unknown))


def sentence_pairs(words: Words, held: Tensor) -> tuple[Tensor, Tensor]:
    """Return which sentences are true of which images, `(N, B)`, and how much each sentence counts, `(N,)`.

    A sentence about findings goes by what the images hold; where that tells nothing, it is true of its owners, and
    unknown of the others. Any other sentence is true of its owners alone, and counts less: others may only have put it
    otherwise.
    """
    speaks = (words.said != 0).any(dim=1)
    told = true_of(words.said, held)
    told = torch.where((told == UNKNOWN) & words.of, YES, told)
    pairs = torch.where(speaks[:, None], told, words.of.to(told.dtype))
    weight = torch.where(speaks, 1.0, BARE if held.shape[1] else 1.0)
    return pairs, weight


def report_pairs(held: Tensor, own: Tensor) -> Tensor:
    """Return which cases' reports fit which images, `(B, B)`: each its own, and those that hold the same findings.

    `own` `(B,)` are keys of whole reports: equal ones fit one another. Where nothing is held, only the keys tell.
    """
    alike = (held[:, None, :] == held[None, :, :]).all(dim=-1) & (held != 0).any(dim=1)[:, None]
    same = own[:, None] == own[None, :]
    return (alike | same).long()
