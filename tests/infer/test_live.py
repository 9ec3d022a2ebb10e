"""Frames handed over one by one in Python: pixels, files and mappings, with a clock of one's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pil

from _streamed import SIZE, cine, frames_of, streamed
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.errors import DataError, MismatchError, PlanError
from vesalius.core.image import Image
from vesalius.infer.predictor import Predictor


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return streamed(tmp_path_factory.mktemp("live") / "b", members=1)


def test_pixels_of_any_sort_are_answered_as_the_file(bundle: Bundle, tmp_path: Path) -> None:
    image, stream = cine(5), bundle.stream()
    pixels = image.array[:, 0, 0]
    Pil.fromarray(pixels[1]).save(tmp_path / "one.png")
    frames = [
        pixels[0],
        tmp_path / "one.png",
        Pil.fromarray(pixels[2]),
        {"image": pixels[3]},
        Image(pixels[4][None, None]),
    ]
    began, times = 1e9, (0.0, 0.5, 0.75, 2.0, 2.25)
    answers = [stream(frame, time_s=began + at) for frame, at in zip(frames, times, strict=True)]
    wanted = Predictor(bundle)(Case("c", {"image": Image(image.array, times_s=times)}))
    assert answers[-1].p == pytest.approx(wanted.p, abs=1e-5)
    assert stream.streams and stream.seen == 5 and answers[-1].case_id == "frame-4"
    stream.reset()
    again = stream(pixels[0], time_s=0)
    assert again.p == pytest.approx(answers[0].p) and stream.seen == 1


def test_frames_with_times_of_their_own_need_no_clock(bundle: Bundle) -> None:
    image, stream = cine(4), bundle.stream()
    stream(frames_of(image, 0, 2))
    with pytest.raises(DataError, match="has its own times"):
        stream(frames_of(image, 2, 3), time_s=9.0)
    answer = stream(frames_of(image, 2, 4))
    assert answer.p == pytest.approx(Predictor(bundle)(Case("c", {"image": image})).p, abs=1e-5)


def test_what_cannot_be_a_frame_is_told_why(bundle: Bundle, tmp_path: Path) -> None:
    stream, pixels = bundle.stream(), cine(2).array[:, 0, 0]
    with pytest.raises(DataError, match="needs to know when each frame was"):
        stream(pixels[0])
    stream(pixels[0], time_s=5.0)
    with pytest.raises(DataError, match="goes back in time"):
        stream(pixels[1], time_s=4.0)
    with pytest.raises((DataError, MismatchError)):
        stream(np.zeros((2, *SIZE), np.uint8), time_s=6.0)
    assert stream(pixels[1], time_s=6.0).case_id == "frame-1" and stream.seen == 2
    whole = streamed(tmp_path / "b", members=1, settings={"sources.causal": False})
    with pytest.raises(PlanError, match="must see all of a cine"):
        whole.stream()
