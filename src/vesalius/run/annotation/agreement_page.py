"""The page of a project's agreement: how far every two annotators agree, and the cases that a third should decide."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.answers.drawing.panels import Cell, Table, figure
from vesalius.core import page as pages
from vesalius.core.words import counted, listed
from vesalius.run.annotation.project import Project

TEMPLATE = Path(__file__).parent / "agreement.html.j2"


def page(project: Project, document: Mapping[str, Any]) -> str:
    """Return one self-contained page of what `agreement_json` gives."""
    disputed = document["disputed"]
    left = sum(not one["adjudicated"] for one in disputed)
    return pages.render(
        TEMPLATE,
        name=project.name,
        chips=[
            counted(len(document["readers"]), "annotator"),
            f"{document['cases']} of {counted(len(project.cases), 'case')} read by all",
            "blind" if project.blind else "open",
        ],
        headline=(
            f"Annotators differ in {len(disputed)} of {counted(document['cases'], 'case')}; "
            f"{counted(left, 'case waits', 'cases wait')} for a third to decide."
        ),
        notes=[f"{one['kind']}: {one['why']}." for one in document["asks"] if one["why"]],
        pairs=_pairs(document),
        disputed=_disputed(disputed),
    )


def _pairs(document: Mapping[str, Any]) -> Table:
    rows = [
        [
            Cell(listed(pair["readers"])),
            Cell(one["kind"]),
            Cell(name),
            Cell(figure(found["value"]), found["value"], _spread(found)),
            Cell(str(found["n"]), float(found["n"])),
        ]
        for one in document["asks"]
        for pair in one["pairs"]
        for name, found in pair["figures"].items()
    ]
    text = "As `vesalius consensus` says it of the same readings: kappa and the share of equal classes, Dice of masks; "
    heads = ["annotators", "asked", "figure", "value", "cases"]
    return Table("Agreement", heads, rows, text + "95 % intervals are over patients.")


def _spread(found: Mapping[str, Any]) -> str:
    if found["low"] is None or found["high"] is None:
        return str(found.get("reason") or "")
    return f"{figure(found['low'])} to {figure(found['high'])}"


def _disputed(disputed: list[Mapping[str, Any]]) -> Table:
    rows = [
        [
            Cell(one["name"]),
            Cell(ask["kind"]),
            Cell(_in_words(ask)),
            Cell("decided" if one["adjudicated"] else "open", None, "", "" if one["adjudicated"] else "warn"),
        ]
        for one in disputed
        for ask in one["asks"]
    ]
    return Table("Where annotators differ", ["case", "asked", "what they say", "adjudication"], rows)


def _in_words(ask: Mapping[str, Any]) -> str:
    if "said" in ask:
        return "; ".join(f"{name}: {_plain(value)}" for name, value in ask["said"].items())
    if "in_common" in ask:
        return f"{figure(ask['in_common'])} of their boxes in common"
    return "; ".join(f"Dice of {name} {figure(value)}" for name, value in ask["dice"].items())


def _plain(value: Any) -> str:
    return (listed(value) if value else "none") if isinstance(value, list) else str(value)
