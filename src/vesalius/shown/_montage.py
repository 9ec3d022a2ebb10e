"""A case of several sources as one small picture: its images, its earlier visits, and its time courses as lines."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image as Pil

from vesalius.answers.drawing.figures import ACCENT, SOFT, STYLE
from vesalius.core.case import Case, Ref
from vesalius.core.errors import VesaliusError
from vesalius.core.image import Image
from vesalius.core.palette import SERIES
from vesalius.prepare.case import load
from vesalius.prepare.courses import load_course
from vesalius.shown._looks import of_image

MOST = 12  # pictures and courses that are shown
COLUMNS = 4
LINES = 6  # quantities of a course that are drawn


def several(case: Case) -> bool:
    """Return whether there is more to see of a case than one image."""
    return len(case.images) > 1 or bool(case.courses) or any(v.case.images for v in case.earlier)


def montage(case: Case) -> bytes | None:
    """Return a PNG of a case's images, each earlier visit's, and its time courses; None where none is read.

    Visits are called by how many days they were before.
    """
    import matplotlib
    from matplotlib.figure import Figure

    shown = list(_parts(case))[:MOST]
    if not shown:
        return None
    columns = min(COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    with matplotlib.rc_context({k: v for k, v in STYLE.items() if not k.startswith("svg")}):
        figure = Figure(figsize=(2.4 * columns, 2.4 * rows), dpi=110, layout="constrained")
        axes = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
        for place in axes[len(shown) :]:
            place.set_axis_off()
        for place, (title, thing) in zip(axes, shown, strict=False):
            place.set_title(title, loc="left", fontsize=9)
            if isinstance(thing, bytes):
                place.imshow(np.asarray(Pil.open(io.BytesIO(thing)).convert("RGB")))
                place.set_axis_off()
            else:
                _course(place, thing)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", facecolor="white")
    return buffer.getvalue()


def _parts(case: Case) -> Iterator[tuple[str, Any]]:
    """Yield what is shown with its title: PNGs of images, and time courses; what cannot be read is left out."""
    for visit in case.earlier:
        for name, item in visit.case.images.items():
            title = f"{visit.days_before:g} days before" + (f", {name}" if len(visit.case.images) > 1 else "")
            yield from _picture(title, item)
    for name, item in case.images.items():
        yield from _picture(name if len(case.images) > 1 or not case.earlier else "this visit", item)
    for name, course in case.courses.items():
        try:
            yield name, load_course(course)
        except (VesaliusError, OSError):
            continue


def _picture(title: str, item: Ref | Image) -> Iterator[tuple[str, bytes]]:
    try:
        yield title, of_image(load(item))
    except (VesaliusError, OSError):
        return


def _course(axes: Any, course: Any) -> None:
    """Draw a time course: a line a quantity, each in standard deviations where there are several."""
    values = np.asarray(course.values, np.float64)
    names = course.names or tuple(str(k + 1) for k in range(values.shape[1]))
    alone = values.shape[1] == 1
    for k in range(min(values.shape[1], LINES)):
        line = values[:, k]
        if not alone:
            line = (line - np.nanmean(line)) / (np.nanstd(line) or 1.0)
        axes.plot(
            course.times, line, color=ACCENT if alone else SERIES[k % len(SERIES)], lw=1.2, label=names[k]
        )
    if not alone:
        axes.legend(fontsize=6, loc="upper left")
    axes.set_xlabel(course.unit if course.timed else "row", color=SOFT)
