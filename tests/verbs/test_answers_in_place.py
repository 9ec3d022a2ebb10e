"""Answers lie where their images do: both forms of a NIfTI, and photographs that EXIF turns, there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image as Pil

import vesalius as vs
from vesalius import formats
from vesalius.core.answers.mask import Mask
from vesalius.core.errors import DataError
from vesalius.core.image import Image
from vesalius.core.progress import Silent


class Notes(Silent):
    """The notes alone."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        """Keep it."""
        self.lines.append(text)


def test_predict_keeps_both_forms_and_says_where_they_disagree(volumes: Any, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    first, second = sorted((volumes.data / "imagesTr").glob("*.nii.gz"))[:2]
    for path, by in ((first, 0.0), (second, 40.0)):
        image = nib.load(path)
        other = image.affine.copy()
        other[2, 3] += by
        image.set_sform(image.affine, code=4)
        image.set_qform(other, code=1)
        nib.save(image, tmp_path / "in" / path.name)
    notes = Notes()
    vs.predict(volumes.path, tmp_path / "in", tmp_path / "out", progress=notes)
    for path in (first, second):
        given, made = (nib.load(tmp_path / folder / path.name).header for folder in ("in", "out"))
        assert np.array_equal(given.get_sform(), made.get_sform()) and int(made["sform_code"]) == 4
        assert np.array_equal(given.get_qform(), made.get_qform()) and int(made["qform_code"]) == 1
    (line,) = [n for n in notes.lines if "qform" in n]
    assert line.startswith(formats.stem(second)) and "40 mm apart; the sform was used" in line


def photographs(root: Path) -> Path:
    """Six photographs with masks that say that they were drawn on what is seen; the first is upside down."""
    rng = np.random.default_rng(1)
    for folder in ("data/images", "data/masks", "answers"):
        (root / folder).mkdir(parents=True)
    for k in range(6):
        exif = Pil.Exif()
        exif[0x0112] = 3 if k == 0 else 1
        image = rng.integers(0, 255, (8, 12, 3)).astype(np.uint8)
        Pil.fromarray(image).save(root / "data" / "images" / f"{k}.jpg", exif=exif)
        drawn = np.zeros((1, 1, 8, 12), np.uint8)
        drawn[..., :3, :5] = 1
        for folder in ("data/masks", "answers"):
            formats.write(Mask(image=Image(drawn), labels=()), root / folder / f"{k}.png")
    return root


def test_answers_to_turned_photographs_are_scored_where_they_were_drawn(tmp_path: Path) -> None:
    root = photographs(tmp_path)
    card = vs.evaluate(root / "answers", root / "data", split="all")
    assert card.n_cases == 6 and card.metrics["dice"].value == 1.0
    untold = np.asarray(Pil.open(root / "answers" / "0.png"))
    Pil.fromarray(untold).save(root / "answers" / "0.png")  # as a tool that knows nothing of EXIF writes it
    with pytest.raises(DataError, match=r"case 0: the answer lies on another grid.*EXIF orientation 3"):
        vs.evaluate(root / "answers", root / "data", split="all")
