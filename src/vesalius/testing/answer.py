"""What a kind of answer promises: its two files agree, and its answers are drawn, summed up, stored and moved alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vesalius import formats
from vesalius.answers import contract
from vesalius.answers.contract import Handling
from vesalius.answers.drawing.overlay import overlay
from vesalius.core.answers import Answer, ImageAnswer, kind_of
from vesalius.core.errors import VesaliusError
from vesalius.core.image import Image
from vesalius.prepare.between import Between
from vesalius.prepare.registering import register
from vesalius.serve.http import results
from vesalius.testing.promise import promised, require, workplace

MONAILABEL = ("segmentation", "classification", "detection", "others")
BEFORE, AFTER = (1, 2, 3), (1, 2, 1)  # voxels around an image that is a part of a larger one


@dataclass(frozen=True, eq=False)
class AnswerTrial:
    """A small answer under test, the image that it is about, and a folder to write into."""

    answer: Answer
    image: Image
    folder: Path

    @cached_property
    def handling(self) -> Handling[Any]:
        """What its file in `answers/` says of it."""
        return contract.of(self.answer)

    def __str__(self) -> str:
        return f"answer {type(self.answer).__name__}"


def check_answer(answer: Answer, image: Image | None = None, *, folder: Path | str | None = None) -> None:
    """Raise AssertionError, in a sentence, at the first promise that a kind of answer breaks.

    `answer` is an example of it, about `image`: by default its own, or a small volume. It works in `folder`, or in a
    temporary one. Raises UnknownName where the kind has no file in `answers/`.
    """
    if image is None:
        image = answer.image if isinstance(answer, ImageAnswer) else _volume()
    with workplace(folder) as place:
        for promise in ANSWER_PROMISES:
            promise(AnswerTrial(answer, image, place))


def has_its_two_files(trial: AnswerTrial) -> None:
    """Require that the dataclass and its handling are found by one name, and belong together."""
    name, kind = type(trial.answer).__name__, type(trial.answer)
    require(kind_of(name) is kind, f"{trial}: its dataclass is found in core/answers/{name.lower()}.py")
    require(trial.handling.kind is kind, f"{trial}: answers/{name.lower()}.py handles {name}")
    own = type(trial.handling).draw is not Handling.draw
    require(trial.handling.draws == own, f"{trial}: `draws` says whether `draw` draws anything")
    word = trial.handling.monailabel
    require(word in MONAILABEL, f"{trial}: `monailabel` is one of {', '.join(MONAILABEL)}, not {word!r}")
    has_image = isinstance(trial.answer, ImageAnswer) == hasattr(trial.answer, "image")
    require(has_image, f"{trial}: an answer that has an `image` is an ImageAnswer")


def can_be_written_as_files(trial: AnswerTrial) -> None:
    """Require that formats hold this kind as its DICOM objects and as its image.

    Each object is written where the answer is about a DICOM image, and asked of the format's `WRITES` where it is not.
    """
    objects = trial.handling.objects
    require(isinstance(objects, tuple), f"{trial}: `objects` is a tuple of suffixes, not {objects!r}")
    dicom = all(s.endswith(".dcm") for s in objects)
    require(dicom, f"{trial}: `objects` are suffixes that end in .dcm, not {objects}")
    image = (trial.handling.suffix(trial.answer),) if isinstance(trial.answer, ImageAnswer) else ()
    for suffix in (*objects, *image):
        with promised(f"{trial}: a format writes {suffix} of this kind"):
            formats.require_holds(suffix, type(trial.answer))
    if trial.answer.source.series_uid is not None:
        for suffix in trial.handling.objects_of(trial.answer):
            with promised(f"{trial}: it is written as {suffix}"):
                formats.write(trial.answer, trial.folder / f"object{suffix}")


def has_plain_columns_and_a_summary(trial: AnswerTrial) -> None:
    """Require that its columns and its summary are plain values, as a table and JSON hold them."""
    columns = contract.columns(trial.answer)
    odd = [k for k, v in columns.items() if not isinstance(v, str | int | float)]
    require(not odd, f"{trial}: its columns hold words and numbers, not {', '.join(odd)}")
    with promised(f"{trial}: its summary is JSON"):
        require(json.loads(json.dumps(results.summary(trial.answer))), f"{trial}: its summary says something")
        kind = results.outline(trial.answer)["kind"]
    require(kind == type(trial.answer).__name__, f"{trial}: its outline names its kind, not {kind}")


def is_drawn_on_its_image(trial: AnswerTrial) -> None:
    """Require that an overlay of the answer on its image can be made."""
    path = trial.folder / "overlay.png"
    with promised(f"{trial}: it is drawn on its image"):
        overlay(trial.image, trial.answer, path)
    require(path.stat().st_size > 0, f"{trial}: its overlay is not empty")


def comes_back_from_json(trial: AnswerTrial) -> None:
    """Require that JSON gives the answer back, the same to the bit."""
    with promised(f"{trial}: JSON gives it back"):
        path = formats.write(trial.answer, trial.folder / "one.json")
        back = formats.read_answer(path)
        again = formats.write(back, trial.folder / "two.json")
    require(type(back) is type(trial.answer), f"{trial}: JSON gives the same kind, not {type(back).__name__}")
    require(again.read_bytes() == path.read_bytes(), f"{trial}: what JSON gives back is the same to the bit")


def is_placed_in_a_whole_image(trial: AnswerTrial) -> None:
    """Require that the answer to a part of an image can be placed in the whole, and lies there where it did."""
    part, found = trial.image.shape, trial.handling.found(trial.answer)
    shape = [b + n + a for b, n, a in zip(BEFORE, part, AFTER, strict=True)]
    whole = Image(np.zeros((1, *shape), np.float32), spacing_mm=trial.image.spacing_mm)
    placed = trial.handling.placed(trial.answer, BEFORE, whole)
    require(type(placed) is type(trial.answer), f"{trial}: it is placed as the same kind of answer")
    if found is None:
        return
    require(found.shape == part, f"{trial}: it is found on its image's grid {part}, not {found.shape}")
    wanted = np.zeros(shape, bool)
    wanted[tuple(slice(b, b + n) for b, n in zip(BEFORE, part, strict=True))] = found
    there = trial.handling.found(placed)
    require(np.array_equal(there, wanted), f"{trial}: placed in a whole image, it lies where it did")  # type: ignore[arg-type]


def says_what_can_be_asked_of_it(trial: AnswerTrial) -> None:
    """Require that each word of `asks` gives what is asked and says it in words, or an error for who asks."""
    for word in trial.handling.asks:
        with promised(f"{trial}: '{word}' can be asked of it"):
            try:
                found = contract.ask(trial.answer, word)
            except VesaliusError:
                continue  # this one answer has no such thing
        require(
            found.of == word and found.words, f"{trial}: what is asked names '{word}' and says it in words"
        )
        require(found.place >= 0, f"{trial}: what is asked has a place among what the answer lists")
        if found.where is not None and isinstance(trial.answer, ImageAnswer):
            fits = np.asarray(found.where).shape == trial.answer.image.shape
            require(fits, f"{trial}: the voxels that are asked about lie on its image's grid")


def has_not_changed_beside_itself(trial: AnswerTrial) -> None:
    """Require that an answer beside itself, at two visits that are one image, has changed by nothing.

    Carried from one to the other it is of the same kind, and lies where it did.
    """
    image = trial.image
    about = Between(image, image, register(image, image), same=True)
    with promised(f"{trial}: two visits of it can be compared"):
        found = contract.changed(trial.answer, trial.answer, about)
        carried = trial.handling.carried(trial.answer, about)
    growths = () if found is None else found.growths
    odd = [g.name for g in growths if g.change != 0]
    require(not odd, f"{trial}: beside itself it has changed in {', '.join(odd)}")
    told = [g.name for g in growths if g.verdict not in ("same", "absent")]
    require(not told, f"{trial}: beside itself something is told of {', '.join(told)}")
    require(type(carried) is type(trial.answer), f"{trial}: it is carried as the same kind of answer")
    where, there = (trial.handling.found(one) for one in (trial.answer, carried))
    if where is not None and there is not None:
        require(np.array_equal(where, there), f"{trial}: carried onto its own image, it lies where it did")


def _volume() -> Image:
    return Image(np.arange(192, dtype=np.float32).reshape(1, 3, 8, 8), spacing_mm=(1.0, 1.0, 2.0))


ANSWER_PROMISES: tuple[Callable[[AnswerTrial], None], ...] = (
    has_its_two_files,
    can_be_written_as_files,
    has_plain_columns_and_a_summary,
    is_drawn_on_its_image,
    comes_back_from_json,
    is_placed_in_a_whole_image,
    says_what_can_be_asked_of_it,
    has_not_changed_beside_itself,
)
