"""An archive in real processes: killed by kill -9 and resumed, each study once; what ends every worker is set aside."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # benchmarks/ is not installed

from benchmarks import _clinic
from benchmarks._archive import POISON, Leading


def test_a_killed_leader_is_gone_on_with_and_a_study_that_ends_its_workers_is_set_aside(
    tmp_path: Path,
) -> None:
    bundle, source, out = _clinic.bundle(tmp_path), tmp_path / "archive", tmp_path / "out"
    _clinic.studies(source, 4, planes=8)
    (source / "study-3").rename(source / POISON)
    told = {"bundle": str(bundle), "source": str(source), "out": str(out), "workers": 1, "tries": 2}
    leading = Leading(tmp_path, **told)
    leading.reach(1, limit_s=500)
    leading.process.kill()
    leading.process.communicate()
    leading = Leading(tmp_path, **told, resume=True)
    leading.finish(limit_s=500)
    with (out / "answers.csv").open(encoding="utf-8", newline="") as file:
        assert [row["case"] for row in csv.DictReader(file)] == ["study-0", "study-1", "study-2"]
    with (out / "studies.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["study"]: row for row in csv.DictReader(file)}
    assert rows[POISON]["state"] == "set aside" and rows[POISON]["tries"] == "2"
    assert "SIGSEGV" in rows[POISON]["reason"] and rows["study-2"]["state"] == "done"
    assert sorted(p.name for p in out.glob("*.nii.gz")) == [f"study-{k}.nii.gz" for k in range(3)]
