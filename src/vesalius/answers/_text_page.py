"""What a report shows of texts: findings one by one, and some texts beside their references, sentence by sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from vesalius.answers.drawing.panels import Cell, Table, figure, measured
from vesalius.core.scorecard import Interval, Scorecard
from vesalius.core.words import counted
from vesalius.metrics import Rows

EXAMPLES = 2  # texts that are shown of the worst, of those in the middle, and of the best
CASE = ("f1", "invented", "missed", "wrong_sides", "wrong_sizes", "rouge_l")
_HEADS = ("F1 of findings", "not there", "missed", "wrong side", "wrong size", "ROUGE-L")
_SAYS = (
    "A sentence is green where all it says of findings is true, red where something is not, and brown where the model "
    "itself marks it as not borne out. These are texts about patients: they stand in this page and in scorecard.json "
    "of the run's folder, and in no bundle."
)
_RULES = (
    "in lower case, without punctuation; BLEU without smoothing, ROUGE-L with β = 1.2, CIDEr-D with the rareness of "
    "these references, METEOR 1.5 of equal words and stems without synonyms"
)


def curves(rows: Rows) -> dict[str, Any]:
    """Return what a card keeps of all texts together: how different they are, and what is claimed; nobody's text."""
    texts = Counter(map(str, rows["written"]))
    claims = {
        name: [int(rows[kind][:, k].sum()) for kind in ("true", "said", "right")]
        for k, name in enumerate(rows.info["labels"])
    }
    return {
        "texts": {"different": len(texts), "most": max(texts.values(), default=0)},
        "truth": {
            "known": int((rows["judged"] & rows["known"]).sum()),
            "read": int((rows["judged"] & ~rows["known"]).sum()),
        },
        "claims": claims,
    }


def case_of(rows: Rows, index: int, score: float) -> dict[str, Any]:
    """Return what a card keeps of one text: its figures, the counts that they come from, and its page."""
    judged, told = bool(rows["judged"][index]), bool(rows["told"][index])
    sides, sizes = rows["sides"][index], rows["sizes"][index]
    found: dict[str, Any] = dict.fromkeys(CASE)
    if judged:
        found |= {"f1": float(score), "invented": float(rows["invented"][index])}
        found |= {"missed": float(rows["missed"][index])}
        found |= {"wrong_sides": float(sides[0] - sides[1]), "wrong_sizes": float(sizes[0] - sizes[1])}
    found["rouge_l"] = float(rows["rouge_l"][index]) if told else None
    kept = {
        name: _plain(column[index])
        for name, column in rows.columns.items()
        if name not in ("page", "rouge_l")
    }
    return {**found, "counts": kept, "page": rows["page"][index] if "page" in rows.columns else {}}


def again(card: Scorecard) -> Rows | None:
    """Return the rows that a card was computed from; None where its cases do not hold them."""
    if not card.cases or not all("counts" in case for case in card.cases):
        return None
    names = list(card.cases[0]["counts"])
    columns = {name: _column([case["counts"][name] for case in card.cases]) for name in names}
    columns["rouge_l"] = _column([case["rouge_l"] for case in card.cases])
    columns["page"] = _objects([case["page"] for case in card.cases])
    labels = tuple(name for name in card.labels if name in card.curves.get("claims", {}))
    return Rows(tuple(str(case["case"]) for case in card.cases), columns, {"labels": labels})


def _plain(value: Any) -> Any:
    """Return a cell of a column as JSON holds it; NaN as None."""
    if isinstance(value, str):
        return value
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, bool | np.bool_):
        return bool(value)
    return None if np.isnan(value) else float(value)


def _column(values: Sequence[Any]) -> Any:
    """Return a column of what `_plain` made of it."""
    if isinstance(values[0], str):
        return _objects(values)
    if isinstance(values[0], bool):
        return np.array(values, dtype=bool)
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


def _objects(values: Sequence[Any]) -> Any:
    found = np.empty(len(values), dtype=object)
    found[:] = list(values)
    return found


def facts(card: Scorecard) -> list[tuple[str, str]]:
    """Return what is compared with what, and how different the texts are from one another."""
    found = []
    truth, texts = card.curves.get("truth", {}), card.curves.get("texts", {})
    if truth.get("known"):
        found.append(("true findings", f"known of the images of {counted(truth['known'], 'case')}"))
    if truth.get("read"):
        read = f"read by rules from the reference reports of {counted(truth['read'], 'case')}"
        found.append(("true findings", f"{read}, and as right as these reports and the rules are"))
    if texts:
        many = f"{texts['different']} for {counted(card.n_cases, 'case')}"
        found.append(("different texts", f"{many}; the most frequent was written for {texts['most']}"))
    if "bleu_4" in card.metrics:
        found.append(("words", _RULES))
    return found


def findings_table(card: Scorecard) -> Table | None:
    """Return each finding: how often it is there, claimed and right, with precision and recall."""
    claims: Mapping[str, Sequence[int]] = card.curves.get("claims", {})
    if not claims:
        return None

    def cell(metric: str, name: str) -> Cell:
        return measured(card.metrics.get(f"{metric}/{name}", Interval(None, None, None, 0)))

    rows = [
        (
            Cell(name), *(Cell(str(n), n) for n in counts),
            cell("recall", name), cell("precision", name), cell("f1", name),
        )
        for name, counts in claims.items()
    ]  # fmt: skip
    heads = ("finding", "there", "claimed", "right", "recall", "precision", "F1")
    says = (
        "A finding on both sides counts on each. It is right where it is there, and neither on the wrong side nor of a "
        "size more than 20 % off."
    )
    return Table("What is said of each finding", heads, rows, says, wide=True)


def examples(card: Scorecard) -> list[Table]:
    """Return the worst texts, some from the middle and the best, each beside its reference."""
    ranked = [case for case in _ranked(card) if case.get("page", {}).get("written") is not None]
    middle = max(len(ranked) // 2 - EXAMPLES // 2, 0)
    chosen = [
        *(("among the worst", case) for case in ranked[:EXAMPLES]),
        *(("in the middle", case) for case in ranked[middle : middle + EXAMPLES]),
        *(("among the best", case) for case in ranked[::-1][:EXAMPLES]),
    ]
    places = {str(case["case"]): (where, case) for where, case in reversed(chosen)}
    shown = [places[name] for name in dict.fromkeys(str(case["case"]) for _, case in chosen)]
    return [_example(case, where, _SAYS if k == 0 else "") for k, (where, case) in enumerate(shown)]


def _example(case: Mapping[str, Any], where: str, says: str) -> Table:
    """Return one text, a row a sentence, beside the sentences of the same section of its reference."""
    page = case["page"]
    numbered = [(number, *sentence) for number, sentence in enumerate(page["written"], start=1)]
    sections = dict.fromkeys([*(s[0] for s in page["written"]), *(s[0] for s in page["reference"])])
    rows = []
    for name in sections:
        own = [s for s in numbered if s[1] == name]
        other = [s for s in page["reference"] if s[0] == name]
        for said, wanted in zip_longest(own, other):
            written = Cell("") if said is None else Cell(f"{said[0]}. {said[2]}", under=said[4], tone=said[3])
            rows.append((Cell(name or "text"), written, Cell("" if wanted is None else wanted[1])))
    missed = f"Missed: {', '.join(page['missed'])}." if page["missed"] else ""
    heads = ("section", "written", "reference")
    return Table(f"{case['case']}, {where}", heads, rows, f"{says} {missed}".strip(), wide=True)


def _ranked(card: Scorecard) -> list[Mapping[str, Any]]:
    """Return the cases, the worst first; those that nobody can judge at the end."""

    def order(case: Mapping[str, Any]) -> tuple[bool, float, float]:
        score = case.get("f1") if case.get("f1") is not None else case.get("rouge_l")
        return score is None, score or 0.0, case.get("rouge_l") or 0.0

    return sorted(card.cases, key=order)


def case_table(card: Scorecard) -> Table | None:
    """Return all texts, the worst first; None where nothing is kept of single ones."""
    if not card.cases or not all("f1" in case for case in card.cases):
        return None
    digits = dict(zip(CASE, (3, 0, 0, 0, 0, 3), strict=True))
    rows = [
        (Cell(str(case["case"])), *(Cell(figure(case.get(n), digits[n]), case.get(n)) for n in CASE))
        for case in _ranked(card)
    ]
    return Table("All cases", ("case", *_HEADS), rows)
