"""Arms of a transfer table: where a fit begins: from nothing, from weights of others, from what pretraining found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vesalius.core.errors import DataError, UnknownName

NOTHING = "nothing"  # the arm that all others are held against
WEIGHTS = "mobilenetv2-imagenet"  # those that begin an arm where nobody names others


@dataclass(frozen=True)
class Arm:
    """Where a fit begins: `init` as for `--init`, after pre-training on all training pictures where `pretrained`.

    `init` is then where the pre-training begins. `settings` are planned values of its fits alone. `unlabelled` gives
    its fits the training pictures whose label is hidden, too, for a recipe that learns from them.
    """

    name: str
    words: str
    init: str = "none"
    pretrained: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)
    unlabelled: bool = False


def usual(weights: str | None = WEIGHTS) -> tuple[Arm, ...]:
    """Return the four arms; two of them where there are no weights of others."""
    arms = [Arm(NOTHING, "from nothing"), Arm("self", "self-supervised", pretrained=True)]
    if weights not in (None, "none"):
        arms.insert(1, Arm("weights", str(weights), init=str(weights)))
        arms.append(
            Arm("both", f"{weights}, then self-supervised", init=str(weights), pretrained=True),
        )
    return tuple(arms)


def chosen(arms: Sequence[str | Arm] | None, weights: str | None) -> tuple[Arm, ...]:
    """Return the arms that were asked for, by name or as they are, with the one that they are held against first.

    Raises UnknownName for an arm that is not there, DataError for two of one name.
    """
    known = {arm.name: arm for arm in usual(weights)}
    found: list[Arm] = []
    for one in known.values() if arms is None else arms:
        if isinstance(one, str) and one not in known:
            raise UnknownName("arm", one, known)
        found.append(known[one] if isinstance(one, str) else one)
    if NOTHING not in {arm.name for arm in found}:
        found.insert(0, known[NOTHING])
    found.sort(key=lambda arm: arm.name != NOTHING)
    names = [arm.name for arm in found]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise DataError(f"two arms are called '{twice}'", hint="another name for one of them")
    return tuple(found)


@dataclass(frozen=True)
class Level:
    """How many training cases keep their label: a `share` of them, or a `count`."""

    share: float | None = None
    count: int | None = None

    @property
    def name(self) -> str:
        """What it is called in names of files."""
        return f"{self.count}" if self.count is not None else f"share-{self.share:g}"

    @property
    def words(self) -> str:
        """What it is called in a table."""
        return f"{self.count} labels" if self.count is not None else f"{100 * (self.share or 0):g} %"


def levels(shares: Sequence[float] | None, counts: Sequence[int] | None) -> tuple[Level, ...]:
    """Return how many labels are kept, the most first: shares, or counts; by default all and a tenth.

    Raises DataError where both are given, or one that is out of bounds.
    """
    if shares and counts:
        raise DataError(
            "how many labels are kept is told in shares or in counts",
            found="both",
            hint="--shares, or --counts",
        )
    wrong = [s for s in shares or () if not 0 < s <= 1] or [c for c in counts or () if c < 1]
    if wrong:
        raise DataError(
            "a share of the labels lies above 0 and up to 1, a count from 1 on", found=f"{wrong[0]:g}"
        )
    if counts:
        return tuple(Level(count=c) for c in sorted(set(counts), reverse=True))
    return tuple(Level(share=s) for s in sorted(set(shares or (1.0, 0.1)), reverse=True))
