"""IU X-ray's XML: sections, tags and problems of each report, from a folder and a tar, and what cannot be read."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from vesalius import cohorts
from vesalius.core.errors import DataError
from vesalius.texts.sections import parted


def xml(uid: str, findings: str, *tags: str, more: str = "") -> str:
    majors = "".join(f"<major>{t}</major>" for t in tags)
    return (
        f'<?xml version="1.0" encoding="utf-8"?><eCitation><uId id="{uid}"/><MedlineCitation><Article><Abstract>'
        f'<AbstractText Label="COMPARISON">None.</AbstractText><AbstractText Label="INDICATION"/>'
        f'<AbstractText Label="FINDINGS">{findings}</AbstractText>{more}'
        f'<AbstractText Label="IMPRESSION">See XXXX.</AbstractText></Abstract></Article></MedlineCitation>'
        f'<MeSH>{majors}<automatic>ignored</automatic></MeSH><parentImage id="{uid}_IM-1"/></eCitation>'
    )


def folder(path: Path) -> Path:
    path.mkdir()
    (path / "1.xml").write_text(xml("CXR1", "Size &lt; 5 mm.", "Nodule/lung/right", "Cardiomegaly/mild"))
    (path / "2.xml").write_text(xml("CXR2", "Clear.", "normal"))
    (path / "10.xml").write_text(
        xml("CXR10", "Dark.", "No Indexing", more='<AbstractText Label="SIGNED">M.</AbstractText>')
    )
    return path


def test_reports_with_sections_tags_and_problems(tmp_path: Path) -> None:
    cohort = cohorts.read(folder(tmp_path / "data"))
    assert cohort.layout == "openi"
    assert [c.id for c in cohort] == ["CXR1", "CXR2", "CXR10"]
    assert parted(cohort[0].report or "") == {
        "comparison": "None.",
        "indication": "",
        "findings": "Size < 5 mm.",
        "impression": "See XXXX.",
    }
    assert cohort[0].targets == {
        "mesh": ("Nodule/lung/right", "Cardiomegaly/mild"),
        "problems": ("Nodule", "Cardiomegaly"),
        "normality": "abnormal",
    }
    assert cohort[1].targets == {"mesh": ("normal",), "problems": (), "normality": "normal"}
    assert cohort[2].targets == {}  # nobody indexed it
    assert (cohort[2].report or "").startswith("SIGNED: M.")  # a heading that is not known is kept
    assert "the files name 3 images, of which 0 are here" in cohort.notes


def test_images_are_found_beside_them(tmp_path: Path) -> None:
    root = folder(tmp_path / "data")
    Pil.fromarray(np.zeros((8, 8), np.uint8)).save(root / "CXR2_IM-1.png")
    cohort = cohorts.read(root, layout="openi")
    assert [c.reference for c in cohort] == [None, "view#1", None]


def test_a_tar_reads_as_its_folder(tmp_path: Path) -> None:
    root = folder(tmp_path / "data")
    with tarfile.open(tmp_path / "reports.tgz", "w:gz") as tar:
        tar.add(root, "ecgen")
    one, other = cohorts.read(root), cohorts.read(tmp_path / "reports.tgz")
    assert one.cases == other.cases
    assert not list(tmp_path.glob("**/ecgen"))  # nothing is unpacked


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    root = folder(tmp_path / "data")
    (root / "3.xml").write_text(xml("CXR2", "Again.", "normal"))
    (root / "4.xml").write_text("<eCitation><uId")
    (root / "5.xml").write_text('<!DOCTYPE x [<!ENTITY a "b">]><eCitation/>')
    (root / "6.xml").write_text("<other/>")
    cohort = cohorts.read(root, max_set_aside=1.0)
    reasons = {s.case: s.reason for s in cohort.set_aside}
    assert len(cohort) == 3
    assert reasons["CXR2 (3.xml)"] == "its id stands in another file, too"
    assert (
        "damaged XML" in reasons["4"]
        and "<!DOCTYPE" in reasons["5"]
        and "no report of Open-i" in reasons["6"]
    )
    (tmp_path / "bad.tgz").write_bytes(b"\x1f\x8bnot a tar")
    with pytest.raises(DataError, match="not a tar that can be read"):
        cohorts.read(tmp_path / "bad.tgz")
