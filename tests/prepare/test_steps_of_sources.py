"""Which steps of a source are frames of which image: visits first, then the images of one role, then their frames."""

from __future__ import annotations

import numpy as np

from vesalius.core.case import Case, Visit
from vesalius.core.image import Image
from vesalius.core.plan import DataPlan, SourcesPlan
from vesalius.prepare.sources import frame_places, image_of, prepare_sources, steps_of_reference

SIZE = (1, 16, 16)


def still(value: float) -> Image:
    return Image(np.full((1, *SIZE), value, np.float32))


def cine(values: list[float]) -> Image:
    frames = np.stack([np.full((1, *SIZE), v, np.float32) for v in values])
    return Image(frames, times_s=tuple(0.1 * k for k in range(len(values))))


def data(*names: str) -> DataPlan:
    fixed = {"method": "fixed", "low": -1e6, "high": 1e6, "mean": 0.0, "sd": 1.0}
    return DataPlan.model_validate(
        {
            "dims": 2, "channels": len(names), "size": SIZE, "images": names, "normalise": [fixed] * len(names),
            "sampling": "whole", "spacing_mm": None,
        }
    )  # fmt: skip


def test_frames_of_the_reference_are_found_behind_those_of_earlier_visits() -> None:
    sources = SourcesPlan(frames=3, visits=2, fusion="attention")
    earlier = Case("a-0", {"image": cine([1, 2])})
    case = Case("a-1", {"image": cine([10, 11, 12, 13, 14])}, earlier=(Visit(earlier, 30.0),))
    made = prepare_sources(case, data("image"), sources, reference=case.images["image"])
    seen = made.images["image"][:, 0, 0, 0, 0].round().tolist()
    assert seen == [1, 2, 10, 12, 14]
    places = steps_of_reference(
        case, "image", data("image"), sources, reference=case.images["image"], total=len(seen)
    )
    assert {seen[step]: 10 + frame for step, frame in places.items()} == {10: 10, 12: 12, 14: 14}
    assert frame_places(5, sources).tolist() == [0, 2, 4]


def test_images_of_one_role_are_told_apart() -> None:
    sources = SourcesPlan(apart={"view": SIZE}, fusion="attention")
    images = {f"view#{k}": still(k) for k in (1, 2, 3)}
    case = Case("b", images, reference="view#2")
    made = prepare_sources(case, data("view"), sources, reference=images["view#2"])
    seen = made.images["view"][:, 0, 0, 0, 0].round().tolist()
    places = steps_of_reference(
        case, "view", data("view"), sources, reference=images["view#2"], total=len(seen)
    )
    assert [seen[step] for step in places] == [2]
    assert image_of(case, "view", data("view"), sources) == "view#2"
    other = Case("c", {"side": still(1)}, reference="side")
    assert image_of(other, "view", data("view"), sources) is None
