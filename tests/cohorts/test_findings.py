"""findings.csv beside a cohort: what is truly in its images, in each case and in the hash."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from vesalius import cohorts
from vesalius.core.errors import DataError
from vesalius.core.finding import Finding

HEAD = "case,finding,status,side,sentence\n"


def folder(path: Path, findings: str, *, table: bool = True) -> Path:
    rng = np.random.default_rng(0)
    path.mkdir(parents=True)
    for k in range(4):
        Pil.fromarray(rng.integers(0, 255, (8, 8)).astype(np.uint8)).save(path / f"p{k}.png")
    if table:
        report = "FINDINGS: There is a nodule on the right. No effusion."
        rows = [f'p{k}.png,{"ab"[k % 2]},"{report}"' for k in range(4)]
        (path / "cases.csv").write_text("\n".join(["image,label,report", *rows, ""]))
    (path / "findings.csv").write_text(findings)
    return path


def test_findings_lie_beside_the_table(tmp_path: Path) -> None:
    rows = "p0,nodule,present,right,0\np0.png,effusion,absent,,1\n"
    with pytest.raises(DataError, match="two of its names lead to the case 'p0'"):
        cohorts.read(folder(tmp_path / "twice", HEAD + rows))
    cohort = cohorts.read(folder(tmp_path / "a", HEAD + rows.replace("p0.png", "p0") + "p1,,,,\n"))
    nodule, effusion = Finding("nodule", side="right", sentence=0), Finding("effusion", "absent", sentence=1)
    assert [c.findings for c in cohort] == [(nodule, effusion), (), None, None]
    assert "findings.csv: 2 findings of 2 cases" in cohort.notes
    assert "2 cases have no row in findings.csv: of p2, p3 nothing is known" in cohort.notes
    assert cohort.targets.keys() == {"label"}  # it is no second table of cases


def test_findings_beside_a_folder_of_images(tmp_path: Path) -> None:
    cohort = cohorts.read(folder(tmp_path / "a", HEAD + "p2,nodule,,left,\n", table=False))
    assert cohort["p2"].findings == (Finding("nodule", side="left"),)


def test_findings_are_in_the_hash(tmp_path: Path) -> None:
    texts = (HEAD + "p0,nodule,,left,\n", HEAD + "p0,nodule,,right,\n", HEAD + "p0,nodule,,left,\n")
    hashes = [cohorts.check(cohorts.read(folder(tmp_path / f"{k}", t))).hash for k, t in enumerate(texts)]
    assert hashes[0] == hashes[2] != hashes[1]


def test_what_cannot_be_right_is_refused_or_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match="'p0' is in sentence 2; found a report of 2 sentences, counted from 0"
    ):
        cohorts.read(folder(tmp_path / "a", HEAD + "p0,nodule,,,2\n"))
    with pytest.raises(DataError, match="no name in findings.csv leads to a case; found q0"):
        cohorts.read(folder(tmp_path / "b", HEAD + "q0,nodule,,,\n"))
    cohort = cohorts.read(folder(tmp_path / "c", HEAD + "p0,nodule,,,\nq7,nodule,,,\n"))
    assert [(d.what, d.found) for d in cohort.doubts] == [("1 name in findings.csv lead to no case", "q7")]
