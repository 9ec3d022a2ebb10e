"""The page of a shape model: what it promises, its three figures, its modes in moving pictures, and who is left out."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pictures

from vesalius.answers.drawing.panels import Cell, Table
from vesalius.core import page as pages
from vesalius.core.answers.surface import Surface
from vesalius.core.image import Array
from vesalius.core.words import counted
from vesalius.shapes.models.model import ShapeModel
from vesalius.shapes.picture import picture_of
from vesalius.shapes.scale import scale_of

TEMPLATE = Path(__file__).parent / "shape.html.j2"
SHOWN = 3  # modes
FRAMES = 12  # of an animation, there and back
SIZE = (260, 260)
FAR = 3.0  # standard deviations to each side


def page(model: ShapeModel, left_out: Mapping[str, str], notes: tuple[str, ...]) -> str:
    """Return one self-contained page."""
    return pages.render(
        TEMPLATE,
        name=model.label or "one label",
        chips=[
            counted(model.shapes, "shape"),
            counted(len(model.variances), "mode"),
            f"{model.sound} beyond chance",
            f"{len(model.mean_mm)} vertices",
        ],
        headline=_headline(model),
        notes=notes,
        figures=_figures(model),
        modes=[_mode(model, k) for k in range(min(SHOWN, max(1, model.sound), len(model.variances)))],
        left=[(name, why) for name, why in left_out.items()],
    )


def completion_page(
    model: ShapeModel, surface: Surface, seen: Array, band: Array | None, told: Mapping[str, Any]
) -> str:
    """Return the page of a completion: what was seen and what was made up, and how far it can be trusted where."""
    scaled = None if band is None else scale_of([band], "band", "mm")
    views = []
    for view in ("anterior", "left", "superior"):
        parts = np.where(seen, 0.0, 1.0)
        views.append(
            {
                "what": f"{view}: what was seen is low, what was completed is high",
                "src": address(
                    picture_of(
                        surface,
                        view=view,
                        colours=[parts],
                        scale=scale_of([parts], "completed", ""),
                        size=SIZE,
                    )
                ),
            }
        )
        if band is not None:
            drawn = picture_of(surface, view=view, colours=[band], scale=scaled, size=SIZE)
            views.append({"what": f"{view}: the band in mm", "src": address(drawn)})
    return pages.render(
        TEMPLATE.with_name("completed.html.j2"),
        name=model.label or "one label",
        chips=[f"{told['missing']:.0%} missing", counted(model.shapes, "shape") + " learned from"],
        headline=told["said"],
        notes=told["notes"],
        views=views,
    )


def address(picture: Array) -> str:
    """Return a picture `(H, W, 3)` as an address within a page."""
    data = io.BytesIO()
    Pictures.fromarray(picture).save(data, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(data.getvalue()).decode()


def _headline(model: ShapeModel) -> str:
    known = model.promised
    if not known:
        return "Too few shapes were left out to promise a band."
    cover, error = known["coverage"], known["error_mm"]
    return (
        f"With {known['missing'][0]:.0%} to {known['missing'][1]:.0%} of a left-out shape missing, what is completed "
        "is "
        f"{error['value']:.2f} mm ({error['low']:.2f} to {error['high']:.2f}) from the truth, and bands of "
        f"{known['level']:.0%} hold {cover['value']:.0%} ({cover['low']:.0%} to {cover['high']:.0%}) of it."
    )


def _figures(model: ShapeModel) -> Table:
    found = model.figures
    rows = [
        [
            Cell(str(k), float(k)),
            Cell(f"{found['compactness'][i]:.1%}", found["compactness"][i]),
            _cell(found["generalisation_mm"][i]),
            _cell(found["specificity_mm"][i]),
        ]
        for i, k in enumerate(found["modes"])
    ]
    text = (
        f"Of left-out shapes, the mean shape is {_said(found['mean_mm'])} mm away and the nearest other shape "
        f"{_said(found['nearest_mm'])} mm; 95 % intervals over shapes."
    )
    return Table(
        "Three figures", ["modes", "compactness", "generalisation in mm", "specificity in mm"], rows, text
    )


def _cell(found: Mapping[str, Any]) -> Cell:
    return Cell(f"{found['value']:.2f}", found["value"], f"{found['low']:.2f} to {found['high']:.2f}")


def _said(found: Mapping[str, Any]) -> str:
    return f"{found['value']:.2f} ({found['low']:.2f} to {found['high']:.2f})"


def _mode(model: ShapeModel, k: int) -> dict[str, Any]:
    """Return a mode for the page: three stills, and an animation from one end to the other and back."""
    ends = [model.surface(_along(k, x)) for x in (-FAR, 0.0, FAR)]
    frame = np.concatenate([s.vertices_mm for s in ends])
    stills = [
        {"what": text, "src": address(picture_of(one, size=SIZE, frame_mm=frame))}
        for text, one in zip(("3 deviations below", "the mean", "3 deviations above"), ends, strict=True)
    ]
    share = float(model.variances[k] / sum(model.variances))
    return {"number": k + 1, "share": f"{share:.0%}", "stills": stills, "moving": _moving(model, k, frame)}


def _moving(model: ShapeModel, k: int, frame: Array) -> str:
    turn = np.linspace(0, 2 * np.pi, FRAMES, endpoint=False)
    frames = [
        Pictures.fromarray(
            picture_of(model.surface(_along(k, FAR * np.sin(t))), size=SIZE, frame_mm=frame)
        ).quantize(64)
        for t in turn
    ]
    data = io.BytesIO()
    frames[0].save(data, "GIF", save_all=True, append_images=frames[1:], duration=120, loop=2)
    return "data:image/gif;base64," + base64.b64encode(data.getvalue()).decode()


def _along(k: int, deviations: float) -> Array:
    b = np.zeros(k + 1)
    b[k] = deviations
    return b
