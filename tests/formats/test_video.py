"""Videos as cines: frames and times, grey and colour, files cut short, and tables and folders of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vesalius import cohorts, formats
from vesalius.core.case import Ref
from vesalius.core.errors import FormatError, MissingExtra
from vesalius.core.image import Array

cv2 = pytest.importorskip("cv2")


def frames(n: int, *, colour: bool) -> Array:
    """Smooth moving bars `(T, Y, X, 3)` of BGR, which codecs keep well."""
    x = np.arange(48)[None, None] / 48
    t = np.arange(n)[:, None, None] / n
    grey = (127 + 100 * np.sin(2 * np.pi * (x + t)) * np.ones((1, 32, 1))).astype(np.uint8)
    if not colour:
        return np.repeat(grey[..., None], 3, axis=-1)
    return np.stack([grey, 255 - grey, grey // 2], axis=-1)


def write(path: Path, array: Array, *, rate: float, codec: str) -> Path:
    out = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), rate, (array.shape[2], array.shape[1]))
    assert out.isOpened()
    for frame in array:
        out.write(np.ascontiguousarray(frame))
    out.release()
    return path


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
@pytest.mark.parametrize("colour", [False, True])
def test_frames_times_and_channels_are_the_videos(
    tmp_path: Path, name: str, codec: str, colour: bool
) -> None:
    made = frames(12, colour=colour)
    image = formats.read(write(tmp_path / name, made, rate=12.5, codec=codec))
    assert image.array.shape == (12, 3 if colour else 1, 1, 32, 48) and image.array.dtype == np.uint8
    assert image.in_colour == colour
    assert image.times_s == pytest.approx([k / 12.5 for k in range(12)])
    wanted = np.moveaxis(made[..., ::-1], -1, 1)[:, : image.array.shape[1]]  # RGB
    assert np.abs(image.array[:, :, 0].astype(int) - wanted.astype(int)).mean() < 8, "what the codec loses"
    head = formats.header(tmp_path / name)
    assert (head.frames, head.channels, head.times_s) == (12, image.array.shape[1], image.times_s)


def test_one_pixel_in_colour_makes_a_video_one(tmp_path: Path) -> None:
    made = frames(6, colour=False)
    made[4, 8:24, 8:24, 0] = 255
    made[4, 8:24, 8:24, 2] = 0
    assert formats.read(write(tmp_path / "a.avi", made, rate=5, codec="MJPG")).array.shape[1] == 3


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "MJPG"), ("a.mp4", "mp4v")])
@pytest.mark.parametrize("share", [0.3, 0.7, 0.98])
def test_a_video_that_was_cut_short_is_refused_in_one_line(
    tmp_path: Path, name: str, codec: str, share: float
) -> None:
    path = write(tmp_path / name, frames(20, colour=True), rate=10, codec=codec)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(FormatError, match="truncated|damaged") as caught:
        formats.read(path)
    assert "\n" not in str(caught.value)


def test_one_frame_is_a_picture_and_one_beyond_the_last_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", frames(5, colour=False), rate=10, codec="MJPG")
    assert formats.read(Ref((path,), index=3)).array.shape == (1, 1, 32, 48)
    with pytest.raises(FormatError, match="no such frame; found 5 frames"):
        formats.read(Ref((path,), index=5))


def test_class_folders_of_videos_are_cases_and_a_bad_one_is_set_aside_by_name(tmp_path: Path) -> None:
    for label in ("calm", "fast"):
        (tmp_path / label).mkdir()
        for k in range(3):
            name, codec = (f"{label}{k}.avi", "MJPG") if k else (f"{label}{k}.mp4", "mp4v")
            write(tmp_path / label / name, frames(4 + k, colour=False), rate=10, codec=codec)
    (tmp_path / "calm" / "calm1.avi").write_bytes(b"RIFF\0\0\0\0AVI LIST")
    checked = cohorts.check(cohorts.read(tmp_path), max_set_aside=0.5)
    assert len(checked.cases) == 5 and [s.case for s in checked.set_aside] == ["calm1"]


def test_without_opencv_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.avi", frames(3, colour=False), rate=10, codec="MJPG")
    monkeypatch.setitem(__import__("sys").modules, "cv2", None)
    with pytest.raises(MissingExtra, match=r"vesalius\[video\]"):
        formats.read(path)
