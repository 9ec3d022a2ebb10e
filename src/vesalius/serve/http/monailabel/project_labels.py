"""Labels that MONAI Label's clients save on a case of an annotation project: readings in the project's own store.

So there is one place for what people draw on a project's images, whichever program they draw in. The tag `final` is a
reading that is done, where nothing else is asked or it was said before; any other tag is a draft.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.header import Header
from vesalius.core.image import Array
from vesalius.run.annotation.project import Ask
from vesalius.run.annotation.reading import Reading
from vesalius.serve.http.annotating import Annotating
from vesalius.serve.http.annotation_saving import save_reading
from vesalius.serve.http.annotation_schemas import ReadingRequest
from vesalius.serve.http.annotation_uploads import checked_reading, mask_in
from vesalius.serve.http.datastore import FINAL
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.problems import Problem
from vesalius.serve.http.service import Service
from vesalius.serve.http.study import UploadedStudy
from vesalius.serve.http.uploads import Received


def project_case(
    service: Service, caller: Caller, study: UploadedStudy
) -> tuple[Annotating, str, str] | None:
    """Return the project, the annotator and the case that a study shows; None for one that somebody uploaded."""
    desk = service.annotating
    found = None if desk is None else desk.case_of_study(caller, study)
    return None if desk is None or found is None else (desk, *found)


def save_drawing(
    service: Service,
    caller: Caller,
    about: tuple[Annotating, str, str],
    item: Received,
    tag: str,
    params: Mapping[str, Any],
) -> None:
    """Save a label file as the annotator's next version. Raises Problem 409, 422.

    What else the project asks for stays as it was said in the version before.
    """
    desk, name, case = about
    ask = desk.project.ask("mask")
    if ask is None:
        raise Problem(422, "this project asks for no mask", hint="the viewer")
    grid: Header = desk.header(case)
    own = desk.store.versions(case, name)
    before = {k: v for k, v in (own[-1].content if own else {}).items() if k != ask.kind}
    array = mask_in(item, grid)
    if not isinstance(array, np.ndarray):
        raise Problem(422, "a label is an image file", found=item.label[:64])
    content = {**before, ask.kind: _named(array, ask, params)}
    asked = ReadingRequest(
        version=len(own),
        content=before,
        done=tag == FINAL and all(a.kind in content for a in desk.project.asks),
    )
    said = checked_reading(asked, desk.project, grid, content[ask.kind])
    save_reading(service, desk, caller, name, case, said, grid)


def drawing_of(about: tuple[Annotating, str, str], tag: str) -> tuple[Path, Reading] | None:
    """Return the annotator's own newest drawing of a case, of `final` only where that is done; None without one."""
    desk, name, case = about
    own = desk.store.versions(case, name)
    chosen = next((r for r in reversed(own) if "mask" in r.content), None)
    if chosen is None or (tag == FINAL) is not chosen.done:
        return None
    return desk.store.drawing(str(chosen.content["mask"])), chosen


def _named(array: Array, ask: Ask, params: Mapping[str, Any]) -> Array:
    """Return label values as the project has them, of a file whose own values the client names in `label_info`.

    Without that the values are the project's. Raises Problem 422 for a name that the project does not have.
    """
    info = params.get("label_info")
    if not isinstance(info, list) or not info:
        return array
    values = {x.name: x.value for x in ask.labels}
    out = np.zeros_like(array, dtype=np.int32)
    left = array != 0
    for one in info:
        name, value = (one.get("name"), one.get("idx")) if isinstance(one, dict) else (None, None)
        if type(value) is not int or not (array == value).any():
            continue
        if name not in values:
            raise Problem(
                422, "the project has no such label", found=str(name)[:64], hint=f"one of {', '.join(values)}"
            )
        out[array == value] = values[name]
        left &= array != value
    if left.any():
        raise Problem(
            422, "the label has values that nobody named", found=str(np.unique(array[left])[:5].tolist())
        )
    return out
