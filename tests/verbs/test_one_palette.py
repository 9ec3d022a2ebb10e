"""One palette: the colours that a bundle is given are those of its overlay, its report, its SEG and the service."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pydicom

import vesalius as vs
from vesalius.answers import contract
from vesalius.core import palette
from vesalius.core.bundle import open_bundle
from vesalius.core.called import called_by
from vesalius.core.scorecard import load_scorecard
from vesalius.dicom.values.colours import cielab
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.ct import patient
from vesalius.serve.http.catalogue import Catalogue


def test_a_label_has_one_colour_wherever_it_is_shown(volumes: Any, tmp_path: Path) -> None:
    kept = open_bundle(volumes.bundle).stages[-1].state.values["labels"]
    shown = {x["name"]: x["shown"] for x in kept}
    assert all(palette.is_colour(str(c)) for c in shown.values()) and len(set(shown.values())) == len(shown)
    assert [x["colour"] for x in kept] == [None] * len(kept)

    for name, data in dicom_files(patient(1, size=(12, 32, 32))):
        (tmp_path / name).write_bytes(data)
    answer = vs.predict(volumes.bundle, tmp_path, device="cpu")
    assert {x["name"]: x["colour"] for x in contract.of(answer).summary(answer)["labels"]} == shown
    written = vs.write(answer, tmp_path / "x.seg.dcm", source=tmp_path)
    for segment in pydicom.dcmread(written or tmp_path / "x.seg.dcm").SegmentSequence:
        assert list(segment.RecommendedDisplayCIELabValue) == cielab(shown[segment.SegmentLabel])

    card = load_scorecard(volumes.path / "scorecard.json")
    assert dict(card.colours) == shown
    page = (volumes.path / "report.html").read_text(encoding="utf-8")
    legend = dict(re.findall(r'<span class="patch" style="--c:(#[0-9a-f]{6})"></span>([^<]+)<', page))
    nice = called_by(shown)
    assert {name: colour for colour, name in legend.items()} == {nice[n]: c for n, c in shown.items()}
    told = next(iter(Catalogue([volumes.bundle], ("cpu",)).by_name.values())).about
    assert {x["name"]: x["colour"] for x in told["labels"]} == shown and told["palette"] == list(
        palette.SERIES
    )


def test_an_overlay_draws_them(volumes: Any, tmp_path: Path) -> None:
    first = next(iter(sorted((volumes.data / "imagesTr").glob("*.nii.gz"))))
    vs.predict(volumes.bundle, first, tmp_path / "out", overlays=True, device="cpu")
    drawn = np.asarray(PIL.Image.open(next((tmp_path / "out").glob("*.overlay.png"))).convert("RGB")).astype(
        int
    )
    colours = palette.by_name(open_bundle(volumes.bundle).stages[-1].state.values["labels"])
    near = [np.abs(drawn - np.array(palette.rgb(c))).sum(axis=-1).min() < 12 for c in colours.values()]
    assert any(near)
