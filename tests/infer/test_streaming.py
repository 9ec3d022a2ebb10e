"""A stream of frames: each answer is that of the file of the frames so far, at the cost of one frame."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from _streamed import CALIBRATION, LABELS, cine, frames_of, planned, streamed
from vesalius.core.answers import Answer
from vesalius.core.bundle import save_bundle
from vesalius.core.case import Case, Visit
from vesalius.core.errors import DataError, MismatchError, PlanError
from vesalius.core.image import Image
from vesalius.infer import streaming
from vesalius.infer.alarm import RECORD, fitted, gathered
from vesalius.infer.predictor import Predictor
from vesalius.infer.session import Anew
from vesalius.infer.streaming import Streaming
from vesalius.tasks import contract as tasks
from vesalius.tasks._together import Gate

EMPTY = Case("c", {}, reference=None)


def numbers(answer: Any) -> np.ndarray[Any, Any]:
    return answer.p if hasattr(answer, "p") else np.array([answer.x])


def weights(answer: Answer) -> dict[str, float]:
    return {} if answer.weighed is None else dict(answer.weighed.shares)


def told(case: Case, name: str, image: Image, at: int) -> Case:
    return replace(case, id=f"f{at}", images={**case.images, name: image})


def assert_follows(
    predictor: Predictor, image: Image, *, known: Case | None = None, name: str = "image"
) -> list[Answer]:
    """Stream a cine frame by frame and hold each answer against that of the file of the frames so far."""
    known = known or EMPTY
    session, found = predictor.open(known), []
    assert isinstance(session, Streaming)
    assert image.times_s is not None
    for k in range(len(image.times_s)):
        answer = session.step(Case(f"f{k}", {name: frames_of(image, k, k + 1)}, reference=name))
        file = told(replace(known, reference=known.reference or name), name, frames_of(image, 0, k + 1), k)
        wanted = predictor(file)
        assert numbers(answer) == pytest.approx(numbers(wanted), abs=1e-5)
        same = ("case_id", "promise", "outside", "bundle", "by", "withheld")
        assert weights(answer) == pytest.approx(weights(wanted), abs=1e-5)
        assert [getattr(answer, n) for n in same] == [getattr(wanted, n) for n in same]
        found.append(answer)
    assert session.seen == len(image.times_s)
    return found


@pytest.mark.parametrize("time", ["gru", "lstm", "tcn", "timeformer", "convlstm", None])
@pytest.mark.parametrize("mirror", [(), ("x", "y")])
def test_a_stream_is_answered_as_its_file(time: str | None, mirror: tuple[str, ...], tmp_path: Path) -> None:
    settings: dict[str, Any] = {"infer.mirror": mirror, "augment.flip_axes": mirror}
    if time == "timeformer":
        settings["nets.time.options"] = {"memory": 4}  # shorter than the cine
    predictor = Predictor(
        streamed(tmp_path / "b", time=time, settings=settings, calibration=CALIBRATION), cores=1
    )
    answers = assert_follows(predictor, cine(7))
    said = np.array([numbers(a) for a in answers])
    assert len(np.unique(said[:, 0].round(4))) == 7, "each frame changes something"
    assert all(a.promise is not None for a in answers)


def test_times_are_told_to_the_state(tmp_path: Path) -> None:
    predictor = Predictor(streamed(tmp_path / "b"), cores=1)
    slow = cine(5, times_s=(0.0, 1.0, 4.0, 4.5, 20.0))
    uneven, even = (
        assert_follows(predictor, x)[-1] for x in (slow, cine(5, times_s=(0.0, 1.0, 2.0, 3.0, 4.0)))
    )
    assert not np.allclose(numbers(uneven), numbers(even), atol=1e-4)


@pytest.mark.parametrize("fusion", ["attention", "concat", "late"])
def test_what_is_known_beside_the_frames_counts_whenever_it_is_told(fusion: str, tmp_path: Path) -> None:
    cases = [
        Case(str(k), {"image": cine(2), "chest": cine(1)}, covariates={"age": 50.0 + k}, targets={"y": k / 3.0},
             texts={"said": ("large heart", "small heart")[k % 2]})
        for k in range(12)
    ]  # fmt: skip
    settings = {
        "data.images": ("image", "chest"), "data.channels": 2,
        "data.normalise": planned("regress", None, {}).data.model_dump()["normalise"] * 2,
        "sources.apart": {"chest": (1, 12, 12)}, "sources.texts": ("said",), "sources.fusion": fusion,
        "task.options": {"covariates": "age"},
    }  # fmt: skip
    predictor = Predictor(streamed(tmp_path / "b", task="regress", settings=settings, cases=cases), cores=1)
    still = replace(cine(1, seed=9), times_s=None, array=cine(1, seed=9).array[0])
    known = Case(
        "c", {"chest": still}, reference="chest", covariates={"age": 90.0}, texts={"said": "a large heart"}
    )
    assert_follows(predictor, cine(5), known=known)
    late, image = predictor.open(EMPTY), cine(3)
    late.step(Case("f0", {"image": frames_of(image, 0, 1)}))
    late.step(Case("f1", {"image": frames_of(image, 1, 3)}))
    told_late = late.step(replace(known, id="f2"))
    wanted = predictor(replace(known, images={"image": image, "chest": still}, reference="image"))
    assert numbers(told_late) == pytest.approx(numbers(wanted), abs=1e-5)
    assert numbers(late.step()) == pytest.approx(numbers(wanted), abs=1e-5)
    assert told_late.outside == wanted.outside != late.step(Case("f3", {}, covariates={"age": 51.0})).outside


def test_frames_of_earlier_visits_come_first(tmp_path: Path) -> None:
    predictor = Predictor(streamed(tmp_path / "b", settings={"sources.visits": 3}), cores=1)
    before = tuple(
        Visit(Case(f"v{d}", {"image": cine(3, seed=d)}), days_before=float(d)) for d in (800, 400, 30)
    )
    with_before = assert_follows(predictor, cine(4), known=replace(EMPTY, earlier=before))
    without = assert_follows(predictor, cine(4))
    assert not np.allclose(numbers(with_before[-1]), numbers(without[-1]), atol=1e-4)


def test_a_frame_that_cannot_be_seen_leaves_no_trace(tmp_path: Path) -> None:
    predictor, image = Predictor(streamed(tmp_path / "b"), cores=1), cine(4)
    session = predictor.open(EMPTY)
    session.step(Case("f0", {"image": frames_of(image, 0, 2)}))
    bad = frames_of(image, 2, 3)
    odd = {
        "unlike": replace(bad, array=bad.array[..., :-1]),
        "goes back in time": replace(bad, times_s=(image.times_s or ())[:1]),
        "does not say when": replace(bad, array=bad.array[0], times_s=None),
        "has no time": replace(bad, times_s=(float("nan"),)),
        "spacing_mm": replace(bad, spacing_mm=(0.4, 0.5, 1.0)),
        "modality": replace(bad, modality="CT"),
        "finite|NaN": replace(bad, array=np.full(bad.array.shape, np.nan, np.float32)),
    }
    for words, frame in odd.items():
        with pytest.raises((DataError, MismatchError), match=words):
            session.step(Case("bad", {"image": frame}))
    answer = session.step(Case("f2", {"image": frames_of(image, 2, 4)}))
    assert numbers(answer) == pytest.approx(numbers(predictor(Case("x", {"image": image}))), abs=1e-5)
    assert session.seen == 4  # type: ignore[attr-defined]


@pytest.mark.parametrize("time", ["gru", "timeformer", "convlstm"])
def test_a_long_file_is_seen_in_parts_and_answered_as_at_once(
    time: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"infer.mirror": ("x",), "augment.flip_axes": ("x",)}
    predictor, image = Predictor(streamed(tmp_path / "b", time=time, settings=settings), cores=1), cine(23)
    case = Case("c", {"image": image})
    at_once = predictor(case)
    sizes: list[int] = []
    see = streaming.see
    monkeypatch.setattr(streaming, "PART", 5)
    monkeypatch.setattr(
        "vesalius.infer.predictor.see",
        lambda members, example, *rest: (
            sizes.append(len(example.images["image"])) or see(members, example, *rest)
        ),
    )
    in_parts = predictor(case)
    assert sizes == [5, 5, 5, 5, 3]
    assert numbers(in_parts) == pytest.approx(numbers(at_once), abs=1e-5)
    assert numbers(predictor.open(EMPTY).step(case)) == pytest.approx(numbers(at_once), abs=1e-5)
    (together,) = predictor.together([case])
    assert not isinstance(together, DataError) and numbers(together) == pytest.approx(
        numbers(at_once), abs=1e-5
    )


def test_memory_does_not_grow_with_the_frames(tmp_path: Path) -> None:
    settings = {"nets.time.options": {"memory": 4}}
    session = Predictor(streamed(tmp_path / "b", time="timeformer", settings=settings), cores=1).open(EMPTY)
    image, held = cine(24), []
    for k in range(24):
        session.step(Case(f"f{k}", {"image": frames_of(image, k, k + 1)}))
        held.append(sum(t.numel() for t in tensors(session.__dict__)))
    assert held[4] == held[-1]


def tensors(value: Any) -> list[Any]:
    """All tensors and arrays that something holds."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, np.ndarray):
        return [torch.from_numpy(value if value.base is None else value.base)]
    if isinstance(value, dict):
        return [t for v in value.values() for t in tensors(v)]
    if isinstance(value, list | tuple):
        return [t for v in value for t in tensors(v)]
    if isinstance(value, Predictor):
        return []
    return tensors(dict(vars(value))) if hasattr(value, "__dict__") else []


@pytest.mark.parametrize("mirror", [(), ("x",)])
def test_the_alarm_hears_what_it_hears_of_the_file(mirror: tuple[str, ...], tmp_path: Path) -> None:
    settings = {"infer.mirror": mirror, "augment.flip_axes": mirror}
    bundle = streamed(tmp_path / "b", settings=settings)
    plain = Predictor(bundle, cores=1)
    examples = [plain.encoded(Case("c", {"image": cine(1 + k % 5, seed=k)})).example for k in range(40)]
    heard = gathered(plain.last, examples)
    alarm = fitted("knn", heard[:20], heard[20:], member=bundle.stages[0].members[0])
    alarm = replace(alarm, threshold=float(np.median(alarm.score(heard))))
    stage = replace(bundle.stages[0], extras={RECORD: alarm.state()})
    heeding = save_bundle(bundle.path, (stage,), data_hash="d" * 64, made_by="a test")
    predictor = Predictor(heeding, cores=1)
    said = [a.outside for k in range(3) for a in assert_follows(predictor, cine(4, seed=100 + k))]
    assert {bool(text) for text in said} == {True, False}, "raised by some, not by all"
    long = Case("c", {"image": cine(80)})
    assert predictor(long).outside == predictor.open(EMPTY).step(long).outside


def test_white_for_nothing_is_inverted_by_the_range_of_all_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = Predictor(streamed(tmp_path / "b"), cores=1)
    image = replace(cine(9), display={"photometric": "MONOCHROME1"})
    at_once = numbers(predictor(Case("c", {"image": image})))
    monkeypatch.setattr(streaming, "PART", 4)
    assert numbers(predictor(Case("c", {"image": image}))) == pytest.approx(at_once, abs=1e-5)


def test_attention_counts_each_frame_after_hours_of_them() -> None:
    torch.manual_seed(0)
    gate, rows, n = Gate(4), 2, 300_000
    torch.nn.init.normal_(gate.score.weight)
    tokens, there = torch.randn(rows, n, 4) + 3, torch.rand(rows, n) < 0.9
    there[1, : n // 2] = False
    state = gate.begin(rows, tokens)
    with torch.inference_mode():
        assert not gate.step(tokens[:, :3], there[:, :3] & False, state)[0].any()
        for at in range(0, n, 7_000):
            now = slice(at, at + 7_000)
            mean, state = gate.step(tokens[:, now], there[:, now], state)
        weights = torch.exp(gate.scores(tokens).double()) * there
    wanted = (weights[..., None] * tokens.double()).sum(1) / weights.sum(1, keepdim=True)
    assert mean.numpy() == pytest.approx(wanted.numpy(), abs=1e-6)
    assert state[1][:, 0].numpy() == pytest.approx(weights.sum(1).numpy(), rel=1e-9)


def test_models_that_must_see_all_frames_take_no_single_one(tmp_path: Path) -> None:
    whole = Predictor(streamed(tmp_path / "b", settings={"sources.causal": False}), cores=1)
    session = whole.open(EMPTY)
    assert whole.over_frames == "whole" and isinstance(session, Anew)
    with pytest.raises(DataError, match="later frames change what it says of earlier ones"):
        session.step(Case("f", {"image": frames_of(cine(3), 0, 1)}))
    assert numbers(session.step(Case("f", {"image": cine(3)}))) == pytest.approx(
        numbers(whole(Case("f", {"image": cine(3)})))
    )


def test_what_stands_on_a_doubt_is_not_streamed(tmp_path: Path) -> None:
    promise = {**CALIBRATION["promise"], "on": {"doubt": ["members", None]}}  # type: ignore[dict-item]
    predictor = Predictor(streamed(tmp_path / "b", calibration={**CALIBRATION, "promise": promise}), cores=1)
    assert predictor.over_frames == "whole"
    assert Predictor(streamed(tmp_path / "c"), cores=1).over_frames == "stream"


def test_a_causal_plan_is_about_frames_and_normalises_by_none_that_are_to_come() -> None:
    task, target = tasks.get("classify"), None
    for settings, words in (
        ({"sources.frames": 0}, "none are planned"),
        ({"sources.fusion": "beside"}, "nothing says how sources come together"),
        ({"data.normalise": ({"method": "zscore"},)}, "later ones are not known"),
    ):
        with pytest.raises(PlanError, match=words):
            task.check_plan(planned("classify", "gru", settings), target)
    task.check_plan(planned("classify", "gru", {}), target)
    assert LABELS[0].name == "up"
