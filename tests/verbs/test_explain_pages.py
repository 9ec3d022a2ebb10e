"""What explain leaves behind, as people and other programs take it: pages that everyone can read, and DICOM objects."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import vesalius as vs
from _pages import chromium, opened, read_by_everyone, with_chromium
from vesalius import formats
from vesalius.phantom.abdomen.dicom import dicom_files
from vesalius.phantom.ct import patient

FEW: dict[str, Any] = {"samples": 12, "pieces": 8, "check": "none"}
HOSTILE = '<img src=x onerror="alert(1)"> & 100% #1?'


@with_chromium
def test_the_pages_are_read_by_everyone_and_lead_to_each_other(pictures: Any, tmp_path: Path) -> None:
    cohort = vs.read(pictures.data)[:3]
    cases = (replace(cohort.cases[0], id=HOSTILE), *cohort.cases[1:])
    done = vs.explain(
        pictures.path, replace(cohort, cases=cases), tmp_path / "why", method=["occlusion", "gradcam"], **FEW
    )
    assert done.page is not None and done.case_ids[0] == HOSTILE
    pages = [p for p in done.out.glob("*.html") if p != done.page]
    assert all("<img src=x" not in p.read_text(encoding="utf-8") for p in (*pages, done.page))
    with chromium() as browser:
        read_by_everyone(browser, done.page)
        read_by_everyone(browser, pages[0])
        with opened(browser, done.page) as tab:
            links = tab.locator("#cases table a")
            assert links.all_inner_texts() == list(done.case_ids)
            targets = links.evaluate_all("all => all.map(a => decodeURIComponent(a.getAttribute('href')))")
            assert {done.out / name for name in targets} == set(pages)
            pictures_there = tab.locator("main figure img").evaluate_all(
                "all => all.map(i => (i.loading = 'eager', i.decode().then(() => i.naturalWidth)))"
            )
            assert len(pictures_there) >= 2


@pytest.mark.parametrize("dims", [3, 2])
def test_dicom_images_are_explained_as_dicom_objects(
    dims: int, volumes: Any, pictures: Any, tmp_path: Path
) -> None:
    study = tmp_path / "study"
    study.mkdir()
    files = list(dicom_files(patient(1, size=(12, 32, 32))))
    for name, data in files if dims == 3 else files[5:6]:
        (study / name).write_bytes(data)
    tiny = volumes if dims == 3 else pictures
    done = vs.explain(
        tiny.path, study, tmp_path / "why", method="gradcam", dicom=True, accept_mismatch=True, **FEW
    )
    (stem,) = {p.name.partition(".")[0] for p in done.out.glob("*.nii.gz")}
    made = {p.name for p in done.out.iterdir() if p.name.startswith(stem)}
    given = {f"{stem}.gradcam{s}" for s in (".nii.gz", ".png", ".pm.dcm", ".sc.dcm")}
    assert made == {*given, f"{stem}.html", f"{stem}.nearest.json"}
    source = pydicom.dcmread(next(study.iterdir()))
    field = formats.read(done.out / f"{stem}.gradcam.nii.gz")
    for suffix in (".pm.dcm", ".sc.dcm"):
        path = done.out / f"{stem}.gradcam{suffix}"
        data = pydicom.dcmread(path)
        assert data.StudyInstanceUID == source.StudyInstanceUID and data.PatientID == source.PatientID
        if shutil.which("dciodvfy"):
            told = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, timeout=120)
            assert [line for line in told.stderr.splitlines() if line.startswith("Error")] == []
    back = formats.read(done.out / f"{stem}.gradcam.pm.dcm")
    assert np.array_equal(np.squeeze(back.array), np.squeeze(field.array))
    assert int(data.get("NumberOfFrames", 1)) == (12 if dims == 3 else 1)
