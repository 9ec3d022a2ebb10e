"""The raw output of `report`: all that a model says of a case in one row of numbers, and how it is read again.

A row begins with eight whole numbers: how many findings `K`, candidates `W`, tokens `L` and sentences `N` there are,
and the regions' grid `(z, y, x)`; the last is kept free. Then follow `(K, 4)` of the findings (the logit of its being
there, those of left and of right, and its size in standard deviations), `(K,)` what an earlier stage measured of each
in millimetres, 0 where it measured nothing, `(K, S)` where each was looked for, and of each candidate its tokens
`(L,)`, the log probability of each sentence `(N,)` and of the whole, the length, and `(N, S)` where the model looked as
it wrote each sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from vesalius.core.image import Array

HEAD = 8
FIGURES = 4  # of a finding: there, left, right, size
THERE, LEFT, RIGHT, SIZE = range(FIGURES)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a row is laid out: numbers of findings, candidates, tokens and sentences, and the regions' grid."""

    findings: int
    candidates: int
    tokens: int
    sentences: int
    grid: tuple[int, int, int]

    @property
    def regions(self) -> int:
        """Return how many regions there are."""
        return prod(self.grid)

    @property
    def candidate(self) -> int:
        """Return how many numbers one candidate has."""
        return self.tokens + self.sentences + 2 + self.sentences * self.regions

    @property
    def looks_at(self) -> int:
        """Return where the candidates begin."""
        return HEAD + self.findings * (FIGURES + 1 + self.regions)

    def head(self) -> list[int]:
        """Return the numbers that a row begins with."""
        return [self.findings, self.candidates, self.tokens, self.sentences, *self.grid, 0]


def layout_of(row: Any) -> Layout:
    """Return the layout of one row `(R,)`, an array or a tensor."""
    k, w, tokens, n, z, y, x, _ = (int(v) for v in row[:HEAD])
    return Layout(k, w, tokens, n, (z, y, x))


@dataclass(frozen=True, eq=False)
class Candidate:
    """One text that a model may write: its tokens, what each sentence and all of it is worth, and where it looked.

    `worth` `(N,)` are log probabilities of sentences, `total` that of the text and `length` its tokens; `looked`
    `(N, z, y, x)`.
    """

    tokens: tuple[int, ...]
    worth: Array
    total: float
    length: int
    looked: Array

    @property
    def mean(self) -> float:
        """Return the mean log probability of a token."""
        return self.total / max(1, self.length)


@dataclass(frozen=True, eq=False)
class Raw:
    """What one member says: `findings` `(K, 4)`, `measured` `(K,)` mm, `looked` `(K, z, y, x)`, and candidates."""

    findings: Array
    measured: Array
    looked: Array
    candidates: tuple[Candidate, ...]


def read(row: Array) -> Raw:
    """Return what a row `(R,)` says."""
    row = np.asarray(row, dtype=np.float64)
    about = layout_of(row)
    k, n = about.findings, about.sentences
    figures = row[HEAD : HEAD + FIGURES * k].reshape(k, FIGURES)
    measured = row[HEAD + FIGURES * k :][:k]
    looked = row[HEAD + (FIGURES + 1) * k : about.looks_at].reshape(k, *about.grid)
    found = []
    for w in range(about.candidates):
        start = about.looks_at + w * about.candidate
        part = row[start : start + about.candidate]
        tokens, rest = part[: about.tokens], part[about.tokens :]
        worth, total, length = rest[:n], float(rest[n]), int(rest[n + 1])
        written = tuple(int(t) for t in tokens[:length])
        found.append(Candidate(written, worth, total, length, rest[n + 2 :].reshape(n, *about.grid)))
    return Raw(figures, measured, looked, tuple(found))


def finding_logit(raw: Any, place: int) -> Any:
    """Return the logit of the finding at that place, `(B,)`, of raw outputs `(B, R)`; gradients pass."""
    return raw[:, HEAD + FIGURES * place + THERE]


def sentence_worth(raw: Any, place: int) -> Any:
    """Return the log probability of a sentence of the first candidate, `(B,)`, of raw outputs `(B, R)`.

    Of a place that no sentence can have it is that of the whole text; gradients pass.
    """
    about = layout_of(raw[0])
    start = about.looks_at + about.tokens
    return raw[:, start + (place if 0 <= place < about.sentences else about.sentences)]
