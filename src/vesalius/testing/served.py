"""A bundle behind the HTTP service, in this process: what it says of the model, and what it answers about a case."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vesalius import formats
from vesalius.core.case import Case, Ref
from vesalius.core.errors import MissingExtra
from vesalius.core.image import Image
from vesalius.infer.runtimes import TORCH
from vesalius.plan import torch_threads
from vesalius.serve.http.api import create_app
from vesalius.serve.http.catalogue import Catalogue
from vesalius.serve.http.service import Service

NAME = "checked"


@dataclass(frozen=True, eq=False)
class Served:
    """What a client got: the model's description, the status and the body of the answer, and its files' bytes.

    `case` is what was uploaded, as it is read; None where there was nothing to upload.
    """

    about: Mapping[str, Any]
    status: int
    body: Mapping[str, Any]
    case: Case | None
    files: Mapping[str, bytes] = field(default_factory=dict)


def serve_one(bundle: Path, case: Case, folder: Path) -> Served:
    """Serve a bundle, upload a case with its covariates in one call, and return what the service said.

    It computes in torch with one thread, as sums over several, and in another runtime, are rounded otherwise.

    The service takes one image a case; of a case with several, or with none, nothing is uploaded. Raises MissingExtra
    without httpx.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # Starlette's own, about which client it drives
            warnings.simplefilter("ignore", UserWarning)
            from starlette.testclient import TestClient
    except RuntimeError as error:
        raise MissingExtra("httpx", "testing") from error
    folder.mkdir(parents=True)
    uploaded = _as_files(case, folder)
    models = Catalogue([f"{NAME}={bundle}"], ["cpu"], runtime=TORCH)
    service = Service(models, audit=folder / "audit.jsonl", temporary=folder)
    known = {k: v for k, v in case.covariates.items() if v is not None}
    for model in models.by_name.values():
        for predictor in model.predictors:
            predictor.threads = None
    with torch_threads.only(1), TestClient(create_app(service), base_url="http://127.0.0.1") as client:
        (about,) = client.get("/api/models").json()
        paths = uploaded.images["image"].paths if uploaded is not None else ()  # type: ignore[union-attr]
        sent = [("files", (path.name, path.read_bytes())) for path in paths]
        got = client.post(
            "/api/predict",
            files=sent or [("files", ("none.txt", b""))],
            data={"model": NAME, "covariates": json.dumps(known)},
        )
        body = got.json()
        rows = body.get("answers", ()) if got.status_code == 200 else ()
        files = {name: client.get(url).content for row in rows for name, url in row["files"].items()}
    return Served(about, got.status_code, body, uploaded, files)


def _as_files(case: Case, folder: Path) -> Case | None:
    """Return the case with its only image in files, its own or one that is written here.

    It is None where it has not one image.
    """
    if len(case.images) != 1:
        return None
    (item,) = case.images.values()
    if isinstance(item, Image) or item.member is not None or item.index is not None:
        image = item if isinstance(item, Image) else formats.read(item)
        item = Ref((formats.write(image, folder / "image.nii.gz"),))
    return replace(case, images={"image": item}, reference="image", targets={})
