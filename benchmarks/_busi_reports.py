"""Reports for BUSI, whose pictures have none: written from each picture's class, and from what a rule measures in it.

The copy of BUSI that is at hand has classes and no masks, and its pictures have no spacing. So a report says by its
class whether there is a mass and what it looks like; and in pixels, as about, how large it is where a stated rule finds
a region that is clearly darker than its rim and fills its box as a mass does. Nobody drew that region: a figure of
sizes would be an agreement with the rule and nothing else, and findings.csv has none.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from vesalius.core.disk import write_text
from vesalius.core.finding import Finding
from vesalius.core.image import Array
from vesalius.phantom.common.output import as_csv
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Row
from vesalius.phantom.reports.asked import asked_for
from vesalius.phantom.reports.content import Content, Written
from vesalius.phantom.reports.files import COLUMNS, NONE, finding_rows
from vesalius.phantom.reports.patient import truths_of

CLASSES = ("benign", "malignant", "normal")
STYLES, TEST_STYLES, SEED = "1,2,3,4,5,6", "7,8", 18
SMOOTH = 3.0  # pixels of 256: the blur before the threshold
LEVELS = (0.15, 0.25, 0.35, 0.45, 0.55, 0.65)  # shares of the way from the 1st to the 70th percentile
LEAST, MOST = 0.008, 0.35  # shares of the picture that a region may have
EDGE, RIM = 4, 6  # pixels: how far a region keeps from the edges, and how wide its rim is
CLEAR, FULL = (
    45.0,
    0.62,
)  # how much darker than its rim, in grey values, and how much of its box a region fills
MIDDLE, SPREAD = np.array([0.42, 0.5]), 0.3  # where masses lie in pictures, as shares of their sides


def write_cohort(busi: Path, out: Path) -> Path:
    """Write BUSI's pictures with reports to the new folder `out`: cohort.csv, findings.csv, said.csv and images/.

    `labels` are the findings' names, `class` is BUSI's own. Every fourth picture of a class is in the test, and its
    report is by writers who wrote none of training. Whose picture it is, nobody knows.
    """
    asked = asked_for(STYLES, TEST_STYLES, 0.0, 0.0)
    rows: list[Row] = []
    findings: list[Row] = []
    said: list[Row] = []
    (out / "images").mkdir(parents=True)
    for name, path, index in pictures(busi):
        case = f"busi-{len(rows):04d}"
        shutil.copyfile(path, out / "images" / f"{case}.png")
        with Image.open(path) as opened:
            grey = np.asarray(opened.convert("L"), dtype=np.float32)
        content = content_of(name, dark_region(grey))
        written = asked.report(content, stream(SEED, len(rows), 0), index=index)
        rows.append(_row(case, name, content, written, asked.split(index) or ""))
        findings += finding_rows(case, truths_of(content, written))
        said += finding_rows(case, written.said)
    write_text(out / "cohort.csv", as_csv(rows))
    write_text(out / "findings.csv", as_csv(findings, columns=COLUMNS))
    write_text(out / "said.csv", as_csv(said, columns=COLUMNS))
    return out


def pictures(busi: Path) -> list[tuple[str, Path, int]]:
    """Return every picture with its class, and its number within the class, from 0 on."""
    found = []
    for name in CLASSES:
        paths = sorted(
            (busi / name).glob("*.png"), key=lambda p: [int(n) for n in re.findall(r"\d+", p.stem)]
        )
        found += [(name, path, index) for index, path in enumerate(paths)]
    return found


def content_of(name: str, region: Array | None) -> Content:
    """Return what a report of a picture is made from: its class, and the extent of its dark region if one was found."""
    if name == "normal":
        return Content(sort="breast", findings=(), degrees=())
    told = "" if region is None else f"about {_tens(np.ptp(region[1]))} by {_tens(np.ptp(region[0]))} pixels"
    return Content(
        sort="breast",
        findings=(Finding("mass"), Finding(name)),
        degrees=(2, 2),
        extents={0: told} if told else {},
    )


def dark_region(grey: Array) -> Array | None:
    """Return the rows and columns `(2, N)` of the region that is darkest against its rim; None where there is none.

    Among all connected regions below one of LEVELS that keep clear of the picture's edges.
    """
    smooth = ndimage.gaussian_filter(grey, SMOOTH * grey.shape[0] / 256)
    low, high = np.percentile(smooth, (1, 70))
    best, found = 0.0, None
    for level in LEVELS:
        parts, _ = ndimage.label(smooth < low + level * (high - low))
        for k, place in enumerate(ndimage.find_objects(parts), start=1):
            if any(s.start < EDGE or s.stop > n - EDGE for s, n in zip(place, grey.shape, strict=True)):
                continue
            around = tuple(slice(max(s.start - RIM, 0), s.stop + RIM) for s in place)
            inside = parts[around] == k
            if not LEAST <= inside.sum() / grey.size <= MOST:
                continue
            rim = ndimage.binary_dilation(inside, iterations=RIM) & ~inside
            full = inside.sum() / np.prod(
                [s.stop - s.start for s in place]
            )  # of its box: an ellipse has 0.79
            middle = np.array([(s.start + s.stop) / 2 / n for s, n in zip(place, grey.shape, strict=True)])
            near = float(np.exp(-(((middle - MIDDLE) / SPREAD) ** 2).sum()))
            darker = float(smooth[around][rim].mean() - smooth[around][inside].mean())
            if darker < CLEAR or full < FULL:
                continue
            worth = darker * min(full / 0.79, 1.0) ** 2 * near
            if worth > best:
                best, found = worth, np.array(np.nonzero(parts == k))
    return found


def _tens(pixels: float) -> int:
    return max(10 * round(float(pixels) / 10), 10)


def _row(case: str, name: str, content: Content, written: Written, split: str) -> Row:
    labels = ";".join(f.name for f in content.findings) or NONE
    return {
        "case": case, "image": f"images/{case}.png", "class": name, "labels": labels, "split": split,
        "report": written.text,
    }  # fmt: skip
