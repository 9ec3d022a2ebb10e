"""Another tool's masks as answers: found by file name, each read when it is asked for, in the truth's label values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from vesalius import formats
from vesalius.answers.contract import ForeignAnswers
from vesalius.answers.foreign.naming import mask_files, mirrored, only_answer
from vesalius.core.answers import Answer
from vesalius.core.answers.mask import Mask
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.errors import DataError
from vesalius.core.file_names import file_names
from vesalius.core.image import Image

MOST_COLOURS = 32  # of a palette that is one of labels


def mask_answers(path: Path, cases: Sequence[Case], target: TargetInfo) -> LazyMasks:
    """Return the masks below `path` by the case that each is named after. Raises DataError where there is none."""
    return LazyMasks(files_of_cases(path, cases), target)


def files_of_cases(path: Path, cases: Sequence[Case]) -> dict[str, Path]:
    """Return the file of a mask below `path` for each case that one is named after. Raises DataError where none is."""
    files = mask_files(path)
    places: dict[str, Path] = {}
    taken: dict[Path, str] = {}
    names = file_names(c.id for c in cases)
    for case in cases:
        ways = (names[case.id], case.id, case.id.rsplit("/", 1)[-1])
        named = next((files[n] for n in ways if n in files), None) or mirrored(case, files, path)
        if not named:
            continue
        place = only_answer(named, case.id)
        if taken.setdefault(place, case.id) != case.id:
            raise DataError(f"{place} could answer two cases", found=f"{taken[place]} and {case.id}")
        places[case.id] = place
    if not places:
        raise DataError(
            f"no mask in {path} is named as a case is",
            found=", ".join(list(files)[:4]) or "no images",
            hint=f"files such as {names[cases[0].id]}.nii.gz",
        )
    return places


class LazyMasks(ForeignAnswers):
    """Masks by case, each read when it is asked for, in the label values of the truth."""

    def __init__(self, places: Mapping[str, Path], target: TargetInfo) -> None:
        self.places, self.target = places, target
        self.strange: set[int] = set()  # the highest values of answers that hold no label's
        self.known = False  # whether some answer holds a label's value

    def __getitem__(self, case: str) -> Answer:
        image = _labelled(Ref((self.places[case],)), self.target.labels)
        if any((image.array == x.value).any() for x in self.target.labels):
            self.known = True
        elif image.array.any():
            self.strange.add(int(image.array.max()))
        return Mask(image=image, labels=self.target.labels, case_id=case)

    def assert_sound(self) -> None:
        """Raise DataError where answers were read and hold values, but none that a label has."""
        if self.strange and not self.known:
            raise DataError(
                f"no answer holds a value of the labels of '{self.target.name}'",
                found=f"{sorted(self.strange)[0]}, where {self.target.labels[0].name} is "
                f"{self.target.labels[0].value}",
                hint="answers in the values of the truth, or --labels for the truth's",
            )

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def _labelled(ref: Ref, labels: Sequence[Label]) -> Image:
    """Return a mask in the values of `labels`.

    Colours become the labels that have them in the truth; 0/255 of a single label becomes 0/1 where the truth has that.
    """
    mask = formats.read_mask(ref)
    colours = {int(x.colour[1:], 16): x.value for x in labels if x.colour is not None}
    shown = _in_colours(mask, ref, colours) if colours and len(colours) == len(labels) else None
    if shown is not None:
        return shown
    value = labels[0].value if len(labels) == 1 else 0
    if value == 0 or not ((mask.array != 0) & (mask.array != value)).any():
        return mask
    held, counts = np.unique(mask.array, return_counts=True)
    edges = formats.blurred(dict(zip(held.tolist(), counts.tolist(), strict=True)))
    if edges:
        return formats.recoded(mask, tuple((v, value if v >= 128 else 0) for v in range(1, 256)))
    if edges is not None:
        raise DataError(
            f"{ref} holds values between 0 and 255, where the truth has one label, {labels[0].name}",
            found=f"{len(held)} values",
            hint="a mask cut at a threshold",
        )
    if value in (1, 255) and set(held.tolist()) == {0, 256 - value}:
        return formats.recoded(mask, ((256 - value, value),))
    return mask


def _in_colours(mask: Image, ref: Ref, colours: Mapping[int, int]) -> Image | None:
    """Return a mask whose file speaks in some of the truth's colours, in the truth's values; None where it does not.

    Such a file's other colours are other labels than the truth's. A large palette is a program's own, none of labels.
    """
    palette = mask.display.get("palette", {})
    listed = set(palette.values()) - {0}
    if listed & set(colours) and len(listed) <= MOST_COLOURS:
        return formats.recoded(mask, tuple((v, colours.get(c, 0)) for v, c in palette.items()))
    seen = formats.read_colours(ref)
    held = set() if seen is None else set(np.unique(seen.array).tolist())
    if seen is None or not (held <= {0, *colours} or (held & set(colours) and mask.channels)):
        return None
    return formats.recoded(seen, tuple((c, colours.get(c, 0)) for c in held))
