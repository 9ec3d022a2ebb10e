"""Several images of one body, each a case of a study, as the one case that a model of several sources is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vesalius.core.case import Ref
from vesalius.core.image import Image
from vesalius.serve.http.catalogue import ServedModel
from vesalius.serve.http.problems import Problem
from vesalius.serve.http.study import StoredCase, UploadedStudy


def joined(
    study: UploadedStudy, images: Mapping[str, str], case_id: str | None, model: ServedModel
) -> StoredCase:
    """Return a case that has each of these cases' images under the name that the model has for it.

    The answer lies on the image of `case_id`, by default on the first. Raises Problem 422 for a name that the model
    does not know, and where `case_id` is none of them; 404 for a case that is not there.
    """
    known = [n for n in model.about["inputs"] if n in model.about["sources"]]
    for name in images:
        if name not in known:
            raise Problem(
                422,
                f"'{model.name}' takes no image '{name[:64]}'",
                found="a model of one image" if not known else None,
                hint=", ".join(known) or "no `images`",
            )
    each = {name: study.case(one) for name, one in images.items()}
    first = next((name for name, one in each.items() if case_id in (None, one.id)), None)
    if first is None:
        raise Problem(
            422, "the case that the answer lies on is none of the images", hint="`case` is one of `images`"
        )
    held: dict[str, Ref | Image] = {}
    for name, one in each.items():
        if one.case.image is None:
            raise Problem(422, f"there is no image in the case that is to be '{name}'")
        held[name] = one.case.image
    about = each[first]
    return replace(about, case=replace(about.case, images=held, reference=first))
