"""Saving a reading: whether somebody may, written down in the log, kept, and a conflict told with the newer version."""

from __future__ import annotations

from typing import Any

from vesalius.core.header import Header
from vesalius.core.words import counted
from vesalius.run.annotation.reading import Reading, Start
from vesalius.run.annotation.standing import SAVED, Standing
from vesalius.run.annotation.store import Conflict, Saving
from vesalius.serve.http.annotating import Annotating
from vesalius.serve.http.annotation_bodies import reading_body
from vesalius.serve.http.annotation_schemas import ReadingRequest
from vesalius.serve.http.annotation_uploads import Said
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.problems import Problem
from vesalius.serve.http.service import Service


def save_reading(
    service: Service, desk: Annotating, caller: Caller, name: str, case: str, said: Said, grid: Header
) -> dict[str, Any]:
    """Save what was checked as somebody's next version, if they may. Raises Problem 409, 403; OutputError."""
    asked = said.asked
    claim = desk.claims.get(case, name)

    def write_down(reading: Reading) -> None:
        service.audit.add(caller.name, "annotate", {"case": case, "reading": reading.id})

    with desk.deciding:  # so that what is allowed is what is saved
        _assert_may_save(desk, case, name, asked)
        saving = Saving(
            case=case,
            image=desk.one(case).image,
            annotator=name,
            caller=caller.name,
            role=asked.role,
            seen=asked.version,
            done=asked.done,
            seconds=asked.seconds,
            grid=grid,
            content=said.content,
            drawn=said.drawn,
            start=Start(**asked.start.model_dump()),
            note=asked.note,
            since=claim.since if claim is not None else None,
        )
        try:
            made = desk.store.save(saving, before=write_down)
        except Conflict as conflict:
            latest = conflict.latest
            problem = Problem(
                409,
                f"version {latest.version} of this reading has been saved since, in another window",
                found=latest.at,
                hint="look at it, and put your changes into it",
            )
            problem.body |= {"latest": reading_body(desk, latest, content=True)}  # type: ignore[dict-item]
            raise problem from None
    desk.claims.take(case, name)
    return reading_body(desk, made, content=False)


def _assert_may_save(desk: Annotating, case: str, name: str, asked: ReadingRequest) -> None:
    """Raise Problem 409 for a case that may not be read or decided any more, 403 for who may not decide."""
    standing = desk.standing(case)
    if asked.role == "adjudication":
        decided = standing.decided
        if not standing.complete:
            raise Problem(409, "not all have read this case yet", found=so_far(standing))
        if not standing.may_decide(name):
            raise Problem(
                403, "whoever read a case does not decide it, nor who is no adjudicator", found=name
            )
        if decided is not None and decided.annotator != name:
            raise Problem(409, "another has decided this case", found=decided.annotator)
        return
    state = desk.state(standing, name)
    if state not in SAVED and not (state == "held" and desk.claims.get(case, name) is not None):
        raise refused(standing, state)


def refused(standing: Standing, state: str) -> Problem:
    """Return why a case may not be opened or read."""
    said = {
        "held": "others have this case at the moment",
        "full": "this case has been read, or is not yours to read",
        "sealed": "a blind reading is over, and changes no more",
        "adjudicate": "this case has been read, and waits for somebody to decide",
        "adjudicated": "this case has been decided",
    }
    return Problem(
        409, said.get(state, "this case may not be read"), found=so_far(standing), hint="another case"
    )


def so_far(standing: Standing) -> str:
    """Return how many readings of a case are done, in words."""
    return f"{counted(len(standing.done), 'reading')} of {standing.project.readers}"
