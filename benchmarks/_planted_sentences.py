"""Sentences that are untrue, planted into a model's own texts, and how many of them it marks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vesalius.core.answers.scores import Scores
from vesalius.core.answers.text import Text
from vesalius.core.finding import Finding
from vesalius.tasks._report_said import evidence_of
from vesalius.tasks._report_state import Learned
from vesalius.tasks._report_template import sentence_of
from vesalius.texts.agreement import contradicts

OTHER = {"left": "right", "right": "left"}


def untrue(truth: Sequence[Finding], known: Learned, random: np.random.Generator) -> Finding | None:
    """Return one claim that the truth contradicts: a finding that is not there, a wrong side, or one denied.

    One of the three sorts that this truth allows is drawn. None where it allows none.
    """
    there = {f.name: f for f in truth if f.status == "present" and f.name in known.names}
    sided = [f for f in there.values() if f.side in OTHER]
    several = {f.name for f in sided if sum(g.name == f.name for g in truth if g.status == "present") > 1}
    ways = [Finding(a.name, side="left" if a.sided else None) for a in known.abouts if a.name not in there]
    ways = [w for w in ways if not any(f.name == w.name for f in truth if f.status != "absent")]
    turned = [replace(f, side=OTHER[str(f.side)], size_mm=None) for f in sided if f.name not in several]  # type: ignore[arg-type]
    denied = [Finding(f.name, "absent") for f in there.values()]
    sorts = [s for s in (ways, turned, denied) if s]
    if not sorts:
        return None
    chosen = sorts[int(random.integers(len(sorts)))]
    return chosen[int(random.integers(len(chosen)))]


def marked(
    answers: Sequence[Text], truths: Sequence[Sequence[Finding]], known: Learned, *, seed: int
) -> list[tuple[bool, bool]]:
    """Return of each planted sentence whether it is marked, and whether the model's own findings were right there.

    A sentence is planted as the first of a text's first section, and held against what the model called.
    """
    random = np.random.default_rng(seed)
    found = []
    for answer, truth in zip(answers, truths, strict=True):
        claim = untrue(truth, known, random)
        if claim is None:
            continue
        section, text = next(iter(answer.sections.items()))
        sections = {**answer.sections, section: f"{sentence_of(claim, known.spoken)} {text}"}
        own = called(answer, known)
        first = evidence_of(sections, own, known)[0]
        right = not any(contradicts(f, truth) for f in own if f.name == claim.name)
        found.append((first.supported is False, right))
    return found


def called(answer: Text, known: Learned) -> tuple[Finding, ...]:
    """Return the findings that a model called, as its template says them."""
    template = answer.parts["template"]
    scores = answer.parts["findings"]
    if not isinstance(template, Text) or not isinstance(scores, Scores):
        raise TypeError("an answer of another task")
    said = {f.name: f for e in template.evidence for f in e.findings}
    return tuple(said[name] for name in known.names if name in said)
