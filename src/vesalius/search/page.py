"""The page of a search: the verdict, what it owes to luck, the history, what matters, and every trial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vesalius.answers.drawing.searching import history, importance, trade_off
from vesalius.core import page as pages
from vesalius.core.disk import write_text
from vesalius.search.result import JSON, PAGE, Search, in_words
from vesalius.search.store import DEFAULT, Trialled

TEMPLATE = Path(__file__).parent / "search.html.j2"


def write(found: Search, folder: Path) -> dict[str, Path]:
    """Write `search.json` and `search.html` into a folder, in place of earlier ones. Raises OutputError."""
    write_text(folder / JSON, json.dumps(found.to_json(), indent=1, allow_nan=False) + "\n")
    write_text(folder / PAGE, drawn_page(found))
    return {"search": folder / JSON, "page": folder / PAGE}


def drawn_page(found: Search) -> str:
    """Return one self-contained page."""
    scores = [(t.number, t.score) for t in found.done if t.score is not None]
    costs = [
        (float(t.result["parameters"]), float(t.score), t.number)
        for t in found.done
        if t.result.get("parameters") and t.score is not None
    ]
    return pages.render(
        TEMPLATE,
        found=found,
        history=history(scores, default=found.default_score, up=found.primary) if scores else "",
        importance=importance(found.importance) if found.importance else "",
        trade=trade_off(costs, front(costs), along="parameters", up=found.primary) if len(costs) > 1 else "",
        finalists=[
            {
                "number": f.number,
                "words": in_words(_settings(found, f.number), found.default),
                "score": f"{f.score:.3f}",
                "found": str(f.found),
                "confirmed": "–" if f.confirmed is None else str(f.confirmed),
            }
            for f in found.finalists
        ],
        rows=[_row(found, t) for t in found.trials],
        parts=[{"path": p, "values": v, "why": found.reasons.get(p, "")} for p, v in found.space.items()],
    )


def front(points: list[tuple[float, float, int]]) -> list[int]:
    """Return the numbers of the trials that no other beats in both: a lower cost, a higher score (Pareto)."""
    return [
        number
        for cost, score, number in points
        if not any(c <= cost and s >= score and (c < cost or s > score) for c, s, _ in points)
    ]


def _settings(found: Search, number: int) -> dict[str, Any]:
    return next((dict(t.settings) for t in found.trials if t.number == number), {})


def _row(found: Search, trial: Trialled) -> dict[str, str]:
    words = "the default plan" if trial.number == DEFAULT else in_words(trial.settings, found.default)
    return {
        "number": str(trial.number),
        "score": "–" if trial.score is None else f"{trial.score:.4f}",
        "words": words,
        "state": trial.state,
        "reason": trial.reason,
        "steps": str(trial.result.get("steps", "–")),
        "seconds": str(trial.result.get("seconds", "–")),
        "parameters": f"{trial.result['parameters']:,}" if trial.result.get("parameters") else "–",
    }
