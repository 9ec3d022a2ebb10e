"""Writing, piece by piece: the likeliest next one, several beginnings side by side, or only what is allowed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from vesalius.core.errors import DataError, PlanError
from vesalius.language.tokenizers.contract import BEGIN, END, MASK, PAD, UNKNOWN

if TYPE_CHECKING:
    from torch import Tensor

Allowed = Callable[
    [int, Sequence[int]], "Sequence[int] | None"
]  # a row, its pieces so far → the next; None for any
NEVER = (PAD, BEGIN, UNKNOWN, MASK)  # what no text holds


@dataclass(frozen=True, eq=False)
class Written:
    """What was written: the pieces without BEGIN and END, and the log of how likely all of them are.

    `ended` is False where the text was cut off at the longest allowed length. `attention` `(n, S)` says where was
    looked for each piece, None where nothing is looked at.
    """

    ids: tuple[int, ...]
    logp: float
    ended: bool
    attention: Tensor | None = None


def generate(
    writer: Any,
    memory: Tensor | None = None,
    *,
    findings: Tensor | None = None,
    rows: int | None = None,
    prompt: Sequence[int] = (BEGIN,),
    end: int = END,
    never: Sequence[int] = NEVER,
    longest: int | None = None,
    beams: int = 1,
    alpha: float = 0.6,
    allowed: Allowed | None = None,
) -> list[Written]:
    """Return a text for each row, the likeliest that is found.

    `writer` is a net of role `writer` (`nets/_writer.py`), `memory` `(B, S, F)` and `findings` `(B, K, F)` what it
    looks at; `rows` says how many texts there are where it looks at nothing. `prompt` is what each text begins with,
    and is not in the answer. `longest` is the most pieces that are written, by default what the writer has room for.
    With `beams` of 2 or more so many beginnings are kept side by side, and whole texts are held against one another by
    their log-likelihood over `((5 + n) / 6) ** alpha` (Wu et al., arXiv:1609.08144, equation 14). `allowed` is given a
    row's number and what it says so far, and returns the pieces that may follow, END among them; None for any. `never`
    are pieces that do not come up. The same writer and memory always give the same texts.

    Raises PlanError for numbers that do not fit, DataError where nothing is allowed to follow.
    """
    import torch

    n = _rows(memory, findings, rows)
    room = writer.longest - len(prompt) + 1  # the last piece is not read again
    most = room if longest is None else min(longest, room)
    if not prompt or most < 1:
        raise PlanError(
            "there is no room to write", found=f"{len(prompt)} pieces before, {writer.longest} in all"
        )
    if beams < 1:
        raise PlanError("one beginning at least is kept", found=f"beams={beams}")
    ways = _Ways(end, tuple(dict.fromkeys(never)), allowed, most, alpha)
    training = writer.training
    writer.eval()
    try:
        with torch.inference_mode():
            if beams == 1:
                return _greedy(writer, memory, findings, n, prompt, ways)
            return [
                _beam(writer, _row(memory, k), _row(findings, k), k, prompt, ways, beams) for k in range(n)
            ]
    finally:
        writer.train(training)


@dataclass(frozen=True)
class _Ways:
    end: int
    never: tuple[int, ...]
    allowed: Allowed | None
    most: int
    alpha: float

    def log_p(self, logits: Tensor, rows: Sequence[int], said: Sequence[Sequence[int]]) -> Tensor:
        """Return log-probabilities `(N, V)` over the pieces that may follow, minus infinity for all others."""
        import torch

        logits = logits.float()
        may = torch.ones_like(logits, dtype=torch.bool)
        may[:, [p for p in self.never if p < logits.shape[1] and p != self.end]] = False
        if self.allowed is not None:
            for k, (row, text) in enumerate(zip(rows, said, strict=True)):
                next_ = self.allowed(row, text)
                if next_ is None:
                    continue
                if not len(next_):
                    raise DataError(
                        "nothing is allowed to follow what is written", found=f"{len(text)} pieces"
                    )
                only = torch.zeros_like(may[k])
                only[list(next_)] = True
                may[k] = only
        return logits.masked_fill(~may, -math.inf).log_softmax(dim=-1)

    def worth(self, logp: float, length: int) -> float:
        return logp / math.pow((5 + length) / 6, self.alpha)


def _greedy(
    writer: Any,
    memory: Tensor | None,
    findings: Tensor | None,
    n: int,
    prompt: Sequence[int],
    ways: _Ways,
) -> list[Written]:
    import torch

    device = next(writer.parameters()).device
    tokens = torch.tensor([list(prompt)] * n, device=device)
    said: list[list[int]] = [[] for _ in range(n)]
    looked: list[list[Tensor]] = [[] for _ in range(n)]
    logp, done, cache = [0.0] * n, [False] * n, None
    for _ in range(ways.most):
        hidden, cache, attention = writer(tokens, memory, cache, findings=findings)
        going = [k for k in range(n) if not done[k]]
        each = ways.log_p(writer.logits(hidden[:, -1:])[going, 0], going, [said[k] for k in going])
        best, place = each.max(dim=-1)
        following = torch.full((n, 1), ways.end, device=device)
        for at, k in enumerate(going):
            piece = int(place[at])
            logp[k] += float(best[at])
            done[k] = piece == ways.end
            if not done[k]:
                said[k].append(piece)
                following[k] = piece
                looked[k] += [attention[k, -1]] if attention is not None else []
        if all(done):
            break
        tokens = following
    return [
        Written(tuple(said[k]), logp[k], done[k], torch.stack(looked[k]) if looked[k] else None)
        for k in range(n)
    ]


@dataclass(frozen=True)
class _Beginning:
    ids: tuple[int, ...]
    logp: float
    looked: tuple[Tensor, ...]


def _beam(
    writer: Any,
    memory: Tensor | None,
    findings: Tensor | None,
    row: int,
    prompt: Sequence[int],
    ways: _Ways,
    beams: int,
) -> Written:
    import torch

    device = next(writer.parameters()).device
    going, ended = [_Beginning((), 0.0, ())], list[tuple[float, _Beginning]]()
    tokens, cache = torch.tensor([list(prompt)], device=device), None
    for _ in range(ways.most):
        n = len(going)
        hidden, cache, attention = writer(tokens, _spread(memory, n), cache, findings=_spread(findings, n))
        each = ways.log_p(writer.logits(hidden[:, -1:])[:, 0], [row] * n, [b.ids for b in going])
        total = each + torch.tensor([b.logp for b in going], device=device)[:, None]
        values, places = total.flatten().topk(min(2 * beams, total.numel()))
        chosen: list[tuple[int, _Beginning]] = []
        for value, place in zip(values.tolist(), places.tolist(), strict=True):
            if value == -math.inf:
                break
            parent, piece = divmod(place, total.shape[1])
            old = going[parent]
            if piece == ways.end:
                ended.append((ways.worth(value, len(old.ids) + 1), _Beginning(old.ids, value, old.looked)))
                continue
            seen = (*old.looked, attention[parent, -1]) if attention is not None else ()
            chosen.append((parent, _Beginning((*old.ids, piece), value, seen)))
        chosen = chosen[:beams]
        best = max((worth for worth, _ in ended), default=-math.inf)
        could = max((ways.worth(b.logp, ways.most) for _, b in chosen), default=-math.inf)
        if not chosen or (len(ended) >= beams and best >= could):
            break
        cache = reordered(cache, [parent for parent, _ in chosen])
        going = [b for _, b in chosen]
        tokens = torch.tensor([[b.ids[-1]] for b in going], device=device)
    if ended:
        found, whole = max(ended, key=lambda e: e[0])[1], True
    else:
        found, whole = max(going, key=lambda b: b.logp), False
    return Written(found.ids, found.logp, whole, torch.stack(found.looked) if found.looked else None)


def reordered(cache: Any, rows: Sequence[int]) -> Any:
    """Return a cache of other rows, each a copy of one there is; its tensors have the row as their first axis."""
    import torch

    if isinstance(cache, torch.Tensor):
        return cache[list(rows)]
    if isinstance(cache, list | tuple):
        return tuple(reordered(one, rows) for one in cache)
    return cache


def _rows(memory: Tensor | None, findings: Tensor | None, rows: int | None) -> int:
    held = {len(t) for t in (memory, findings) if t is not None} | ({rows} if rows is not None else set())
    if len(held) > 1:
        raise PlanError("rows do not fit one another", found=", ".join(map(str, sorted(held))))
    return held.pop() if held else 1


def _row(given: Tensor | None, k: int) -> Tensor | None:
    return None if given is None else given[k : k + 1]


def _spread(given: Tensor | None, n: int) -> Tensor | None:
    return None if given is None else given.expand(n, *given.shape[1:])
