"""The datastore: the caller's images, which of them to label next, and what is known of each."""

from __future__ import annotations

import random
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Query, Request, Response
from starlette.concurrency import run_in_threadpool

from vesalius import formats
from vesalius.core.case import Ref
from vesalius.core.disk import sha256
from vesalius.serve.http import schemas, uploads
from vesalius.serve.http.access import Serving, User
from vesalius.serve.http.audit import Details
from vesalius.serve.http.datastore import FINAL, STRATEGIES, DatastoreEntry, ImageId, described, params
from vesalius.serve.http.endpoints import file_response, receive_study
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.next_case import listed
from vesalius.serve.http.problems import Problem, not_found
from vesalius.serve.http.service import Service
from vesalius.serve.http.study import UploadedStudy

router = APIRouter()


@router.get("/datastore/")
def datastore(service: Serving, caller: User, output: Literal["train", "stats", "all"] = "stats") -> Any:
    """Return the caller's images and labels."""
    if output == "stats":
        return service.datastore.status(caller)
    store = service.datastore
    images = store.images(caller)
    if output == "train":
        return [{"image": i, "label": i} for i, (s, _) in images.items() if FINAL in store.entry(s).labels]
    objects = {
        image: {
            "image": {"ext": ".nii.gz", "info": described(study, case, store.entry(study))},
            "labels": {
                tag: {"ext": uploads.suffix(path.name), "info": said}
                for tag, (path, said) in store.entry(study).labels.items()
            },
        }
        for image, (study, case) in images.items()
    }
    return {"name": "Vesalius", "description": "studies of this key; temporary", "objects": objects}


@router.put("/datastore/", openapi_extra=schemas.multipart(files="file", many=False))
@router.put("/datastore/image", openapi_extra=schemas.multipart(files="file", many=False))
async def add_image(request: Request, service: Serving, caller: User, image: ImageId = "") -> dict[str, str]:
    """Upload one image under a name of the client's choosing; another of that name goes."""
    study, fields = await receive_study(request, service, caller, "file")
    return await run_in_threadpool(_called, service, caller, study, image, fields.get("params", "{}"))


def _called(service: Service, caller: Caller, study: UploadedStudy, image: str, said: str) -> dict[str, str]:
    """Give a study that was just uploaded its name as an image. Raises Problem 422."""
    store = service.datastore
    if len(study.cases) != 1:
        service.forget(study)
        raise Problem(422, "one image at a time", found=f"{len(study.cases)} images")
    alias = image or formats.stem(next(iter(study.labels.values()), study.id))
    old = store.images(caller).get(alias)
    info = params(said)

    def called(entry: DatastoreEntry) -> None:
        entry.alias, entry.info = alias, info

    store.change(study, called)
    if old is not None:
        service.forget(old[0])
    return {"image": alias}


@router.delete("/datastore/")
@router.delete("/datastore/image")
def remove_image(service: Serving, caller: User, id: ImageId) -> dict[str, str]:
    """Remove an image with its labels and answers."""
    study, _ = service.datastore.find(id, caller)
    service.forget(study)
    service.audit.add(caller.name, "delete", {"study": study.id})
    return {}


@router.head("/datastore/image")
def check_image(
    service: Serving,
    caller: User,
    image: ImageId,
    check_sum: Annotated[str | None, Query(max_length=160)] = None,
) -> Response:
    """Return whether there is such an image, of that check sum (`SHA256:…`, of the file that was uploaded)."""
    _, case = service.datastore.find(image, caller)
    if check_sum is not None:
        ref = case.case.image
        algorithm, _, digest = check_sum.rpartition(":")
        same = isinstance(ref, Ref) and len(ref.paths) == 1 and (algorithm or "SHA256").upper() == "SHA256"
        if not (same and isinstance(ref, Ref) and sha256(ref.paths[0]) == digest.lower()):
            raise not_found("image")
    return Response()


@router.get("/datastore/image", response_class=Response)
def get_image(service: Serving, caller: User, image: ImageId) -> Response:
    """Return the image as NIfTI; of a cine or of several channels the first, as its clients know three axes."""
    study, case = service.datastore.find(image, caller)
    service.audit.add(caller.name, "look", {"study": study.id})
    return file_response(
        service.studies.image(study, case, first=True), "application/gzip", name=f"{case.id}.nii.gz"
    )


@router.get("/datastore/image/info")
def image_info(service: Serving, caller: User, image: ImageId) -> dict[str, Any]:
    """Return what is known of an image."""
    store = service.datastore
    study, case = store.find(image, caller)
    return described(study, case, store.entry(study))


@router.post("/activelearning/{strategy}")
def next_sample(
    strategy: str, service: Serving, caller: User, params: Annotated[dict[str, Any] | None, Body()] = None
) -> dict[str, Any]:
    """Return an image without a label, `first`, `random`, or by a strategy of `suggest`; nothing where all have one.

    `params` may name the `model` that is asked, and a `seed`. What the model says of the image stands beside it.
    """
    known = listed()
    if strategy not in STRATEGIES and strategy not in known:
        raise Problem(404, "no such strategy", hint=", ".join((*STRATEGIES, *known)))
    store = service.datastore
    images = store.images(caller)
    open_ = {i: one for i, one in images.items() if FINAL not in store.entry(one[0]).labels}
    if not open_:
        return {}
    said: dict[str, Any] = {}
    if strategy in STRATEGIES:
        image = random.choice(list(open_)) if strategy == "random" else next(iter(open_))
    else:
        told = params or {}
        model, seed = service.models.get(_word(told, "model")), told.get("seed", 0)
        if not isinstance(seed, int) or isinstance(seed, bool) or seed < 0:
            raise Problem(422, "a seed is a number from 0", found=str(seed)[:40])
        done = {i: one for i, one in images.items() if i not in open_}
        about: Details = {"cases": len(open_), "model": model.bundle.hash[:16]}
        service.audit.add(caller.name, "suggest", about)
        image, seen = service.next_case.choose(strategy, model, open_, done, seed=seed)
        said = {
            "unsure": dict(seen.unsure),
            "found": seen.found,
            "plane": seen.plane,
            "outside": list(seen.outside),
        }
    study, case = images[image]
    return {"id": image, **described(study, case, store.entry(study)), **said}


def _word(told: dict[str, Any], name: str) -> str | None:
    found = told.get(name)
    if found is not None and not isinstance(found, str):
        raise Problem(422, f"a {name} is named by a text", found=type(found).__name__)
    return found
