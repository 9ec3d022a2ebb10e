"""What `align` learns without gradients, and how a case becomes numbers: words, findings that are named, prompts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.core.moments import Moments
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.language import counting, tokenizers
from vesalius.prepare.batch import Example
from vesalius.prepare.case import Prepared
from vesalius.tasks import _claims, _prompts
from vesalius.tasks._labels import names_of
from vesalius.texts.terms import Terms
from vesalius.texts.terms import listed as terms_names

# what says in training which sentences are true of which images
REPORT, KNOWN, OWN = "report", "known", "own"
PAIRS = (REPORT, KNOWN, OWN)


def summary(cases: Sequence[Case], target: TargetInfo | None, plan: Plan) -> Statistics:
    """Return the words of the reports by patient, how long they are, and which findings are named and are there."""
    option = plan.task.options.get("terms") or ""
    reports = [(c, c.text()) for c in cases]
    pairs = [(c, text) for c, text in reports if text is not None]
    known: dict[str, Statistics] = {}
    sizes = Moments()
    for name in (str(option),) if option else terms_names():
        terms = _claims.terms_of(name)
        each = [(c, _claims.sentences_of(text, terms)) for c, text in reports]
        sizes = Moments.of(float(len(s)) for _, s in each if s)
        labels = _labels(target, terms)
        held = (
            _claims.held(c, s, labels, target.name, terms=terms) if target else _claims.told(s, labels)
            for c, s in each
            if s
        )
        truths = [t for t in held if t is not None]
        known[name] = Statistics(
            {
                "named": Tally.of_each([f.name for one in s for f in one.findings] for _, s in each),
                "there": Tally.of_each(_claims.there(t, labels) for t in truths),
                "absent": Tally.of_each(
                    [n for n, code in zip(labels, t.tolist(), strict=True) if code <= 0] for t in truths
                ),
            }
        )
    return Statistics(
        {
            "words": counting.count([t for _, t in pairs], of=[c.patient or c.id for c, _ in pairs]),
            "known": Statistics(known),
            "sizes": sizes,
        }
    )


def state(summary: Statistics, target: TargetInfo | None, plan: Plan, options: Mapping[str, Any]) -> State:
    """Return the tokenizer, the findings that can be asked for, and the prompts of each."""
    learned = tokenizers.learn(
        str(options["tokenizer"]),
        summary.part("words", Statistics),
        size=int(options["words"]),
        least=int(options["least"]),
    )
    tokenizer = tokenizers.load(learned)
    known = summary.part("known", Statistics)
    each = {name: known.part(name, Statistics) for name in known.parts}
    terms = max(each, key=lambda name: sum(each[name].part("named", Tally).counts.values()))
    found = each[terms]
    there, absent = found.part("there", Tally), found.part("absent", Tally)
    least = int(options["least"])
    every = _labels(target, _claims.terms_of(terms))
    names = [n for n in every if target is not None or min(there[n], absent[n]) >= least]
    if not names:
        raise DataError(
            "the reports name no finding that some images show and others do not",
            found=f"terms '{terms}'",
            hint="--set task.options.terms=NAME, or a target of labels (--target NAME)",
        )
    return State(
        {
            **({"target": target.name} if target else {}),
            "terms": terms,
            "pairs": str(options["pairs"]),
            "tokenizer": learned,
            "labels": [{"value": k, "name": n} for k, n in enumerate(names)],
            "prompts": {n: _prompts.learned(n, _prompts.words_for(n, terms), tokenizer) for n in names},
            "share": _claims.shares({n: there[n] for n in names}, there.n),
            "sentences": int(min(options["sentences"], max(1.0, summary.part("sizes", Moments).high))),
            "length": int(options["length"]),
            "width": int(options["width"]),
            "maps": int(options["maps"]),
        }
    )


def encode(case: Case, prepared: Prepared, state: State) -> Example:
    """Return the image beside the sentences of its report, what each says, and what is truly in the image."""
    values = state.values
    example = Example(case.id, {"image": prepared.array}, patient=case.patient)
    terms = _claims.terms_of(values["terms"])
    found = _claims.sentences_of(case.text(), terms)
    if not found:
        return example
    names, many, length = names_of(state), int(values["sentences"]), int(values["length"])
    truth = _truth(case, found, names, state)
    first = sorted(found, key=lambda s: not s.findings)[:many]
    tokenizer = tokenizers.load(values["tokenizer"])
    tokens = np.full((many, length), -1, np.int64)
    said, keys = np.zeros((many, len(names)), np.int8), np.zeros(many, np.int64)
    for k, one in enumerate(first):
        tokens[k] = _prompts.tokens_of(one.text, tokenizer, length)
        said[k], keys[k] = _claims.said(one.findings, names), _claims.key_of(one.text)
    whole = np.array([_claims.key_of(" ".join(s.text for s in found))], np.int64)
    return replace(example, tokens=tokens, ragged={"said": said, "keys": keys, "held": truth, "whole": whole})


def _labels(target: TargetInfo | None, terms: Terms) -> list[str]:
    """Return the labels of a target, or the names of all terms."""
    return [x.name for x in target.labels] if target else [t.name for t in terms.terms]


def _truth(case: Case, found: Sequence[_claims.Sentence], names: Sequence[str], state: State) -> Array:
    """Return what images are taken to hold where sentences are held against them in training, by the planned pairs."""
    pairs = state.values["pairs"]
    if pairs == OWN:
        return np.zeros(len(names), np.int8)
    told = _claims.told(found, names)
    if pairs != KNOWN:
        return told
    terms = _claims.terms_of(state.values["terms"])
    known = _claims.held(case, found, names, state.values.get("target"), terms=terms)
    return told if known is None else known
