"""A project, its cases and its readings as clients see them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from vesalius.run.annotation import runs
from vesalius.run.annotation.asks.mask import array_of
from vesalius.run.annotation.project import ProjectCase
from vesalius.run.annotation.reading import Reading
from vesalius.run.annotation.standing import Standing
from vesalius.serve.http.annotating import Annotating

MOST_NUMBERS = 4_000_000  # of a mask's runs in one answer


def project_body(desk: Annotating, you: str | None) -> dict[str, Any]:
    """Return a project, and how far everybody is."""
    made, standings = desk.project, [standing for _, standing in desk.standings()]
    saved = list(dict.fromkeys(r.annotator for s in standings for r in s.readings))
    every = list(dict.fromkeys([*made.annotators, *saved]))
    spent = desk.store.seconds()
    names = "keys" if desk.by_keys else "listed" if made.annotators else "given"
    return {
        "name": made.name,
        "asks": [
            {
                "kind": a.kind,
                "labels": [{"value": x.value, "name": x.name, "colour": x.colour} for x in a.labels],
            }
            for a in made.asks
        ],
        "readers": made.readers,
        "blind": made.blind,
        "names": names,
        "annotators": list(made.annotators) or saved,
        "adjudicators": list(made.adjudicators),
        "you": you,
        "claim_s": made.claim_s,
        "cases": len(standings),
        "complete": sum(s.complete for s in standings),
        "disputed": sum(s.decided is None and desk.disputed(s) for s in standings),
        "progress": [
            {
                "annotator": name,
                "done": sum(any(r.annotator == name and r.done for r in s.readings) for s in standings),
                "drafts": sum(any(r.annotator == name and not r.done for r in s.readings) for s in standings),
                "seconds": round(spent.get(name, 0.0), 1),
            }
            for name in every
        ],
    }


def listed_case(desk: Annotating, one: ProjectCase, standing: Standing, name: str) -> dict[str, Any]:
    """Return a case as it stands in somebody's list."""
    state = desk.state(standing, name)
    own = standing.own(name) or standing.own(name, "adjudication")
    return {
        "case": one.key,
        "name": desk.called(one),
        "state": state,
        "version": own.version if own is not None else 0,
        "done": len(standing.done),
        "needed": desk.project.readers,
        "held_by": [holder for holder in standing.holders if holder != name],
        "may_adjudicate": state == "adjudicate",
    }


def reading_body(desk: Annotating, reading: Reading, *, content: bool) -> dict[str, Any]:
    """Return a version of a reading, with what it says where `content` is asked for."""
    digest = reading.content.get("mask")
    asked = {
        "annotator": reading.annotator,
        "of": reading.annotator,
        "version": reading.version,
        "role": reading.role,
    }
    said: dict[str, Any] | None = None
    if content:
        said = {k: v for k, v in reading.content.items() if k != "mask"}
        if digest is not None:
            told = runs.encoded(array_of(desk.store.drawing(str(digest))))
            said["mask"] = told if len(told["runs"]) <= MOST_NUMBERS else None
    start = reading.start
    return {
        "case": reading.case,
        "annotator": reading.annotator,
        "role": reading.role,
        "version": reading.version,
        "done": reading.done,
        "at": reading.at,
        "seconds": reading.seconds,
        "seconds_told": reading.seconds_told,
        "start": {
            "kind": start.kind,
            "name": start.name,
            "bundle": start.bundle,
            "changed": start.changed,
        },
        "note": reading.note,
        "content": said,
        "mask": None
        if digest is None
        else f"/api/annotation/cases/{reading.case}/mask.nii.gz?{urlencode(asked)}",
        "mask_sha256": digest,
    }
