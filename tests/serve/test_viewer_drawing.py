"""What the viewer's tools draw, against numpy, scipy and nibabel: voxels, shapes between slices, steps and files."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from _node import NEEDS_NODE, run
from scipy import ndimage

from vesalius import formats

pytestmark = NEEDS_NODE

SIZE = (23, 17, 11)  # x, y, z
SPACING = (0.7, 1.3, 2.5)
SCRIPT = """
import { Work } from "@app/draw/work.ts";
import { stroke, fillPolygon } from "@app/draw/paint.ts";
import { distances, fillBetween } from "@app/draw/between.ts";
import { runsOf, fromRuns, niftiOf } from "@app/draw/files.ts";
import { entryOf } from "@app/annotate/journal.ts";
import { replay } from "@app/annotate/reading.ts";

const grid = ({ size, spacing }) => ({ size, spacing, unit: "mm" });
const rule = (value, over = null, between = null) => ({ value, over, between });

async function main(given) {
  const made = {};
  made.strokes = given.strokes.map((s) => {
    const work = new Work(grid(given), s.labels ? Uint8Array.from(s.labels) : null);
    const between = s.values ? { values: s.values, low: s.range[0], high: s.range[1] } : null;
    work.begin("stroke");
    stroke(work, s.where, s.line, { radius: s.radius, ball: s.ball }, rule(s.value, s.over ?? null, between));
    work.end();
    return Array.from(work.labels);
  });
  made.polygons = given.polygons.map((p) => {
    const work = new Work(grid(given));
    work.begin("polygon");
    fillPolygon(work, p.where, p.corners, rule(1));
    work.end();
    return Array.from(work.labels);
  });
  made.distances = Array.from(distances(Uint8Array.from(given.shape.set), given.shape.wide, given.shape.spacing));
  made.between = given.between.map((b) => {
    const work = new Work(grid(b), Uint8Array.from(b.labels));
    work.begin("between");
    const filled = fillBetween(work, b.axis, rule(b.value, 0));
    work.end();
    return { filled, labels: Array.from(work.labels), counts: Array.from(work.counts.slice(0, 4)) };
  });
  made.runs = runsOf(Uint8Array.from(given.labels));
  made.back = Array.from(fromRuns(made.runs, given.labels.length));
  const refused = (runs) => { try { return !fromRuns(runs, 10); } catch { return true; } };
  made.refused = given.wrong.filter(refused).length;
  const bytes = Uint8Array.from(Buffer.from(given.file, "base64")).buffer;
  made.file = Buffer.from(await (await niftiOf(bytes, Uint8Array.from(given.labels))).arrayBuffer()).toString("base64");
  made.steps = steps(given);
  return made;
}

/** Steps at random, some of them taken back or given up; a journal of all of them. */
function steps(given) {
  let seed = 7;
  const random = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  const work = new Work(grid(given));
  const entries = [];
  const boxesOf = ({ boxes }, back) => (boxes ? { boxes: back ? boxes.before : boxes.after } : {});
  work.onstep = (step, back) => entries.push({ ...entryOf(step.patch, back), ...boxesOf(step, back), seconds: 1 });
  let settled = true;
  for (let k = 0; k < 60; k++) {
    const what = random();
    if (what < 0.2) work.undo();
    else if (what < 0.3) work.redo();
    else if (what < 0.4) work.setBoxes("box", [...work.boxes, { low: [0, 0, 0], high: [1 + k, 2, 3], value: 1 }]);
    else {
      const was = JSON.stringify(Array.from(work.labels));
      const at = () => given.size.map((n) => random() * n);
      work.begin("stroke");
      const brush = { radius: 1 + 3 * random(), ball: what > 0.8 };
      stroke(work, { axis: k % 3, slice: k % 11 }, [at(), at()], brush, rule(1 + (k % 3)));
      settled = settled && JSON.stringify(Array.from(work.settled)) === was;
      if (what > 0.9) work.cancel();
      else work.end();
    }
  }
  const last = Array.from(work.labels);
  const again = new Work(grid(given));
  replay(entries, again, { class: null, classes: null, note: "", start: { kind: "nothing" } });
  const replayed = Array.from(again.labels);
  const boxes = JSON.stringify(again.boxes) === JSON.stringify(work.boxes);
  const counts = Array.from(work.counts.slice(0, 5));
  while (work.canUndo) work.undo();
  return { last, settled, replayed, boxes, counts, undone: Array.from(work.labels), entries: entries.length };
}
"""


def places() -> np.ndarray[Any, Any]:
    """The middle of each voxel in grid coordinates, `(z, y, x, 3)`, the last axis as x, y, z."""
    z, y, x = np.meshgrid(*(np.arange(n) + 0.5 for n in SIZE[::-1]), indexing="ij")
    return np.stack([x, y, z], axis=-1)


def capsule(
    where: dict[str, int], line: list[list[float]], radius: float, *, ball: bool
) -> np.ndarray[Any, Any]:
    """Voxels whose middle lies within `radius` millimetres of the line, in the slice or in all."""
    at, (a, b) = places() * SPACING, np.array(line) * SPACING
    part = np.clip(((at - a) @ (b - a)) / max(float((b - a) @ (b - a)), 1e-12), 0, 1)
    near = np.linalg.norm(at - a - part[..., None] * (b - a), axis=-1) <= radius
    if not ball:
        near &= np.floor(places()[..., where["axis"]]) == where["slice"]
    for point in line:  # the voxel under the pointer, however fine the brush
        near[tuple(int(v) for v in reversed(point))] = True
    found: np.ndarray[Any, Any] = near
    return found


def even_odd(where: dict[str, int], corners: list[list[float]]) -> np.ndarray[Any, Any]:
    """Voxels of the slice whose middle lies within the polygon, by the sign of crossings to the right."""
    p, q = (k for k in range(3) if k != where["axis"])
    at = places()
    inside = np.zeros(at.shape[:3], bool)
    for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
        crosses = (a[q] <= at[..., q]) != (b[q] <= at[..., q])
        with np.errstate(divide="ignore", invalid="ignore"):
            x = a[p] + (at[..., q] - a[q]) / (b[q] - a[q]) * (b[p] - a[p])
        inside ^= crosses & (x > at[..., p])
    found: np.ndarray[Any, Any] = inside & (np.floor(at[..., where["axis"]]) == where["slice"])
    return found


def disc(radius: float, at: tuple[float, float] = (15.5, 15.5)) -> np.ndarray[Any, Any]:
    """A disc on 31 × 31 pixels."""
    y, x = np.mgrid[:31, :31] + 0.5
    found: np.ndarray[Any, Any] = ((x - at[0]) ** 2 + (y - at[1]) ** 2 <= radius**2).astype(np.uint8)
    return found


def signed(shape: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Distances to the nearest pixel of the other kind, above 0 within the shape."""
    inside, outside = (ndimage.distance_transform_edt(s) for s in (shape, 1 - shape))
    found: np.ndarray[Any, Any] = inside - outside
    return found


RNG = np.random.default_rng(3)
VALUES = RNG.normal(100, 30, SIZE[::-1]).round(1)
STROKES: list[dict[str, Any]] = [
    {
        "where": {"axis": 2, "slice": 4},
        "line": [[5.2, 6.1, 4.5], [15.9, 9.3, 4.5]],
        "radius": 2.2,
        "ball": False,
    },
    {
        "where": {"axis": 1, "slice": 8},
        "line": [[5.2, 8.5, 3.1], [15.9, 8.5, 8.3]],
        "radius": 3.0,
        "ball": False,
    },
    {
        "where": {"axis": 0, "slice": 11},
        "line": [[11.5, 3.3, 2.2], [11.5, 3.3, 2.2]],
        "radius": 4.0,
        "ball": True,
    },
    {
        "where": {"axis": 2, "slice": 0},
        "line": [[1.2, 1.1, 0.5], [1.4, 1.6, 0.5]],
        "radius": 0.05,
        "ball": False,
    },
]
POLYGONS: list[dict[str, Any]] = [
    {"where": {"axis": 2, "slice": 3}, "corners": [[2.2, 2.1, 3.5], [20.3, 4.4, 3.5], [11.1, 15.2, 3.5]]},
    {
        "where": {"axis": 0, "slice": 9},
        "corners": [[9.5, 1, 1], [9.5, 14, 9], [9.5, 14, 1], [9.5, 1, 9]],
    },  # crossed
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    x, y, z = SIZE
    labels = RNG.choice(4, (z, y, x), p=[0.7, 0.1, 0.1, 0.1]).astype(np.uint8)
    affine = np.array([[-0.6, 0.2, 0.1, 5], [0.3, 1.2, -0.4, 6], [0.1, 0.3, 2.4, 7], [0, 0, 0, 1.0]])
    nifti: Any = nib.Nifti1Image
    image = nifti(RNG.integers(-9, 9, SIZE).astype(np.int16), affine)
    image.header.set_slope_inter(2.0, -1024.0)
    stack = np.zeros((9, 31, 31), np.uint8)
    stack[1], stack[7] = disc(4), disc(10)
    stack[4, 0, 0] = 2  # of another class: it is no slice of the first, and is kept
    apart = np.zeros((5, 31, 31), np.uint8)
    apart[0], apart[4] = disc(4, (6.5, 6.5)), disc(4, (22.5, 22.5))
    coarse = {"size": [31, 31, 9], "spacing": [1, 1, 3]}
    on_end = stack.transpose(1, 0, 2).ravel().tolist()
    given: dict[str, Any] = {
        "size": SIZE,
        "spacing": SPACING,
        "strokes": [
            *({**s, "value": 1} for s in STROKES),
            {**STROKES[0], "value": 2, "values": VALUES.ravel().tolist(), "range": [90, 120]},
            {**STROKES[0], "value": 3, "over": 0, "labels": labels.ravel().tolist()},
        ],
        "polygons": POLYGONS,
        "shape": {"set": disc(6).ravel().tolist(), "wide": 31, "spacing": [0.7, 1.9]},
        "between": [
            {**coarse, "labels": stack.ravel().tolist(), "axis": 2, "value": 1},
            {"size": [31, 9, 31], "spacing": [1, 3, 1], "labels": on_end, "axis": 1, "value": 1},
            {"size": [31, 31, 5], "spacing": [1, 1, 3], "labels": apart.ravel().tolist(), "axis": 2, "value": 1},
        ],
        "labels": labels.ravel().tolist(),
        "wrong": [[0, 9], [0, 11], [0, 5, 1], [300, 10], [1, 2.5, 0, 7.5], [0, -1, 0, 11]],
        "file": base64.b64encode(image.to_bytes()).decode(),
    }  # fmt: skip
    found = run(SCRIPT, given, tmp_path_factory.mktemp("drawing"))
    return {**found, "given": {"labels": labels, "affine": image.affine, "stack": stack, "apart": apart}}


def volume(flat: list[int], size: tuple[int, int, int] = SIZE) -> np.ndarray[Any, Any]:
    return np.array(flat).reshape(size[::-1])


def test_a_brush_covers_what_lies_within_its_millimetres_in_any_plane(made: dict[str, Any]) -> None:
    for k, s in enumerate(STROKES):
        want = capsule(s["where"], s["line"], s["radius"], ball=s["ball"])
        assert np.array_equal(volume(made["strokes"][k]), want), k
    assert volume(made["strokes"][3]).sum() == 1  # finer than a voxel: the one under the pointer


def test_a_range_of_values_and_what_others_drew_are_kept(made: dict[str, Any]) -> None:
    where = capsule(STROKES[0]["where"], STROKES[0]["line"], 2.2, ball=False)
    ranged = volume(made["strokes"][4])
    assert np.array_equal(ranged == 2, where & (VALUES >= 90) & (VALUES <= 120)) and ranged.any()
    labels = made["given"]["labels"]
    kept = volume(made["strokes"][5])
    assert np.array_equal(kept, np.where(where & (labels == 0), 3, labels))


def test_a_polygon_covers_the_voxels_whose_middle_lies_in_it(made: dict[str, Any]) -> None:
    for k, p in enumerate(POLYGONS):
        want = even_odd(p["where"], p["corners"])
        assert np.array_equal(volume(made["polygons"][k]), want) and want.sum() > 20


def test_shapes_between_slices_follow_their_signed_distances(made: dict[str, Any]) -> None:
    shape = disc(6)
    want = ndimage.distance_transform_edt(1 - shape, sampling=(1.9, 0.7))
    assert np.allclose(np.array(made["distances"]).reshape(31, 31), want)
    first = made["between"][0]
    stack = volume(first["labels"], (31, 31, 9))
    assert first["filled"] == 5 and np.array_equal(stack[[0, 1, 7, 8]], made["given"]["stack"][[0, 1, 7, 8]])
    for z in range(2, 7):  # from a disc of 4 to one of 10 the radius grows evenly
        radius = 4 + (z - 1)
        area = int((stack[z] == 1).sum())
        assert area == pytest.approx(np.pi * radius**2, rel=0.1)
        part = (z - 1) / 6
        assert np.array_equal(stack[z] == 1, (1 - part) * signed(disc(4)) + part * signed(disc(10)) > 0)
        assert (
            not (stack[z] == 1)[disc(radius + 0.8) == 0].any()
            and (stack[z] == 1)[disc(radius - 0.8) == 1].all()
        )
    assert stack[4, 0, 0] == 2
    assert first["counts"] == [int((stack == v).sum()) for v in range(4)]
    other = volume(made["between"][1]["labels"], (31, 9, 31))
    assert np.array_equal(other.transpose(1, 0, 2), stack)  # along another axis the same
    apart = volume(made["between"][2]["labels"], (31, 31, 5))
    middle = np.argwhere(apart[2]).mean(axis=0) + 0.5
    assert np.allclose(middle, 14.5, atol=0.6) and apart[2].sum() == pytest.approx(disc(4).sum(), rel=0.1)


def test_runs_and_files_hold_the_drawing_in_the_images_own_grid(made: dict[str, Any], tmp_path: Path) -> None:
    labels = made["given"]["labels"]
    runs = np.array(made["runs"]).reshape(-1, 2)
    assert np.array_equal(np.repeat(runs[:, 0], runs[:, 1]), labels.ravel())
    assert (np.diff(runs[:, 0]) != 0).all() and made["back"] == labels.ravel().tolist()
    assert made["refused"] == 6
    path = tmp_path / "drawn.nii"
    path.write_bytes(gzip.decompress(base64.b64decode(made["file"])))
    saved = formats.read(path)
    lps = np.diag([-1.0, -1, 1, 1]) @ made["given"]["affine"]
    assert saved.affine is not None and np.allclose(saved.affine, lps, atol=1e-6)
    assert np.array_equal(saved.array[0], labels)  # no slope or intercept of the image's own


def test_steps_are_taken_back_and_a_journal_of_them_gives_the_same_drawing(made: dict[str, Any]) -> None:
    steps = made["steps"]
    assert steps["entries"] > 30 and any(steps["last"])
    assert steps["replayed"] == steps["last"] and steps["boxes"]
    assert steps["settled"]  # a stroke that is not over is not saved
    assert steps["counts"] == [steps["last"].count(v) for v in range(5)]
    assert not any(steps["undone"])
