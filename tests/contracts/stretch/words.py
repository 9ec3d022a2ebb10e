"""Metrics of Text: how many of a report's words are true, and how many true words it has (throw-away)."""

import numpy as np

from vesalius.metrics import Rows

ANSWER = "Text"
DESCRIPTIONS = {
    "bleu": {"text": "written words that are true", "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "rouge": {"text": "true words that are written", "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
}


def rows(answers, truths):
    written = [set(" ".join(a.sections.values()).split()) for a in answers]
    true = [set(text.lower().split()) for text in truths]
    both = [len(a & b) for a, b in zip(written, true, strict=True)]
    columns = {
        "bleu": [n / max(len(words), 1) for n, words in zip(both, written, strict=True)],
        "rouge": [n / max(len(words), 1) for n, words in zip(both, true, strict=True)],
    }
    return Rows(tuple(a.case_id for a in answers), {k: np.array(v) for k, v in columns.items()})


def summary(rows, index):
    return {name: float(rows[name][index].mean()) for name in DESCRIPTIONS}


def counts(rows):
    return {}


def excluded(rows):
    return {}


def baseline(truths):
    return None
