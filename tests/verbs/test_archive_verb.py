"""An archive through the front door: the same answers as without workers, whatever is lost, changed or added."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import vesalius as vs
from vesalius.cli import app
from vesalius.core.disk import held
from vesalius.core.errors import DataError, Interrupted, MismatchError, OutputError, UsageError
from vesalius.run.archive import begin
from vesalius.run.archive.answering import Answerer
from vesalius.run.archive.order import STAGING, Job, Order
from vesalius.run.archive.pool import Ended, Lost

ROWS = ("answers.csv", "failed.csv")


class Here:
    """Workers that are this process: each study is answered when it is waited for; `lost` ones end their worker."""

    lost: tuple[str, ...] = ()
    pressed_at = 0
    answered = 0

    def __init__(self, order: Order, workers: int, *, case_limit_s: float | None = None) -> None:
        self.answer, self.many = Answerer(order), workers
        self.jobs: list[Job] = []
        self.alone: list[str] = []

    @property
    def room(self) -> int:
        return self.many - len(self.jobs)

    @property
    def busy(self) -> int:
        return len(self.jobs)

    def give(self, job: Job, *, fresh: bool = False) -> None:
        assert not (fresh and self.jobs), "what ended a worker is tried alone"
        self.jobs.append(job)

    def wait(self, timeout_s: float) -> list[Ended | Lost]:
        found: list[Ended | Lost] = []
        for job in self.jobs:
            type(self).answered += 1
            if type(self).answered == self.pressed_at:
                signal.raise_signal(signal.SIGINT)
            lost = job.study in self.lost
            found.append(Lost(job, "it fell", "w") if lost else Ended(job, self.answer(job), "w"))
        self.jobs = []
        return found

    def stop(self, patience_s: float) -> list[Ended | Lost]:
        return []


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Here]]:
    class Mine(Here):
        """Of one test."""

    monkeypatch.setattr(begin, "Processes", Mine)
    before = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a command's; whatever a test before left
    yield Mine
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def source(volumes: Any, tmp_path: Path) -> Path:
    """Three studies, one of them a folder, and one that is damaged."""
    images = sorted((volumes.data / "imagesTr").glob("*.nii.gz"))[:4]
    there = tmp_path / "archive"
    (there / "deep").mkdir(parents=True)
    shutil.copy(images[0], there / images[0].name)
    shutil.copy(images[1], there / images[1].name)
    shutil.copy(images[2], there / "deep" / images[2].name)
    (there / "damaged.nii.gz").write_bytes(images[3].read_bytes()[:200])
    return there


def texts(out: Path) -> dict[str, bytes]:
    return {
        p.name: p.read_bytes()
        for p in sorted(out.iterdir())
        if p.suffix in (".csv", ".gz") and p.name != "studies.csv"
    }


def test_workers_answer_as_one_process_does_and_go_on_with_what_is_new_or_changed(
    volumes: Any, source: Path, tmp_path: Path, here: type[Here]
) -> None:
    out, kept = tmp_path / "out", vs.Archive(workers=2)
    done = vs.predict(volumes.path, source, out, runtime="torch", archive=kept)
    assert done.archive is not None and done.archive["done"] == 3 and done.archive["failed"] == 1
    shutil.rmtree(source.parent / "plain", ignore_errors=True)
    alone = vs.predict(volumes.path, source, tmp_path / "alone", runtime="torch")
    names = {f"deep_{c}" if (source / "deep" / f"{c}.nii.gz").exists() else c for c in alone.answered}
    assert set(done.answered) == names and [s.case for s in done.set_aside] == ["damaged"]
    for case in alone.answered:
        mine = case if case in done.answered else f"deep_{case}"
        assert (out / f"{mine}.nii.gz").read_bytes() == (tmp_path / "alone" / f"{case}.nii.gz").read_bytes()
    assert not any((out / STAGING).iterdir())

    before, counted = texts(out), here.answered
    one = next(p for p in source.glob("*.nii.gz") if p.name != "damaged.nii.gz")
    shutil.copy(one, source / "damaged.nii.gz")
    shutil.copy(one, source / "new.nii.gz")
    stat = one.stat()
    os.utime(one, ns=(stat.st_atime_ns, stat.st_mtime_ns + 10**9))
    again = vs.predict(volumes.path, source, out, archive=kept, resume=True)
    assert here.answered - counted == 3, "what failed, what is new and what changed; nothing else"
    assert set(again.answered) == {*done.answered, "new", "damaged"} and not again.set_aside
    after = texts(out)
    assert all(after[name] == data for name, data in before.items() if name.endswith(".gz"))
    assert "failed.csv" not in after
    with pytest.raises(OutputError, match="holds a predict"):
        vs.predict(volumes.path, source, out, archive=kept)


def test_a_study_that_ends_its_workers_is_set_aside_by_name(
    volumes: Any, source: Path, tmp_path: Path, here: type[Here]
) -> None:
    here.lost = ("deep",)
    words = ["predict", str(volumes.path), str(source), "-o", str(tmp_path / "out"), "--runtime", "torch"]
    done = CliRunner().invoke(app, [*words, "--workers", "2", "--tries", "10"])
    assert done.exit_code == 1 and "it fell; set aside after 10 tries" in done.output
    studies = (tmp_path / "out" / "studies.csv").read_text()
    assert "deep,deep,set aside,10,0" in studies and studies.count(",done,") == 2


def test_ctrl_c_keeps_what_is_done_and_resume_ends_the_same(
    volumes: Any, source: Path, tmp_path: Path, here: type[Here]
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    vs.predict(volumes.path, source, whole, runtime="torch", archive=vs.Archive())
    here.pressed_at = here.answered + 2
    with pytest.raises(Interrupted, match="interrupted; .* kept") as said:
        vs.predict(volumes.path, source, out, runtime="torch", archive=vs.Archive())
    assert "--resume" in str(said.value.hint) and not (out / "answers.csv").exists()
    here.pressed_at = 0
    vs.predict(volumes.path, source, out, archive=vs.Archive(), resume=True)
    assert texts(out) == texts(whole)


def test_what_would_mix_answers_is_refused_and_leaves_nothing(
    volumes: Any,
    pictures: Any,
    source: Path,
    tmp_path: Path,
    here: type[Here],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, kept = tmp_path / "out", vs.Archive()
    monkeypatch.setattr("vesalius.run.archive.lead.ALIKE", 2)
    with pytest.raises(MismatchError, match="none of the first"):
        vs.predict(pictures.path, source, tmp_path / "other", runtime="torch", archive=kept)
    vs.predict(volumes.path, source, out, runtime="torch", archive=kept)
    with pytest.raises(OutputError, match="cannot go on with another bundle"):
        vs.predict(pictures.path, source, out, archive=kept, resume=True)
    with pytest.raises(OutputError, match="another json"):
        vs.predict(volumes.path, source, out, json=True, archive=kept, resume=True)
    elsewhere = shutil.copytree(source, tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="another archive"):
        vs.predict(volumes.path, elsewhere, out, archive=kept, resume=True)
    with held(out), pytest.raises(OutputError, match="in use by another process"):
        vs.predict(volumes.path, source, out, archive=kept, resume=True)
    for wrong in (tmp_path / "nothing", volumes.data):
        with pytest.raises(DataError):
            vs.predict(volumes.path, wrong, tmp_path / "no", runtime="torch", archive=kept)
        assert not (tmp_path / "no").exists()
    with pytest.raises(OutputError, match="holds no archive"):
        vs.predict(volumes.path, source, tmp_path / "no", archive=kept, resume=True)
    with pytest.raises(UsageError):
        vs.Archive(workers=0)
    done = CliRunner().invoke(app, ["predict", "b", "in", "-o", "out", "--tries", "4"])
    assert done.exit_code == 2 or isinstance(done.exception, UsageError)


def test_a_study_that_was_just_changed_is_left_until_it_rests(
    volumes: Any, source: Path, tmp_path: Path, here: type[Here], monkeypatch: pytest.MonkeyPatch
) -> None:
    import time as real

    from vesalius.run.archive import answering, lead

    began, slept = real.time(), [0.0]

    class Clock:
        time = staticmethod(lambda: began + slept[0])
        monotonic, perf_counter = staticmethod(real.monotonic), staticmethod(real.perf_counter)

        @staticmethod
        def sleep(seconds: float) -> None:
            slept[0] += max(0.1, seconds)

    monkeypatch.setattr(lead, "time", Clock)
    monkeypatch.setattr(answering, "time", Clock)
    done = vs.predict(
        volumes.path, source, tmp_path / "out", runtime="torch", archive=vs.Archive(settle="60s")
    )
    assert len(done.answered) == 3 and 50 < slept[0] < 70
