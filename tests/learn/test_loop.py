"""The loop: interrupted anywhere it ends where it would have; it stops when told, tired or late, and says so."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from _bench import PLAN, STATE, Bench
from torch import Tensor

from _patience import patience
from vesalius.core.errors import BundleError, Interrupted, PlanError, VesaliusError
from vesalius.learn import checkpoint
from vesalius.learn.course import Change, Course, Pace
from vesalius.learn.loop import _marks
from vesalius.learn.stepper import build, transfer
from vesalius.tasks import contract as tasks
from vesalius.tasks.classify import Classify


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(v, b[k]) for k, v in a.items())


class Stop:
    """A progress that does something when a given step is done."""

    def __init__(self, at: int, what: Callable[[], None]) -> None:
        self.at, self.what, self.done = at, what, 0

    def start(self, name: str, total: int | None = None) -> None: ...

    def finish(self, name: str) -> None: ...

    def note(self, text: str) -> None: ...

    def advance(self, name: str, done: int = 1, text: str = "") -> None:
        self.done += done
        if done and self.done == self.at:
            self.what()


class Crash(Exception):
    """As if the power went."""


def crash() -> None:
    raise Crash


@pytest.mark.parametrize("at", [1, 5, 11])
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_after_a_crash_the_same_weights_to_the_bit(bench: Bench, at: int, optimizer: str) -> None:
    settings = {"train.optimizer": optimizer, "train.checkpoint_every_s": 1e-9}
    straight = bench.train(settings, folder=bench.folder / "straight")
    with pytest.raises(Crash):
        bench.train(settings, progress=Stop(at, crash))
    saved = checkpoint.load(bench.checkpoint) if at > 1 else checkpoint.Checkpoint()
    assert saved.step == at - 1 and not saved.done, "with a checkpoint a step, one step is lost"
    resumed = bench.train(settings)
    assert same(resumed.weights, straight.weights) and resumed.step == straight.step == 12


def test_without_a_checkpoint_it_begins_anew_and_ends_the_same(bench: Bench) -> None:
    straight = bench.train(folder=bench.folder / "straight")
    with pytest.raises(Crash):
        bench.train(progress=Stop(7, crash))
    assert not (bench.checkpoint).exists(), "the interval of 60 s is not over"
    assert same(bench.train().weights, straight.weights)


def test_what_is_finished_is_not_trained_again(bench: Bench) -> None:
    first = bench.train()
    began = time.monotonic()
    again = bench.train(progress=Stop(1, crash))
    assert same(first.weights, again.weights) and time.monotonic() - began < patience(1)


def test_ctrl_c_saves_and_says_how_to_go_on(bench: Bench) -> None:
    straight = bench.train(folder=bench.folder / "straight")
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match=r"step 4 of 12; saved.*--resume") as caught:
        bench.train(progress=Stop(4, lambda: signal.raise_signal(signal.SIGINT)))
    assert caught.value.exit_code == 130
    assert signal.getsignal(signal.SIGINT) is before, "Ctrl-C is everybody's again"
    assert checkpoint.load(bench.checkpoint).step == 4
    assert same(bench.train().weights, straight.weights)


def test_in_another_thread_it_leaves_signals_alone(bench: Bench) -> None:
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(bench.train({"train.steps": 2})))
    thread.start()
    thread.join()
    assert found and found[0].step == 2


def test_past_the_deadline_it_stops_and_says_so(bench: Bench) -> None:
    done = bench.train(deadline=time.monotonic() - 1)
    assert done.ran_out and done.step == 1
    assert not bench.train(
        {"train.seed": 1}, deadline=time.monotonic() + 600, folder=bench.folder / "b"
    ).ran_out


def test_that_the_time_ran_out_is_known_after_a_resume_too(bench: Bench) -> None:
    assert bench.train(deadline=time.monotonic() - 1).ran_out
    again = bench.train()
    assert again.ran_out and again.step == 1, "it is finished, and as it was"


class Told(Pace):
    """A pace that changes what it is told to at those steps."""

    def __init__(self, changes: dict[int, Change]) -> None:
        super().__init__(deadline=None, enough=1000)
        self.told = changes

    def look(self, step: int, course: Course, validations: int) -> Change | None:
        return self.told.get(step)


CHANGES = {3: Change(3, 20), 8: Change(8, 14, 1)}
REVISIONS = [
    {"stage": "member", "member": 0, "step": 0, "steps": 12},
    {"stage": "member", "member": 0, "step": 3, "steps": 20},
    {"stage": "member", "member": 0, "step": 8, "steps": 14, "threads": 1},
]


def test_the_clock_changes_the_number_of_steps_and_it_is_kept(bench: Bench) -> None:
    done = bench.train(pace=Told(CHANGES), validate=lambda m: 0.5)
    assert (done.last_step, done.ran_out) == (14, False)
    assert done.course == (Change(0, 12), *CHANGES.values())
    rates = [h["lr"] for h in done.history]
    assert done.history[-1]["step"] == 14 and rates[-1] == min(rates), "the schedule ends with the last step"
    assert not same(done.weights, bench.train(folder=bench.folder / "unchanged").weights)


def test_a_plan_with_the_changes_gives_the_same_weights_without_a_clock(bench: Bench) -> None:
    clocked = bench.train(pace=Told(CHANGES), validate=lambda m: 0.5)
    again = bench.train(
        {"train.steps": 14, "train.revisions": REVISIONS},
        folder=bench.folder / "again",
        validate=lambda m: 0.5,
    )
    assert same(again.weights, clocked.weights) and again.history == clocked.history
    assert again.course == clocked.course and again.last_step == 14


@pytest.mark.parametrize("at", [2, 6, 11])
def test_interrupted_after_any_change_it_ends_the_same(bench: Bench, at: int) -> None:
    settings = {"train.checkpoint_every_s": 1e-9}
    straight = bench.train(
        settings, pace=Told(CHANGES), folder=bench.folder / "straight", validate=lambda m: 0.5
    )
    with pytest.raises(Crash):
        bench.train(settings, pace=Told(CHANGES), progress=Stop(at, crash), validate=lambda m: 0.5)
    resumed = bench.train(settings, pace=Told(CHANGES), validate=lambda m: 0.5)
    assert same(resumed.weights, straight.weights) and resumed.history == straight.history
    assert resumed.course == straight.course


def test_a_checkpoint_of_before_goes_on_with_the_steps_of_its_plan(bench: Bench) -> None:
    straight = bench.train(folder=bench.folder / "straight")
    with pytest.raises(Crash):
        bench.train({"train.checkpoint_every_s": 1e-9}, progress=Stop(6, crash))
    old = {k: v for k, v in vars(checkpoint.load(bench.checkpoint)).items() if k != "changes"}
    torch.save(old, bench.checkpoint)
    assert same(bench.train().weights, straight.weights)


def test_late_at_the_last_step_is_not_out_of_time(bench: Bench) -> None:
    done = bench.train({"train.steps": 1}, deadline=time.monotonic() - 1)
    assert done.step == 1 and not done.ran_out


def test_a_resumed_run_logs_the_mean_loss_of_an_uninterrupted_one(bench: Bench) -> None:
    straight = bench.train(folder=bench.folder / "straight", validate=lambda m: 0.5)
    with pytest.raises(Interrupted):
        bench.train(progress=Stop(5, lambda: signal.raise_signal(signal.SIGINT)), validate=lambda m: 0.5)
    assert bench.train(validate=lambda m: 0.5).history == straight.history


def test_a_score_that_is_not_known_never_replaces_one_that_is(bench: Bench) -> None:
    nan = float("nan")
    scores = iter([nan, 0.4, nan, 0.3])
    done = bench.train({"train.select": "best"}, validate=lambda m: next(scores))
    assert (done.score, done.step) == (0.4, 6)
    scores = iter([nan, nan, nan, nan])
    none = bench.train(
        {"train.select": "best", "train.patience": 2},
        validate=lambda m: next(scores),
        folder=bench.folder / "n",
    )
    assert none.step == 12, "where no score is known, the last weights, and no patience is lost"


def test_the_best_is_kept_or_the_last(bench: Bench) -> None:
    scores = iter([0.3, 0.9, 0.5, 0.4])
    best = bench.train({"train.select": "best"}, validate=lambda m: next(scores))
    assert (best.score, best.step) == (0.9, 6)
    scores = iter([0.3, 0.9, 0.5, 0.4])
    last = bench.train(
        {"train.select": "last"}, validate=lambda m: next(scores), folder=bench.folder / "last"
    )
    assert (last.score, last.step) == (0.4, 12)
    assert not same(best.weights, last.weights)
    assert [h["score"] for h in last.history] == [0.3, 0.9, 0.5, 0.4]


def test_patience_ends_it_early(bench: Bench) -> None:
    scores = iter([0.5, 0.4, 0.4])
    done = bench.train({"train.patience": 2}, validate=lambda m: next(scores))
    assert (done.step, done.history[-1]["step"], done.ran_out) == (3, 9.0, False)


def test_validation_sees_the_average_in_evaluation_mode_and_changes_nothing(bench: Bench) -> None:
    seen: list[dict[str, Tensor]] = []

    def validate(model: torch.nn.Module) -> float:
        assert not model.training
        seen.append({k: v.clone() for k, v in model.state_dict().items()})
        return float(len(seen))

    watched = bench.train(validate=validate)
    assert same(seen[-1], watched.weights), "what is validated is what is kept"
    assert same(bench.train(folder=bench.folder / "unwatched").weights, watched.weights)


def test_a_loss_that_is_not_finite_is_an_error(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = Classify.loss, itertools.count()

    def loss(self: Classify, model: Any, batch: Any, generator: Any) -> dict[str, Tensor]:
        terms, wrong = real(self, model, batch, generator), float("nan") if next(calls) else 1.0
        return {k: v * wrong for k, v in terms.items()}

    monkeypatch.setattr(Classify, "loss", loss)
    with pytest.raises(VesaliusError, match=r"not finite at step 3; try: --set train\.lr"):
        bench.train(validate=lambda m: 0.0)
    assert not (bench.checkpoint).exists()


def test_a_loss_that_never_was_finite_says_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Classify.loss

    def loss(self: Classify, model: Any, batch: Any, generator: Any) -> dict[str, Tensor]:
        return {k: v * float("nan") for k, v in real(self, model, batch, generator).items()}

    monkeypatch.setattr(Classify, "loss", loss)
    with pytest.raises(VesaliusError, match="not finite from the first step on"):
        bench.train(validate=lambda m: 0.0)


def test_members_differ_and_each_is_the_same_again(bench: Bench) -> None:
    runs = [bench.train(member=m, folder=bench.folder / f) for m, f in ((0, "a"), (1, "b"), (1, "c"))]
    assert not same(runs[0].weights, runs[1].weights) and same(runs[1].weights, runs[2].weights)


def test_validations_are_evenly_spread_and_the_last_step_is_one() -> None:
    assert _marks(PLAN) == {3, 6, 9, 12}
    many = PLAN.model_copy(update={"train": PLAN.train.model_copy(update={"validations": 100})})
    assert _marks(many) == set(range(1, 13))


def test_what_fits_is_taken_over_from_given_weights() -> None:
    task = tasks.get("classify")
    one, two = (build(task, PLAN, STATE, m) for m in (0, 1))
    given = {k: v.clone() for k, v in one.state_dict().items() if not k.startswith("head")}
    head = {k: v.clone() for k, v in two.state_dict().items() if k.startswith("head")}
    assert transfer(two, given | {"nothing": torch.ones(3)}) == len(given)
    after = two.state_dict()
    assert same({k: after[k] for k in given}, given) and same({k: after[k] for k in head}, head)
    with pytest.raises(PlanError, match="none of the given weights fits"):
        transfer(two, {"nothing": torch.ones(3), next(iter(given)): torch.ones(1, 2)})


def test_a_damaged_checkpoint_is_said(tmp_path: Path) -> None:
    saved = checkpoint.Checkpoint(step=3, model={"w": torch.ones(2)}, history=[{"step": 1.0}])
    checkpoint.save(saved, tmp_path / "m.pt")
    back = checkpoint.load(tmp_path / "m.pt")
    assert back.step == 3 and torch.equal(back.model["w"], torch.ones(2)) and back.history == [{"step": 1.0}]
    data = (tmp_path / "m.pt").read_bytes()
    (tmp_path / "m.pt").write_bytes(data[: len(data) // 2])
    with pytest.raises(BundleError, match="damaged checkpoint"):
        checkpoint.load(tmp_path / "m.pt")


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from vesalius.core import disk
from vesalius.learn.checkpoint import Checkpoint, save
path = Path(sys.argv[1])
save(Checkpoint(step=1, model={"w": torch.ones(1000)}), path)
real = os.fsync
def fsync(number):
    os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync
save(Checkpoint(step=2, model={"w": torch.zeros(1000)}), path)
"""


def test_killed_while_a_checkpoint_is_written_the_one_before_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "member-0.pt"
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)])
    assert done.returncode == -signal.SIGKILL
    saved = checkpoint.load(path)
    assert saved.step == 1 and torch.equal(saved.model["w"], torch.ones(1000))


def test_the_loss_is_kept_at_more_points_than_there_are_validations(bench: Bench) -> None:
    settings = {"train.checkpoint_every_s": 1e-9, "train.validations": 2}
    straight = bench.train(settings, folder=bench.folder / "straight", validate=lambda m: 0.5)
    assert [step for step, _ in straight.losses] == [float(k) for k in range(1, straight.last_step + 1)]
    assert len(straight.history) == 2
    means = [h["loss"] for h in straight.history]
    half = straight.last_step // 2
    assert means[0] == pytest.approx(sum(loss for _, loss in straight.losses[:half]) / half, rel=1e-5)
    with pytest.raises(Crash):
        bench.train(settings, progress=Stop(half + 1, crash), validate=lambda m: 0.5)
    assert bench.train(settings, validate=lambda m: 0.5).losses == straight.losses
