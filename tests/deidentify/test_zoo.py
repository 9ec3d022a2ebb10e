"""Every file of the zoo: de-identified, it is readable, has the same pixels, and is no less valid than before."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom._uid_dict import UID_dictionary

from vesalius.deidentify import run
from vesalius.deidentify._read import SetAside
from vesalius.deidentify.dicom import deidentify
from vesalius.deidentify.key import Key
from vesalius.deidentify.names import kind_of
from vesalius.deidentify.options import settings

pytestmark = [pytest.mark.realdata, pytest.mark.slow]
KEY = Key(bytes(range(32)))
SET_ASIDE = {
    "a DICOMDIR, which lists the original names",
    "damaged, or not DICOM",
    "holds values that cannot be written, or has a transfer syntax that cannot be written",
}


@pytest.fixture(scope="module", params=["basic", "research"])
def pairs(
    request: pytest.FixtureRequest, shared_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[tuple[Path, Path]]]:
    out = tmp_path_factory.mktemp("zoo")
    done, refused = [], Counter[str]()
    taken: set[str] = set()
    with run.quiet(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("vesalius.core.disk.os.fsync", lambda _: None)
        for path in sorted((shared_data / "dicom_zoo").rglob("*")):
            if path.is_file() and kind_of(path) == "dicom" and path.name != "LICENSE":
                try:
                    made = deidentify(
                        path, out, key=KEY, settings=settings(request.param), taken=lambda p: str(p) in taken
                    )
                except SetAside as error:
                    refused[error.reason] += 1
                    continue
                taken.add(str(made.out))
                done.append((path, out / made.out))
    assert set(refused) <= SET_ASIDE and len(done) > 300 and sum(refused.values()) <= 14
    yield done
    shutil.rmtree(out)


def test_every_copy_is_readable_and_shows_the_same(pairs: list[tuple[Path, Path]]) -> None:
    same, compared = 0, 0
    with run.quiet():
        for source, copy in pairs:
            new = pydicom.dcmread(copy, force=True)
            assert new.file_meta.ImplementationVersionName == "VESALIUS" and len(new) > 1
            assert not [
                e for e in new.iterall() if e.tag.is_private and not e.tag.is_private_creator and e.VR == "UN"
            ]
            if copy.stat().st_size > 150_000:
                continue
            try:
                before = pydicom.dcmread(source, force=True).pixel_array
            except (AttributeError, ValueError, RuntimeError, NotImplementedError):
                continue  # what could not be decoded before need not be afterwards
            compared += 1
            same += np.array_equal(before, new.pixel_array)
    assert compared > 100 and same == compared


def test_no_copy_holds_the_patients_name_or_number(pairs: list[tuple[Path, Path]]) -> None:
    kept = []
    with run.quiet():
        for source, copy in pairs:
            old, raw = pydicom.dcmread(source, force=True, stop_before_pixels=True), copy.read_bytes()
            for keyword in (
                "PatientName",
                "PatientID",
                "AccessionNumber",
                "SOPInstanceUID",
                "StudyInstanceUID",
            ):
                value = str(old.get(keyword) or "").strip(" \0")
                if len(value) >= 6 and value not in UID_dictionary and value.encode() in raw:
                    kept.append((source.name, keyword))
    assert kept == []


def errors(path: Path) -> Counter[str]:
    """dciodvfy's errors, with UIDs left out."""
    done = subprocess.run(["dciodvfy", str(path)], capture_output=True, timeout=120, check=False)
    lines = (done.stdout + done.stderr).decode("latin-1").splitlines()
    return Counter(re.sub(r"<[\d.]+>|\d+", "", line) for line in lines if line.startswith("Error"))


@pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (Debian: dicom3tools)"
)
def test_what_was_valid_before_is_valid_after(pairs: list[tuple[Path, Path]]) -> None:
    valid, worse = 0, {}
    small = [pair for pair in pairs if pair[0].stat().st_size < 2_000_000]
    with ThreadPoolExecutor(2) as pool:
        before = list(pool.map(errors, [source for source, _ in small]))
        passed = [pair for pair, found in zip(small, before, strict=True) if not found]
        for (source, _), found in zip(passed, pool.map(errors, [copy for _, copy in passed]), strict=True):
            valid += 1
            if found:
                worse[source.name] = found
    assert worse == {} and valid >= 60
