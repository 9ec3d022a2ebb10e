"""A real Orthanc and dcmtk: studies in, SEG and SR back in the study, by themselves, through kills and late images."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from _patience import patience

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # benchmarks/ is not installed

from benchmarks import _clinic

pytestmark = [
    pytest.mark.slow,
    pytest.mark.programs,
    pytest.mark.skipif(_clinic.missing() is not None, reason=f"no clinic here: {_clinic.missing()}"),
]


@pytest.fixture
def folder(bundles: dict[str, Path], tmp_path: Path) -> Path:
    """A scenario's folder, in which the bundle lies that it would fit first."""
    shutil.copytree(bundles["organs"], tmp_path / "run-0" / "bundle")
    return tmp_path


def test_studies_that_are_sent_grow_or_are_pulled_end_with_one_seg_and_one_sr_in_the_study(
    folder: Path,
) -> None:
    found = _clinic.alone("everyday", folder, timeout_s=500)
    sent, grown, pulled = found["studies"]
    assert found["results"] == {
        sent: {"SEG": 1, "SR": 1},
        grown: {"SEG": 1, "SR": 1},
        pulled: {"SEG": 1, "SR": 1, "CT": 10},
    }
    labels = found["labels"]
    assert found["grown"] == [{"SEG": 1, "SR": 1}, [6 * labels], [10 * labels]]
    assert found["pulled"] == "10 instances are sent to VESALIUS"
    assert found["fetched"].startswith("12 objects of 3 series in /fetched") and found["same"] == 10
    assert found["cohort"] == [1, True] and found["listed"] == [[sent, "SEG", 1]]
    assert found["states"] == {"confirmed": 3}
    assert found["ctrl_c"] == 0 and found["log"].endswith("stopped\n") and "Traceback" not in found["log"]


def test_a_burst_with_kills_ends_with_one_seg_and_one_sr_a_study(folder: Path) -> None:
    found = _clinic.alone("burst", folder, "100", "2", "0", "1", timeout_s=500)
    assert found["kills"] == 2 and found["right"] == found["studies"] == 10, found
    assert found["echo_s"] < patience(5)


def test_an_archive_is_read_from_orthanc_and_its_results_are_stored_there_once(folder: Path) -> None:
    found = _clinic.alone("archive", folder, timeout_s=400)
    done = {"waiting": 0, "working": 0, "done": 3, "failed": 0, "set aside": 0, "cases": 3}
    assert found["archive"] == [done, done] and found["left"] == []
    each = {uid: {"CT": 8, "SEG": 1, "SR": 1} for uid in found["studies"]}
    assert found["results"] == [each, each], "answered anew, they are the same objects"
