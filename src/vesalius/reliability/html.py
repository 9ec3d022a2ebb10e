"""The inspection as one self-contained HTML page: findings, tables, histograms and a contact sheet."""

from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image as Picture

from vesalius.core.disk import write_text
from vesalius.reliability.inspect import Finding, Inspection, Thumb

SHEET = 60  # pictures on the contact sheet
SHOWN = 40  # findings of one kind that are written out


def render(inspection: Inspection) -> str:
    """Return the page as text. Nothing in it is loaded from elsewhere."""
    from jinja2 import Environment, FileSystemLoader, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(default=True, default_for_string=True),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("inspection.html.j2")
    return template.render(
        name=inspection.cohort.root.resolve().name,
        cohort=inspection.cohort,
        s=inspection.summary,
        groups=_grouped(inspection.findings),
        counts={k: sum(f.severity == k for f in inspection.findings) for k in ("error", "warning", "note")},
        shown=SHOWN,
        sheet=[
            {"case": t.case, "label": t.label, "flag": flag, "src": data_uri(t)}
            for t, flag in _sheet(inspection)
        ],
        sheet_total=len(inspection.cohort.cases) + len(inspection.cohort.set_aside),
    )


def write(inspection: Inspection, path: Path) -> None:
    """Write the page, whole or not at all. Raises OutputError."""
    write_text(path, render(inspection))


def data_uri(thumb: Thumb) -> str:
    """Return a thumbnail as an inline PNG."""
    buffer = io.BytesIO()
    Picture.fromarray(thumb.picture).save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def _grouped(findings: tuple[Finding, ...]) -> list[tuple[str, str, list[Finding]]]:
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.kind), []).append(finding)
    return [(severity, kind, listed) for (severity, kind), listed in groups.items()]


def _sheet(inspection: Inspection) -> list[tuple[Thumb, str]]:
    """Pictures to show: the cases that serious findings name, then others evenly spread."""
    flagged: dict[str, str] = {}
    for finding in inspection.findings:
        if finding.severity != "note":
            for case in finding.cases:
                flagged.setdefault(case, finding.severity)
    by_case = {t.case: t for t in inspection.thumbs}
    first = [c for c in flagged if c in by_case][: SHEET // 2]
    shown = set(first)
    rest = [t.case for t in inspection.thumbs if t.case not in shown]
    room = SHEET - len(first)
    even = [rest[k * len(rest) // room] for k in range(room)] if len(rest) > room else rest
    return [(by_case[c], flagged.get(c, "")) for c in (*first, *even)]
