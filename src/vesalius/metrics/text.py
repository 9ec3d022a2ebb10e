"""Metrics of Text: how like its reference a report is, and whether what it says of findings is true."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from vesalius.core.answers.text import Text
from vesalius.core.errors import DataError
from vesalius.core.image import Array
from vesalius.metrics import _text_meteor as meteor
from vesalius.metrics._rows import Rows
from vesalius.metrics._text_findings import Claim, Held, Pair
from vesalius.metrics._text_overlap import bleu
from vesalius.metrics._text_table import Truth, columns, held_of, truth_of

__all__ = [
    "Claim", "Held", "Pair", "Truth", "baseline", "counts", "each", "excluded", "held_of", "joined", "occurrences",
    "rows", "standing", "summary", "truth_of",
]  # fmt: skip

ANSWER = "Text"
DESCRIPTIONS: dict[str, dict[str, Any]] = {
    "findings_f1": {"text": "harmonic mean of precision and recall of all findings together; one on the wrong side, or "
                    "of a size more than 20 % off, is not right", "better": "higher", "low": 0.0, "high": 1.0,
                    "unit": ""},
    "findings_precision": {"text": "share of the findings that texts claim which are right", "better": "higher",
                           "low": 0.0, "high": 1.0, "unit": ""},
    "findings_recall": {"text": "share of the true findings that texts claim, and have right", "better": "higher",
                        "low": 0.0, "high": 1.0, "unit": ""},
    "f1": {"text": "F1 of one finding", "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "precision": {"text": "share of the claims of one finding that are right", "better": "higher", "low": 0.0,
                  "high": 1.0, "unit": ""},
    "recall": {"text": "share of the cases' true findings of one name that are claimed, and right", "better": "higher",
               "low": 0.0, "high": 1.0, "unit": ""},
    "named_f1": {"text": "the same F1 by names alone, whatever side and size are said", "better": "higher",
                 "low": 0.0, "high": 1.0, "unit": ""},
    "wrong_side": {"text": "share of named findings on the wrong side, of those of which text and truth name a side",
                   "better": "lower", "low": 0.0, "high": 1.0, "unit": ""},
    "sides_named": {"text": "share of named findings of which the text names a side, of those that truly have one",
                    "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "sizes_within": {"text": "share of sizes that are said which are within 20 % of the true one", "better": "higher",
                     "low": 0.0, "high": 1.0, "unit": ""},
    "places_right": {"text": "share of places that are said which are true", "better": "higher", "low": 0.0,
                     "high": 1.0, "unit": ""},
    "changes_right": {"text": "share of changes since an earlier study that are said which are true",
                      "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "hallucinations": {"text": "findings a report that are claimed and not there", "better": "lower", "low": 0.0,
                       "high": None, "unit": ""},
    "omissions": {"text": "findings a report that are there and not claimed", "better": "lower", "low": 0.0,
                  "high": None, "unit": ""},
    "denied": {"text": "findings a report that are there and said to be absent; they are omissions, too",
               "better": "lower", "low": 0.0, "high": None, "unit": ""},
    "unsure": {"text": "share of claims in words such as 'possible'; they count as claims", "better": "lower",
               "low": 0.0, "high": 1.0, "unit": ""},
    "unsupported": {"text": "share of sentences that the model marks as not borne out, of those that it looked at",
                    "better": "lower", "low": 0.0, "high": 1.0, "unit": ""},
    "wrong_marked": {"text": "share of sentences with an untrue finding that the model marks as not borne out",
                     "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "right_marked": {"text": "share of sentences whose findings are all true that the model marks as not borne out",
                     "better": "lower", "low": 0.0, "high": 1.0, "unit": ""},
    "bleu_1": {"text": "BLEU of single words, over all texts together", "better": "higher", "low": 0.0, "high": 1.0,
               "unit": ""},
    "bleu_2": {"text": "BLEU of up to two words in a row", "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "bleu_3": {"text": "BLEU of up to three words in a row", "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "bleu_4": {"text": "BLEU of up to four words in a row", "better": "higher", "low": 0.0, "high": 1.0, "unit": ""},
    "rouge_l": {"text": "F of the longest common sequence of words, recall weighing 1.2 times", "better": "higher",
                "low": 0.0, "high": 1.0, "unit": ""},
    "meteor": {"text": "METEOR of equal words and stems, over all texts together; no synonyms", "better": "higher",
               "low": 0.0, "high": 1.0, "unit": ""},
    "cider": {"text": "CIDEr-D: what is particular to a reference weighs most", "better": "higher", "low": 0.0,
              "high": 10.0, "unit": ""},
}  # fmt: skip
_SHARES = {  # of what pairs agree in: the figure, and whether it counts those that do
    "sides": ("wrong_side", False),
    "sided": ("sides_named", True),
    "sizes": ("sizes_within", True),
    "places": ("places_right", True),
    "changes": ("changes_right", True),
    "looked": ("unsupported", True),
    "untrue": ("wrong_marked", True),
    "sound": ("right_marked", True),
}
_ADDED = (  # columns that add up over cases
    "told", "judged", "guessed", "matched", "lengths", "meteor", "rouge_l", "cider", "said", "true", "right", "named",
    "invented", "missed", "denied", "unsure", *_SHARES,
)  # fmt: skip
_OF_WORDS = ("bleu_1", "bleu_2", "bleu_3", "bleu_4", "rouge_l", "meteor", "cider")


def rows(answers: Sequence[Text], truths: Sequence[Any]) -> Rows:
    """Return a row a case, of counts that add up. Raises DataError for other than one truth an answer, or for no text.

    A truth is a `Reference` of `texts/reference.py`, by whose terms both texts are read; a reference text alone, by
    section or not, with which only words are compared; or a `Truth`, whose findings were read before.
    How rare words are, which CIDEr weighs by, comes from the references of all these cases.
    """
    found, names = columns(answers, truths)
    return Rows(tuple(a.case_id for a in answers), found, {"labels": names})


def joined(first: Rows, second: Rows) -> Rows:
    """Return the rows of two tables about the same truths, one after the other. Raises DataError for other findings."""
    if first.info["labels"] != second.info["labels"]:
        raise DataError(
            "two tables of texts whose truths name different findings",
            found=f"{', '.join(first.info['labels']) or 'none'}; and {', '.join(second.info['labels']) or 'none'}",
        )
    both = {name: np.concatenate([first[name], second[name]]) for name in first.columns}
    return Rows((*first.case_ids, *second.case_ids), both, first.info)


def summary(rows: Rows, index: Array) -> dict[str, float]:
    """Return every figure of a resample, those of findings by name, too; NaN where one is not defined."""
    speaking = _once(
        rows, "speaking", lambda: [name for name in (*_SHARES, "judged", "told") if rows[name].any()]
    )
    summed = _sums(rows, index)
    found = _of_findings(rows, summed) if "judged" in speaking else {}
    for name, (figure, agreeing) in _SHARES.items():
        if name in speaking:
            many, so = summed[name].tolist()
            found[figure] = _share(so if agreeing else many - so, many)
    if "told" in speaking:
        found |= _of_words(rows, summed)
    order = [name for name in DESCRIPTIONS if name in found]
    return {name: found[name] for name in (*order, *(n for n in found if "/" in n))}


def _once(rows: Rows, name: str, made: Callable[[], Any]) -> Any:
    """Return what is found out of a table once for all resamples."""
    if name not in rows.memo:
        rows.memo[name] = made()
    return rows.memo[name]


def _sums(rows: Rows, index: Array) -> dict[str, Array]:
    """Return the sums of all columns that add up, over the cases `index`; a case counts as often as it stands there."""

    def stacked() -> tuple[Array, dict[str, slice]]:
        columns = {n: np.nan_to_num(np.asarray(rows[n], np.float64).reshape(len(rows), -1)) for n in _ADDED}
        ends = np.cumsum([c.shape[1] for c in columns.values()]).tolist()
        places = {n: slice(end - c.shape[1], end) for (n, c), end in zip(columns.items(), ends, strict=True)}
        return np.concatenate(list(columns.values()), axis=1), places

    matrix, places = _once(rows, "stacked", stacked)
    every = np.bincount(index, minlength=len(rows)).astype(np.float64) @ matrix
    return {name: every[place] for name, place in places.items()}


def _of_words(rows: Rows, summed: Mapping[str, Array]) -> dict[str, float]:
    """Return the figures that hold words against words; a case without a reference has counted nothing."""
    values = bleu(summed["guessed"], summed["matched"], summed["lengths"])
    found = dict(zip(_OF_WORDS[:4], values, strict=True))
    told = float(summed["told"][0])
    found |= {name: _share(float(summed[name][0]), told) for name in ("rouge_l", "cider")}
    found["meteor"] = meteor.score(summed["meteor"].tolist())
    if _once(rows, "alone", lambda: bool(np.isnan(rows["cider"][rows["told"]]).any())):
        found["cider"] = math.nan
    return found


def _of_findings(rows: Rows, summed: Mapping[str, Array]) -> dict[str, float]:
    """Return the figures that hold claims against truths: of all findings together, and by name."""
    said, true, right, named = (summed[name].tolist() for name in ("said", "true", "right", "named"))
    claims, truths, reports = sum(said), sum(true), float(summed["judged"][0])
    found = {
        "findings_precision": _share(sum(right), claims),
        "findings_recall": _share(sum(right), truths),
        "findings_f1": _share(2 * sum(right), claims + truths),
        "named_f1": _share(2 * sum(named), claims + truths),
        "hallucinations": _share(float(summed["invented"][0]), reports),
        "omissions": _share(float(summed["missed"][0]), reports),
        "denied": _share(float(summed["denied"][0]), reports),
        "unsure": _share(float(summed["unsure"][0]), claims),
    }
    for k, name in enumerate(rows.info["labels"]):
        found[f"f1/{name}"] = _share(2 * right[k], said[k] + true[k])
        found[f"precision/{name}"] = _share(right[k], said[k])
        found[f"recall/{name}"] = _share(right[k], true[k])
    return found


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else math.nan


def counts(rows: Rows) -> dict[str, int]:
    """Return of how many cases each figure speaks: of findings those in which it is known what is true."""
    judged = int(rows["judged"].sum())
    shares = {figure for figure, _ in _SHARES.values()} | set(_OF_WORDS)
    speaking = _speaking(rows)
    return {name: int(speaking[name][0].sum()) if name in shares else judged for name in speaking}


def standing(rows: Rows) -> dict[str, tuple[Array, ...]]:
    """Return which cases each share stands on: those with a claim, with a true finding, with a side that both name."""
    return {name: cases for name, cases in _speaking(rows).items() if name != "cider"}


def _speaking(rows: Rows) -> dict[str, tuple[Array, ...]]:
    """Return by figure which cases have something that it is a share of, `(N,)` of bits."""
    said, true = rows["said"], rows["true"]
    judged, told = np.asarray(rows["judged"], bool), np.asarray(rows["told"], bool)
    found: dict[str, tuple[Array, ...]] = dict.fromkeys(_OF_WORDS, (told,))
    found |= dict.fromkeys(("hallucinations", "omissions", "denied"), (judged,))
    claimed, asked, either = (np.asarray(one.any(axis=1), bool) for one in (said, true, said + true))
    found |= dict.fromkeys(("findings_precision", "unsure"), (claimed,))
    found["findings_recall"] = (asked,)
    found |= dict.fromkeys(("findings_f1", "named_f1"), (either,))
    for k, name in enumerate(rows.info["labels"]):
        found[f"precision/{name}"] = (said[:, k] > 0,)
        found[f"recall/{name}"] = (true[:, k] > 0,)
        found[f"f1/{name}"] = (said[:, k] + true[:, k] > 0,)
    return found | {figure: (rows[name][:, 0] > 0,) for name, (figure, _) in _SHARES.items()}


def excluded(rows: Rows) -> dict[str, int]:
    """Return of how many cases there is no reference text, and of how many nobody knows what is true."""
    found = {"untold": int((~rows["told"]).sum()), "unknown": int((~rows["judged"]).sum())}
    return {reason: n for reason, n in found.items() if n}


def occurrences(rows: Rows) -> dict[str, tuple[int, int, int]]:
    """Return by finding how many cases have it, in how many it is claimed, and of how many that is known."""
    judged = int(rows["judged"].sum())
    return {
        name: (int((rows["true"][:, k] > 0).sum()), int((rows["said"][:, k] > 0).sum()), judged)
        for k, name in enumerate(rows.info["labels"])
    }


def each(rows: Rows) -> Array:
    """Return how right each text is, `(N,)`: the F1 of its findings, and where nobody knows these, its ROUGE-L.

    A text that claims nothing where nothing is there is wholly right.
    """
    claimed, right = (rows["said"] + rows["true"]).sum(1), 2 * rows["right"].sum(1)
    f1 = np.divide(right, claimed, out=np.ones(len(rows)), where=claimed > 0)
    found: Array = np.where(rows["judged"], f1, rows["rouge_l"])
    return found


def baseline(truths: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the trivial answer: the reference that occurs most often, by its words; of equals the first in order.

    Raises DataError where there is none.
    """
    from collections import Counter

    from vesalius.metrics._text_words import words

    held: dict[tuple[str, ...], dict[str, str]] = {}
    many: Counter[tuple[str, ...]] = Counter()
    for one in truths:
        key = words("\n".join(one.values()))
        held.setdefault(key, dict(one))
        many[key] += 1
    if not many:
        raise DataError("no reference text, so that none is the most frequent")
    return held[min(many, key=lambda key: (-many[key], key))]
