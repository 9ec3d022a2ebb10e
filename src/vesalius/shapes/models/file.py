"""A shape model on the disk: a sealed folder of its own (see `core/sealed.py`), which names no case and no file.

FOLDER/
  shape.json          label, unit, frame, how many shapes, what is promised and the three figures
  shape.safetensors   mean, faces, modes, variances, smooth movements, and the weights of the shapes learned from
  card.md             the same in words
  MANIFEST.sha256
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.disk import output_errors
from vesalius.core.errors import BundleError
from vesalius.core.sealed import MANIFEST, Kind, damage_named, open_sealed, write_sealed
from vesalius.core.words import counted
from vesalius.shapes.models.model import ShapeModel

SHAPE = Kind("shape", 1, source="`vesalius shape`")
FOLDER = "model"
_ARRAYS = "shape.safetensors"
_NAMES = ("mean_mm", "faces", "modes", "variances", "smooth", "smooth_variances", "weights")
_TOLD = ("sound", "noise_mm", "label", "sizes", "turned", "residual_mm", "promised", "figures", "data_hash")


def save_model(model: ShapeModel, path: Path | str) -> ShapeModel:
    """Write a model as a sealed folder, and return it with its hash. Raises OutputError."""
    from safetensors.numpy import save

    path = Path(path)
    with output_errors(path):
        path.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.ascontiguousarray(getattr(model, name)) for name in _NAMES}
    arrays = {n: a.astype(np.int32) if n == "faces" else a.astype(np.float64) for n, a in arrays.items()}
    head = {"unit": "mm", "frame": "LPS, centred", "shapes": model.shapes, "vertices": len(model.mean_mm)}
    head |= {name: getattr(model, name) for name in _TOLD}
    write_sealed(path, SHAPE, head, {_ARRAYS: save(arrays), "card.md": card(model)})
    return load_model(path)


def load_model(path: Path | str) -> ShapeModel:
    """Return the model in a sealed folder, or in the folder that `vesalius shape` wrote; every byte is checked.

    Raises BundleError where it is no shape model, is damaged, or a newer one.
    """
    path = Path(path)
    if not (path / MANIFEST).is_file() and (path / FOLDER / MANIFEST).is_file():
        path = path / FOLDER
    sealed = open_sealed(path, SHAPE)
    with damage_named(path, SHAPE):
        arrays = sealed.arrays(_ARRAYS)
        head: dict[str, Any] = dict(sealed.head)
        fields: dict[str, Any] = {**{n: arrays[n] for n in _NAMES}, **{n: head[n] for n in _TOLD}}
        model = ShapeModel(**fields)
    if head.get("unit") != "mm" or not _sound(model):
        raise BundleError(f"{path} is a damaged shape", found="arrays that do not fit one another")
    return replace(model, hash=sealed.hash)


def card(model: ShapeModel) -> str:
    """Return what a person must know of a model, in a few lines of Markdown."""
    known = model.promised
    lines = [
        f"# Shape model of {model.label or 'one label'}",
        "",
        f"Learned from {counted(model.shapes, 'shape')}: {counted(len(model.variances), 'mode')}, of which "
        f"{model.sound} stand out from chance; {len(model.mean_mm)} vertices in mm, axes as in LPS.",
        "Size was taken out." if model.sizes else "Size is part of the shape.",
        f"The template stays {model.residual_mm:.2f} mm from the shapes on average.",
    ]
    if known:
        cover = known["coverage"]
        lines.append(
            f"Bands of {known['level']:.0%} held {cover['value']:.0%} ({cover['low']:.0%} to {cover['high']:.0%}) "
            f"of unseen places of {known['shapes']} left-out shapes with {known['missing'][0]:.0%} to "
            f"{known['missing'][1]:.0%} missing."
        )
    lines.append(
        "It is made of other people's shapes: what is special of a patient and not seen, it cannot know."
    )
    return "\n".join(lines) + "\n"


def _sound(model: ShapeModel) -> bool:
    v, k, r = len(model.mean_mm), len(model.variances), len(model.smooth_variances)
    fits = model.mean_mm.shape == (v, 3) and model.modes.shape == (k, v, 3) and model.smooth.shape == (v, r)
    fits = fits and model.weights.ndim == 2 and model.weights.shape[1] == k and model.faces.ndim == 2
    return bool(
        fits
        and model.faces.shape[1] == 3
        and (len(model.faces) == 0 or 0 <= model.faces.min() <= model.faces.max() < v)
        and all(np.isfinite(getattr(model, n)).all() for n in _NAMES)
        and (model.variances > 0).all()
    )
