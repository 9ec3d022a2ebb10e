"""Clicks in MONAI Label's words: points and regions as voxels (x, y, z), scribbles as a label file, sessions by image.

3D Slicer's module turns what is drawn from RAS into the volume's own voxels (IJK), in the order (x, y, z), which is the
order of the file that it loaded. It sends all points with each request and no order among them, so those that are known
already stay first. A region is `[x0, x1, y0, y1, z0, z1]`, as its `getROIPointsXYZ` makes it; of four numbers
`[x0, y0, x1, y1]`.
Source: MONAI Label 0.8, `plugins/slicer/MONAILabel/MONAILabel.py` (`onClickDeepgrow`, `getROIPointsXYZ`) and
`monailabel.scribbles`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from vesalius.core.errors import DataError
from vesalius.core.guidance import MOST_PLACES, Guidance, Place, Stroke
from vesalius.core.image import Array
from vesalius.serve.http.catalogue import Catalogue, ServedModel
from vesalius.serve.http.clicks.opening import changed, kept_in_order, on_case
from vesalius.serve.http.clicks.session import OBJECT, ClickSession
from vesalius.serve.http.keys import Caller
from vesalius.serve.http.monailabel.explaining import SIGN
from vesalius.serve.http.problems import Problem
from vesalius.serve.http.service import Service
from vesalius.serve.http.study import StoredCase, UploadedStudy

GROWS, SCRIBBLES = "deepgrow", "scribbles"
BACKGROUND, FOREGROUND = 2, 3  # values of scribbles in a label file, where it does not say others
MOST_VOXELS = 20_000  # of scribbles in a label file
_POINTS = {"foreground": True, "background": False}
_NAMES = {True: "foreground_scribbles", False: "background_scribbles"}


def listed(models: Catalogue) -> dict[str, dict[str, Any]]:
    """Return what the models that take clicks are listed as: for points, and under `NAME+scribbles` for scribbles."""
    found = {}
    for m in models.by_name.values():
        if m.about["clicks"]:
            about = {"dimension": m.about["dims"], "labels": [], "config": {}}
            text = f"Vesalius {m.name}: segments what is pointed at; for research, not a medical device"
            found[m.name] = {"type": GROWS, **about, "description": text}
            found[f"{m.name}{SIGN}{SCRIBBLES}"] = {"type": SCRIBBLES, **about, "description": text}
    return found


def plain(models: Catalogue, name: str) -> str:
    """Return the name of a model without what is said of how it is asked."""
    bare = name.removesuffix(f"{SIGN}{SCRIBBLES}")
    known = models.by_name.get(bare)
    return bare if known is not None and known.about["clicks"] else name


async def answered(
    service: Service,
    caller: Caller,
    model: ServedModel,
    study: UploadedStudy,
    case: StoredCase,
    params: Mapping[str, Any],
    scribbles: Array | None,
    *,
    accept: bool = False,
) -> tuple[ClickSession, str]:
    """Return the session that answers a request, and what its object is called. Raises Problem and DataError.

    `scribbles`: the label file's values on the image's grid `(Z, Y, X)`.
    """
    session = service.clicks.of(caller.name, model, study.id, case.id, accepted=accept)
    if session is None:
        session = await on_case(service, caller, model, study, case, accept=accept)
    wanted = strokes_of(params, session.shape)
    if scribbles is not None:
        wanted += scribbled(scribbles, params, session.shape)
    if not wanted:
        raise Problem(
            422,
            "no stroke to answer",
            hint='"foreground": [[x, y, z]] in params, or a label file of scribbles',
        )
    await changed(service, session, kept_in_order(session, wanted))
    return session, _label(params)


def strokes_of(params: Mapping[str, Any], shape: tuple[int, int, int]) -> list[Stroke]:
    """Return the points and the region of a request as strokes. Raises DataError, in the client's order (x, y, z)."""
    named = (
        params.get(_label(params)) if "foreground" not in params else None
    )  # as DeepEdit's clients send points
    found = [
        Stroke("point", (_place(place, shape, kind),), adds)
        for kind, adds in _POINTS.items()
        for place in _list(params.get(kind) or (named if adds else None), kind)
    ]
    if params.get("roi"):
        found.insert(0, Stroke("box", _corners(_list(params["roi"], "roi"), shape)))
    return found


def _label(params: Mapping[str, Any]) -> str:
    name = str(params.get("label") or OBJECT)[:64]
    return name if name.isprintable() else OBJECT


def _list(found: Any, what: str) -> Sequence[Any]:
    if found is None:
        return ()
    if not isinstance(found, list):
        raise DataError(f"{what} is a list", found=repr(found)[:40])
    return found


def _place(found: Any, shape: tuple[int, int, int], what: str) -> Place:
    """Return a voxel `[x, y, z]`, of a picture `[x, y]`, as a place `(z, y, x)` within the image."""
    numbers = [*found, 0] if isinstance(found, list) and len(found) == 2 and shape[0] == 1 else found
    real = isinstance(numbers, list) and len(numbers) == 3
    if not real or not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
        raise DataError(f"a point of {what} is [x, y, z]", found=repr(found)[:60])
    place = (float(numbers[2]), float(numbers[1]), float(numbers[0]))
    if not Stroke("point", (place,)).within(shape):
        size = " × ".join(str(n) for n in reversed(shape))
        raise DataError(
            f"a point of {what} lies outside of the image",
            found=f"{numbers} in an image of {size} voxels",
            hint="voxels [x, y, z] of the image's file, from 0",
        )
    return place


def _corners(numbers: Sequence[Any], shape: tuple[int, int, int]) -> tuple[Place, Place]:
    if len(numbers) == 4 and shape[0] == 1:
        x0, y0, x1, y1 = numbers
        z0 = z1 = 0
    elif len(numbers) == 6:
        x0, x1, y0, y1, z0, z1 = numbers
    else:
        raise DataError("a roi is [x0, x1, y0, y1, z0, z1]", found=f"{len(numbers)} numbers")
    return _place([x0, y0, z0], shape, "the roi"), _place([x1, y1, z1], shape, "the roi")


def scribbled(values: Array, params: Mapping[str, Any], shape: tuple[int, int, int]) -> list[Stroke]:
    """Return the scribbles of a label file as strokes that go through exactly their voxels.

    Other labels in the file are left alone. Raises DataError for a file on another grid, or with too much in it.
    """
    if values.shape != shape:
        raise DataError(
            "the scribbles are not on the image's grid", found=f"{values.shape} for an image of {shape}"
        )
    found: list[Stroke] = []
    for adds, value in _values(params).items():
        marked = values == value
        if int(marked.sum()) > MOST_VOXELS:
            raise DataError(
                "too much is scribbled",
                found=f"{int(marked.sum()):,} voxels",
                hint=f"at most {MOST_VOXELS:,}",
            )
        regions, count = ndimage.label(marked, structure=np.ones((3, 3, 3)))
        for k in range(1, count + 1):
            path = _path({(int(z), int(y), int(x)) for z, y, x in np.argwhere(regions == k)})
            starts = range(0, len(path), MOST_PLACES)
            found += [Stroke("scribble", tuple(path[a : a + MOST_PLACES]), adds) for a in starts]
    return list(Guidance(tuple(found)).strokes)


def _values(params: Mapping[str, Any]) -> dict[bool, int]:
    """Return which value in a label file adds and which removes."""
    known: dict[str, Any] = {}
    for item in params.get("label_info") or ():
        if isinstance(item, Mapping) and isinstance(item.get("name"), str):
            known[item["name"]] = item.get("id", item.get("idx"))
    plain_ = {True: FOREGROUND, False: BACKGROUND}
    return {a: v if isinstance(v := known.get(_NAMES[a]), int) else plain_[a] for a in plain_}


def _path(voxels: set[tuple[int, int, int]]) -> list[Place]:
    """Return a walk from neighbour to neighbour through all voxels of one connected region, and through no other."""
    start = min(voxels)
    left, walk, stack = voxels - {start}, [start], [start]
    steps = [(a, b, c) for a in (0, -1, 1) for b in (0, -1, 1) for c in (0, -1, 1) if (a, b, c) != (0, 0, 0)]
    while stack and left:
        z, y, x = stack[-1]
        near = next((n for a, b, c in steps if (n := (z + a, y + b, x + c)) in left), None)
        if near is None:
            stack.pop()
            if stack:
                walk.append(stack[-1])
            continue
        left.discard(near)
        stack.append(near)
        walk.append(near)
    return [(float(z), float(y), float(x)) for z, y, x in walk]
