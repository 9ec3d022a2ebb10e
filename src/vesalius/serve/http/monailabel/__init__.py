"""The endpoints of MONAI Label that 3D Slicer's module calls: models, inference, a datastore of the caller's studies.

What is uploaded lies among the caller's studies and goes with them. There is no training: `vesalius fit` is for that.
Source: monailabel 0.8, `monailabel.endpoints` and `monailabel.client.client`.
"""

from fastapi import APIRouter

from vesalius.serve.http import schemas
from vesalius.serve.http.monailabel import images, infer, labels, server

router = APIRouter(
    tags=["MONAI Label"],
    responses={c: {"model": schemas.ErrorBody} for c in (400, 401, 403, 404, 413, 415, 422, 429, 503)},
)
for part in (server, infer, images, labels):
    router.include_router(part.router)
