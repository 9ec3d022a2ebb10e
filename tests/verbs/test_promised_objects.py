"""Promises and withheld answers in DICOM objects, over HTTP, in a notebook and on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import vesalius as vs
from vesalius import formats
from vesalius.answers import contract
from vesalius.core.answers.mask import Mask
from vesalius.core.answers.scores import Scores
from vesalius.core.answers.value import Value
from vesalius.core.cohort import Label
from vesalius.core.promise import Promise
from vesalius.serve.http import results
from vesalius.verbs.phantom import phantom

SAYS = "it is so in at least 90 of 100 cases like those of the calibration"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> vs.Image:
    """A small CT of DICOM files."""
    folder = phantom(
        tmp_path_factory.mktemp("ct") / "made", cases=1, seed=2, size=(8, 24, 24), format="dicom"
    )
    return formats.read(vs.read(folder).cases[0].images["image"])


def texts(data: Any) -> list[str]:
    """All texts and names in a report."""
    found = []
    for item in data.get("ContentSequence", ()):
        found += [str(item.get("TextValue", ""))]
        found += (
            [str(item.ConceptNameCodeSequence[0].CodeMeaning)] if "ConceptNameCodeSequence" in item else []
        )
        found += texts(item)
    return [text for text in found if text]


def numbers(data: Any) -> dict[str, float]:
    """All measurements of a report by their name."""
    found = {}
    for item in data.get("ContentSequence", ()):
        if item.ValueType == "NUM":
            name = item.ConceptNameCodeSequence[0].CodeMeaning
            found[name] = float(item.MeasuredValueSequence[0].NumericValue)
        found |= numbers(item)
    return found


def test_a_set_is_a_text_and_an_interval_two_measurements(image: vs.Image, tmp_path: Path) -> None:
    labels = (Label(0, "benign"), Label(1, "malignant"))
    plain = Scores(labels=labels, p=np.array([0.7, 0.3]), source=image.source, bundle="b" * 64, outside=())
    made = dataclasses.replace(plain, promise=Promise(0.9, SAYS, labels=("benign", "malignant"), n=120))
    both = [
        pydicom.dcmread(vs.write(a, tmp_path / f"{k}.sr.dcm", source=image))
        for k, a in enumerate((plain, made))
    ]
    told = [t for t in texts(both[1]) if t not in texts(both[0])]
    assert any("promised at 90 %, set: benign, malignant" in t for t in told)
    number = Value(x=40.0, unit="ml", quantity="volume", source=image.source, bundle="b" * 64, outside=())
    bound = dataclasses.replace(number, promise=Promise(0.9, SAYS, interval=(31.5, None), unit="ml", n=12))
    found = numbers(pydicom.dcmread(vs.write(bound, tmp_path / "n.sr.dcm", source=image)))
    assert found == {"volume": 40.0, "lower bound of volume, 90 %": 31.5}
    assert numbers(pydicom.dcmread(vs.write(number, tmp_path / "m.sr.dcm", source=image))) == {"volume": 40.0}


def test_the_outer_mask_is_segments_beside_the_others(image: vs.Image, tmp_path: Path) -> None:
    array = np.zeros((1, *image.shape), np.uint8)
    array[0, 2:4, 8:16, 8:16], array[0, 4, 3:6, 3:6] = 1, 2
    labels = (Label(1, "liver"), Label(2, "lesion"))
    grid = dataclasses.replace(image, array=array, channels=())
    wide = np.zeros((2, *image.shape), np.uint8)
    wide[0, 1:5, 6:18, 6:18], wide[1, 3:6, 2:9, 2:9] = 1, 1
    outer = Mask(image=dataclasses.replace(grid, array=wide), labels=labels, overlapping=True)
    mask = Mask(image=grid, labels=labels, source=image.source, bundle="b" * 64, outside=())
    said = dataclasses.replace(mask, promise=Promise(0.9, SAYS, part="outer", n=60), parts={"outer": outer})
    data = pydicom.dcmread(vs.write(said, tmp_path / "x.seg.dcm", source=image))
    assert [s.SegmentLabel for s in data.SegmentSequence] == [
        "liver", "lesion", "liver (outer, 90 %)", "lesion (outer, 90 %)",
    ]  # fmt: skip
    frames = data.pixel_array.reshape(4, *image.shape)
    assert [int(f.sum()) for f in frames] == [2 * 64, 9, int(wide[0].sum()), int(wide[1].sum())]
    assert [name for name, _ in contract.images(said)] == ["", "outer"]
    assert len(pydicom.dcmread(vs.write(mask, tmp_path / "y.seg.dcm", source=image)).SegmentSequence) == 2


def test_a_withheld_answer_is_nowhere_a_result(image: vs.Image, tmp_path: Path) -> None:
    labels = (Label(0, "benign"), Label(1, "malignant"))
    answer = Scores(
        labels=labels, p=np.array([0.6, 0.4]), source=image.source, bundle="b" * 64, outside=(),
        withheld="not sure enough: 0.600", promise=Promise(0.9, SAYS, labels=("benign",)),
    )  # fmt: skip
    row = contract.columns(answer)
    assert row.pop("withheld") == "not sure enough: 0.600"
    assert "answer" in row and set(row.values()) == {None}
    with pytest.raises(vs.OutputError, match=r"the answer is withheld .* found not sure enough: 0.600"):
        vs.write(answer, tmp_path / "x.sr.dcm", source=image)
    assert not (tmp_path / "x.sr.dcm").exists()
    again = formats.read_answer(vs.write(answer, tmp_path / "x.json"))
    assert again.withheld == answer.withheld and again.p.tolist() == [0.6, 0.4]
    assert results.summary(answer) == {"withheld": "not sure enough: 0.600"}
    assert list(results.files(answer, image, tmp_path, dicom=True)) == ["answer.json"]
    html = answer._repr_html_()
    assert "not sure enough" in html and "malignant" not in html and "withheld" in repr(answer)


def test_an_answer_without_a_promise_is_stored_as_ever() -> None:
    from vesalius.core.encoding import as_text

    text = as_text(Value(x=1.0))
    assert "promise" not in text and "withheld" not in text
