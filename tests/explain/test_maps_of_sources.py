"""Maps of one frame of one source: every method is right or says why not, whatever sees the frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vesalius import nets
from vesalius.core.ask import Ask
from vesalius.core.image import Array
from vesalius.core.registry import names
from vesalius.explain import methods
from vesalius.explain.contract import Method, Setting
from vesalius.explain.question import Question, Seen
from vesalius.explain.stand_in import stand_in
from vesalius.infer.runs.contract import Members
from vesalius.prepare.batch import Example
from vesalius.tasks import _together
from vesalius.tasks._classifier import Classifier
from vesalius.tasks._together import SHARED, Source, Together
from vesalius.tasks.classify import TASK

FRAMES, SIDE = 5, 64
EYES = {
    "resnet": {"name": "resnet-10", "scale": 0.125},
    "vit": {"name": "vit-tiny", "scale": 0.2},
    "cine": {"name": "r2plus1d", "scale": 0.125},
}


def eye(about: dict[str, Any]) -> Any:
    return nets.build(
        about["name"],
        dims=2,
        in_channels=1,
        scale=about["scale"],
        size=(SIDE, SIDE),
        options=about.get("options"),
    )


def model(kind: str, *, over: str | None = None, several: bool = False) -> nn.Module:
    torch.manual_seed(0)
    one = eye(EYES[kind])
    sources = [Source("cine", "image", timed=True)] + ([Source("xray", "image")] if several else [])
    nets_over, reads = {}, {}
    if over is not None:
        columns = int(one.channels[-1])
        nets_over = {"cine": nets.build(over, dims=2, in_channels=columns)}
        reads = {"cine": "maps" if over == "convlstm" else "vectors"}
    joined = Together(
        sources,
        eyes={SHARED: one} if several else {"cine": one},
        over=nets_over,
        reads=reads,
        fusion="attention",
        dropout=0.0,
        dims=2,
    )
    return Classifier(joined, 3, nn.CrossEntropyLoss()).eval()


def example(*, several: bool = False, frames: int = FRAMES) -> Example:
    random = np.random.default_rng(1)
    images: dict[str, Array] = {"cine": random.normal(size=(frames, 1, 1, SIDE, SIDE)).astype(np.float32)}
    if several:
        images = {"xray": random.normal(size=(1, 1, SIDE, SIDE)).astype(np.float32), **images}
    return Example("c", images, times_s={"cine": np.arange(frames, dtype=np.float32)})


def question(made: nn.Module, about: Example, seen: Seen) -> Question:
    plan: Any = None
    return Question(
        Members(TASK, [made], plan, torch.device("cpu")), about, Ask("label", place=1, words="b"), seen=seen
    )


@pytest.mark.parametrize("kind", list(EYES))
def test_every_method_has_a_map_of_one_frame_or_says_why_not(kind: str) -> None:
    asked = question(model(kind), example(), Seen("cine", 2))
    refused = {}
    for name in names(methods.KIND):
        method = methods.get(name)
        if not isinstance(method, Method):
            continue
        why = method.refuses(asked)
        if why is not None:
            refused[name] = why
            continue
        setting = Setting(stand_in(asked), 12, 0, 8)
        field = method.attribute(asked, setting).field
        assert field.shape == (1, SIDE, SIDE) and np.isfinite(field).all(), name
        assert np.ptp(field) > 0 or not method.signed, name
    assert set(refused) <= {"gradcam", "gradcam-plus", "rollout"}
    assert ("rollout" in refused) == (kind != "vit")
    assert all(len(why) > 20 for why in refused.values())


@pytest.mark.parametrize("over", ["gru", "convlstm"])
def test_nets_over_time_are_looked_through(over: str) -> None:
    asked = question(model("resnet", over=over), example(), Seen("cine", 3))
    for name in ("integrated-gradients", "occlusion"):
        field = methods.get(name).attribute(asked, Setting(stand_in(asked), 12, 0, 8)).field
        assert np.isfinite(field).all() and np.ptp(field) > 0


def test_only_the_frame_that_is_asked_about_is_changed() -> None:
    about = example()
    asked = question(model("resnet"), about, Seen("cine", 2))
    other = about.images["cine"].copy()
    other[2] = 0
    alone = asked.each([(asked.image, None), (torch.zeros_like(asked.image), None)])
    changed = question(model("resnet"), Example("c", {"cine": other}, times_s=about.times_s), Seen("cine", 2))
    assert alone[1] == pytest.approx(changed.itself(), abs=1e-5) and abs(alone[0] - alone[1]) > 1e-6
    assert asked.about(np.zeros((1, 1, SIDE, SIDE), np.float32)).itself() == pytest.approx(
        changed.itself(), abs=1e-5
    )


@pytest.mark.parametrize("at_once", [64, 2])
def test_grad_cam_of_a_frame_is_that_of_the_frame_alone(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Attention begins as the plain mean: of T frames each has one T-th of the slope that it has alone."""
    monkeypatch.setattr(_together, "AT_ONCE", at_once)
    made, about = model("resnet"), example()
    for step in range(FRAMES):
        among = question(made, about, Seen("cine", step))
        one = Example(
            "c", {"cine": about.images["cine"][step : step + 1]}, times_s={"cine": np.zeros(1, np.float32)}
        )
        alone = question(made, one, Seen("cine", 0))
        fields = [
            methods.get("gradcam").attribute(q, Setting(stand_in(q), 1, 0, 8)).field
            if not refuses(q)
            else None
            for q in (among, alone)
        ]
        assert fields[0] is not None and fields[1] is not None
        assert np.allclose(fields[0], fields[1] / FRAMES, atol=1e-6), step


def refuses(asked: Question) -> bool:
    return methods.get("gradcam").refuses(asked) is not None


def test_a_shared_eye_is_asked_about_the_right_source() -> None:
    made, about = model("resnet", several=True), example(several=True)
    own = question(made, about, Seen("xray"))
    assert own.image.shape == (1, 1, SIDE, SIDE) and own.row(made) == FRAMES
    field = methods.get("gradcam").attribute(own, Setting(stand_in(own), 1, 0, 8)).field
    bare = question(made, Example("c", {"xray": about.images["xray"]}), Seen("xray"))
    alone = methods.get("gradcam").attribute(bare, Setting(stand_in(bare), 1, 0, 8)).field
    assert np.allclose(field, alone / 2, atol=1e-6)  # one of two sources that count alike
