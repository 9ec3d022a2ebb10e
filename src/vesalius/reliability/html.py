"""The inspection as one self-contained HTML page: findings with their pictures, tables, histograms, a contact sheet."""

from __future__ import annotations

import base64
import io
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image as Picture
from PIL import ImageDraw

from vesalius.core import page, palette
from vesalius.core.called import called_by
from vesalius.core.disk import write_text
from vesalius.core.words import counted
from vesalius.dicom.values.colours import chosen
from vesalius.reliability.finding import Finding
from vesalius.reliability.inspect import Inspection, Thumb
from vesalius.reliability.summary import Intensity

TEMPLATE = Path(__file__).parent / "inspection.html.j2"
SHEET = 60  # pictures on the contact sheet
SHOWN = 40  # findings of one kind that are written out
WITH_PICTURES = 12  # of these
SIDE_BY_SIDE = 4  # pictures of one finding
FRAME = "#ff4d00"  # around where something was found
CUT = 3  # a column of a histogram so many times higher than all others is cut


@dataclass(frozen=True, slots=True)
class Shown:
    """A case as the page shows it: its name, what is said of it, how bad that is, and its views by what they show."""

    case: str
    label: str
    flag: str
    views: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Bars:
    """A histogram to draw: heights from 0 to 1, which of them are cut, and what it is of."""

    about: Intensity
    heights: Sequence[float]
    cut: Sequence[bool]


def render(inspection: Inspection) -> str:
    """Return the page as text. Nothing in it is loaded from elsewhere."""
    by_case = {t.case: t for t in inspection.thumbs}
    sheet = [_shown(t, flag) for t, flag in _sheet(inspection)]
    return page.render(
        TEMPLATE,
        name=inspection.cohort.root.resolve().name,
        cohort=inspection.cohort,
        s=inspection.summary,
        groups=[
            (
                severity,
                kind,
                [(f, _pictures(f, by_case) if k < WITH_PICTURES else []) for k, f in enumerate(listed)],
            )
            for severity, kind, listed in _grouped(inspection.findings)
        ],
        counts={k: sum(f.severity == k for f in inspection.findings) for k in ("error", "warning", "note")},
        silenced=inspection.silenced,
        shown=SHOWN,
        next_steps=next_steps(inspection),
        histograms=[_bars(i) for i in _distinct(inspection.summary.intensities)],
        legend=_legend(inspection),
        sheet=sheet,
        sheet_total=len(inspection.cohort.cases) + len(inspection.cohort.set_aside),
    )


def write(inspection: Inspection, path: Path) -> None:
    """Write the page, whole or not at all. Raises OutputError."""
    write_text(path, render(inspection))


def next_steps(inspection: Inspection) -> list[tuple[str, str]]:
    """Return what to do next, in order: a sentence, and a command or an option where there is one."""
    found: dict[str, tuple[str, str]] = {}
    for severity in ("error", "warning"):
        for kind, listed in _of_kind(inspection.findings, severity).items():
            hint = next((f.hint for f in listed if f.hint), "")
            what = "Mend first" if severity == "error" else "Look at"
            text = f"{what}: {kind} ({counted(len(listed), 'finding')})"
            found.setdefault(f"{severity} {kind}", (f"{text}. {hint[:1].upper()}{hint[1:]}".strip(), ""))
    if not inspection.summary.patients_known and inspection.summary.cases:
        text = "Say which images are of one patient, or those of one may be learned from and tested on."
        found["patients"] = (text, "--column patient=NAME")
    stops = any(f.severity == "error" for f in inspection.findings)
    root = shlex.quote(str(inspection.cohort.root.name))
    several = len(inspection.cohort.targets) > 1
    target = f" --target {shlex.quote(next(iter(inspection.cohort.targets)))}" if several else ""
    if inspection.cohort.targets:
        lead = "Then see" if stops else "See"
        found["plan"] = (f"{lead} what would be done, and why.", f"vesalius fit {root}{target} --dry-run")
        found["fit"] = ("Train, within a time.", f"vesalius fit {root}{target} -o RUN --time-limit 10m")
    elif inspection.cohort.cases:
        text = "There is nothing to learn in it, but a trained model can answer it."
        found["predict"] = (text, f"vesalius predict RUN {root} -o OUT")
    return list(found.values())


def data_uri(thumb: Thumb) -> str:
    """Return a thumbnail as an inline picture, its labels drawn over it."""
    if thumb.small.labels:
        buffer = io.BytesIO()
        png = thumb.small.kind == "png"
        Picture.fromarray(thumb.picture).save(buffer, format="PNG" if png else "JPEG", quality=88)
        return _address(buffer.getvalue(), thumb.small.kind)
    return _address(thumb.small.data, thumb.small.kind)


def _address(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _shown(thumb: Thumb, flag: str = "") -> Shown:
    views = [("with its labels" if thumb.small.labels else "image", data_uri(thumb))]
    if thumb.small.labels:
        views.append(("image alone", _address(thumb.small.data, thumb.small.kind)))
    return Shown(thumb.case, thumb.label, flag, views)


def _pictures(finding: Finding, by_case: Mapping[str, Thumb]) -> list[Shown]:
    """Return the pictures that a finding rests on: the worst of those that were measured, or a few side by side.

    Of a finding about many that are alike there are none: they are no pair.
    """
    if finding.measured:
        worst = [c for c in finding.cases if c in by_case][:SIDE_BY_SIDE]
        return [_measured(by_case[c], finding) for c in worst]
    if not 1 < len(finding.cases) <= SIDE_BY_SIDE:
        return []
    return [_shown(by_case[c]) for c in finding.cases if c in by_case]


def _measured(thumb: Thumb, finding: Finding) -> Shown:
    """Return a case with its figure, and a frame where in its picture it was found."""
    place, value = finding.places.get(thumb.case), finding.measured.get(thumb.case)
    label = " · ".join(x for x in (thumb.label, "" if value is None else f"{value:.3g}") if x)
    if place is None:
        return replace(_shown(thumb), label=label)
    picture = Picture.fromarray(thumb.picture)
    height, width = thumb.small.size
    ends = (place[1] * width, place[0] * height, place[3] * width - 1, place[2] * height - 1)
    left, top, right, bottom = (round(v) for v in ends)
    ImageDraw.Draw(picture).rectangle((left, top, max(left, right), max(top, bottom)), outline=FRAME, width=2)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return replace(_shown(thumb), label=label, views=[("framed", _address(buffer.getvalue(), "png"))])


def _of_kind(findings: Sequence[Finding], severity: str) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.severity == severity:
            found.setdefault(finding.kind, []).append(finding)
    return found


def _grouped(findings: Sequence[Finding]) -> list[tuple[str, str, list[Finding]]]:
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.kind), []).append(finding)
    return [(severity, kind, listed) for (severity, kind), listed in groups.items()]


def _distinct(channels: Sequence[Intensity]) -> list[Intensity]:
    """Return the channels without those that are equal to one before: the colours of grey pictures."""
    found: dict[tuple[object, ...], Intensity] = {}
    for one in channels:
        found.setdefault((one.mean, one.sd, one.low, one.high, one.counts), one)
    return list(found.values())


def _bars(one: Intensity) -> Bars:
    ranked = sorted(one.counts, reverse=True)
    top = float(ranked[0]) if ranked else 1.0
    if (
        len(ranked) > 1 and ranked[1] and ranked[0] > CUT * ranked[1]
    ):  # the background, beside which nothing is seen
        top = 1.2 * ranked[1]
    return Bars(one, [min(n / (top or 1), 1.0) for n in one.counts], [n > top for n in one.counts])


def _legend(inspection: Inspection) -> list[tuple[str, str]]:
    """Return name and colour of the labels that are drawn over the pictures."""
    colours = next((t.colours for t in inspection.thumbs if t.small.labels), {})
    for target in inspection.cohort.targets.values():
        if colours and {x.value for x in target.labels} >= set(colours):
            nice = called_by(x.name for x in target.labels)
            return [(nice[x.name], palette.colour_of(x, k)) for k, x in enumerate(chosen(target.labels))][:30]
    return []


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
