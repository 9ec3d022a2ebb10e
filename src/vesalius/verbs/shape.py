"""shape: a statistical shape model of one label, learned from a cohort's masks or from meshes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius.core.answers.surface import Surface
from vesalius.core.cohort import Cohort
from vesalius.core.disk import assert_apart, held, write_text
from vesalius.core.errors import DataError, Interrupted
from vesalius.core.progress import Progress, watched
from vesalius.core.words import counted
from vesalius.run.grid import opened
from vesalius.run.shape.keeping import keeper
from vesalius.run.shape.page import page
from vesalius.run.shape.reading import shapes_of
from vesalius.run.shape.result import Shaped as Shaped
from vesalius.shapes.models.calibrating import MOST, calibrated
from vesalius.shapes.models.cloud import SAMPLES
from vesalius.shapes.models.figures import figures_of
from vesalius.shapes.models.file import FOLDER, save_model
from vesalius.shapes.models.learning import ROUNDS, correspond, model_of
from vesalius.shapes.reduce import reduced

__all__ = ["Shaped", "shape"]
FILE, PAGE = "shape.json", "shape.html"
LEAST_POINTS = 50


def shape(
    data: Path | str | Cohort,
    out: Path | str,
    *,
    label: str | None = None,
    target: str | None = None,
    points: int = 1000,
    without_size: bool = False,
    turned: bool = False,
    keep_unusual: bool = False,
    columns: Mapping[str, str] | None = None,
    layout: str | None = None,
    labels: Mapping[str, str] | None = None,
    max_set_aside: float = 0.25,
    seed: int = 0,
    progress: Progress | bool | None = None,
) -> Shaped:
    """Learn how the surface of one anatomy differs between people: a mean, modes, and what they can promise.

    Writes `model`, a sealed folder that names no case, `shape.html` with the three figures and the modes as pictures,
    and `shape.json`. Registrations are kept case by case: begun again with the same `out`, they are not done again.

    Args:
        data: A cohort with masks, its path as for `read`, or a folder of meshes (STL, OBJ, PLY, GLB, 3MF).
        out: A new folder.
        label: The label that is learned, where the masks have several.
        target: The target that is drawn, where the cohort has several.
        points: How many vertices the model has, about.
        without_size: Take size out, so that the model is of form alone and fits at any size.
        turned: The shapes' directions are not those of LPS, as of scanned objects; they are found.
        keep_unusual: Learn from shapes far outside of the others, too.
        columns: What a table's columns are, where their names do not tell.
        layout: How to read it, where it could be read in several ways; one of `vesalius layouts`.
        labels: What stands for what among masks' values: `{"255": "1"}`.
        max_set_aside: The share of cases to bear that have no shape to learn from.
        seed: Of what is drawn for the figures.
        progress: A `Progress`; True, False or None: by default a bar shows itself on a terminal and in a notebook.

    Returns:
        The model, where it lies, and who was left out and why.

    Raises:
        DataError: There are fewer than five shapes, too many are left out, or there are several labels.
        UnknownName: There is no such label or target.
        OutputError: `out` holds something else.
        Interrupted: Ctrl-C; the same call goes on.
    """
    shown, folder = watched(progress), Path(out)
    if not isinstance(data, Cohort):
        assert_apart(Path(data), folder)
    if points < LEAST_POINTS:
        raise DataError(f"a model has {LEAST_POINTS} vertices or more", found=str(points))
    read = shapes_of(
        data, label=label, target=target, columns=columns, layout=layout, labels=labels, progress=shown
    )
    _assert_most(read.left_out, len(read.surfaces), max_set_aside)
    asked: dict[str, Any] = {
        "data": read.data_hash,
        "label": read.label,
        "points": points,
        "without_size": without_size,
        "turned": turned,
        "keep_unusual": keep_unusual,
        "seed": seed,
    }
    opened(folder, asked)
    try:
        with held(folder):
            shown.start("registrations", ROUNDS * len(read.surfaces))
            found = correspond(
                read.surfaces,
                lambda one: _mesh(one, points),
                samples=min(SAMPLES, max(1000, 4 * points)),
                sizes=without_size,
                turned=turned,
                keep_unusual=keep_unusual,
                keep=keeper(folder, lambda: shown.advance("registrations")),
            )
            shown.finish("registrations")
            left = {**read.left_out, **found.left_out}
            _assert_most(left, len(found.names), max_set_aside)
            shown.start("left-out shapes", min(MOST, len(found.names)))
            model = replace(model_of(found, label=read.label, seed=seed), data_hash=read.data_hash)
            promised = calibrated(found, seed=seed, advance=lambda: shown.advance("left-out shapes"))
            shown.finish("left-out shapes")
            figures = figures_of(found, len(model.variances), seed=seed)
            made = save_model(replace(model, promised=promised, figures=figures), folder / FOLDER)
            notes = (*read.notes, *found.notes)
            document = _document(made, found.residuals_mm, left, notes)
            write_text(folder / FILE, json.dumps(document, indent=1, allow_nan=False) + "\n")
            write_text(folder / PAGE, page(made, left, notes))
    except KeyboardInterrupt as error:
        raise Interrupted(
            "interrupted; registrations are kept", hint="the same again, with the same -o, goes on"
        ) from error
    for note in notes:
        shown.note(note)
    return Shaped(made, folder / FOLDER, folder / PAGE, left, notes, document)


def _mesh(surface: Surface, points: int) -> Surface:
    """Return a surface with about so many vertices, for a template."""
    if len(surface.vertices_mm) <= points:
        return surface
    return reduced(surface, 2 * points, within_mm=float("inf")).surface


def _assert_most(left: Mapping[str, str], kept: int, most: float) -> None:
    every = kept + len(left)
    if every and len(left) > most * every:
        name, why = next(iter(left.items()))
        raise DataError(
            f"{counted(len(left), 'case')} of {every} have no shape to learn from",
            found=f"{name}: {why}",
            hint="--max-set-aside SHARE, once it is clear why",
        )


def _document(
    model: Any, residuals: Mapping[str, float], left: Mapping[str, str], notes: tuple[str, ...]
) -> dict[str, Any]:
    return {
        "label": model.label,
        "hash": model.hash,
        "data_hash": model.data_hash,
        "shapes": model.shapes,
        "vertices": len(model.mean_mm),
        "modes": len(model.variances),
        "sound": model.sound,
        "noise_mm": model.noise_mm,
        "residual_mm": model.residual_mm,
        "promised": dict(model.promised),
        "figures": dict(model.figures),
        "residuals_mm": dict(residuals),
        "left_out": dict(left),
        "notes": list(notes),
    }
