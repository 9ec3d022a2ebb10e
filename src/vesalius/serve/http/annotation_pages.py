"""How far annotators agree, over HTTP: as figures, and as a page."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import HTMLResponse

from vesalius.run.annotation.agreement_page import page
from vesalius.serve.http import cards, schemas
from vesalius.serve.http.access import Serving, User
from vesalius.serve.http.annotation_schemas import AgreementBody
from vesalius.serve.http.problems import not_found

router = APIRouter(
    prefix="/api/annotation",
    tags=["annotation"],
    responses={code: {"model": schemas.ErrorBody} for code in (401, 403, 404, 422, 429)},
)
Who = Annotated[str | None, Query(max_length=64)]


@router.get("/agreement", response_model=AgreementBody)
def agreement(service: Serving, caller: User, annotator: Who = None) -> Any:
    """Return how far annotators agree on the cases that all have read, and on which they differ.

    The figures are those of `vesalius consensus`.
    """
    if service.annotating is None:
        raise not_found("annotation project")
    return service.annotating.agreement(service.annotating.annotator(caller, annotator))


@router.get(
    "/agreement.html",
    response_class=HTMLResponse,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
def agreement_page(service: Serving, caller: User, annotator: Who = None) -> HTMLResponse:
    """Return the same as one page."""
    if service.annotating is None:
        raise not_found("annotation project")
    desk = service.annotating
    return HTMLResponse(
        page(desk.project, desk.agreement(desk.annotator(caller, annotator))), headers=cards.HEADERS
    )
