"""The one guard against images that a bundle never learned from: refused, or answered and marked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vesalius.core.bundle import Bundle
from vesalius.core.case import Case
from vesalius.core.errors import DataError, MismatchError
from vesalius.core.image import Image
from vesalius.core.learned import UNKNOWN, Verdict, compare
from vesalius.core.words import named_things
from vesalius.infer.alarm import UNLIKE, Alarm
from vesalius.infer.layers import Features
from vesalius.prepare.seen import look

ACCEPTED = "accepted: "
_SLANT = 0.01  # the cosine between two axes, from which an affine is sheared: half a degree


def judge(bundle: Bundle, case: Case, reference: Image) -> Verdict | None:
    """Return how a case compares with what a bundle learned from; None where the bundle does not say that."""
    return None if bundle.learned is None else compare(bundle.learned, look(case, reference))


def admit(
    bundle: Bundle, case: Case, reference: Image, *, accept_mismatch: bool = False
) -> tuple[str, ...] | None:
    """Return in what a case lies outside of what a bundle learned from, a sentence each; None where that is not known.

    Raises MismatchError where both declare a modality or a unit and they differ, unless that is accepted.
    """
    verdict = judge(bundle, case, reference)
    if verdict is None:
        return None
    if verdict.mismatch and not accept_mismatch:
        raise MismatchError(
            f"case {case.id}: the bundle '{bundle.name}' learned from another kind of image",
            found="; ".join(verdict.mismatch),
            hint="--accept-mismatch, or accept_mismatch: true in a request, to go on all the same",
        )
    return (*(f"{ACCEPTED}{text}" for text in verdict.mismatch), *verdict.outside, *_sheared(reference))


def unlike(
    bundle: Bundle, case: str, alarm: Alarm, features: Features | None, *, refuse: bool = False
) -> tuple[str, ...]:
    """Return what an answer says of a case that raises the alarm, by what the layers showed of it; else nothing.

    Raises MismatchError instead with `refuse`.
    """
    text = alarm.remark(features)
    if text and refuse:
        raise MismatchError(
            f"case {case}: unlike the cases that the bundle '{bundle.name}' learned from",
            found=text.removeprefix(UNLIKE),
            hint="where refuse_unlike is not asked for, it is answered and marked",
        )
    return (text,) if text else ()


def raised(outside: Sequence[str] | None) -> bool:
    """Return whether an answer says that its case raised the alarm."""
    return any(text.startswith(UNLIKE) for text in outside or ())


def declared(outside: Sequence[str] | None) -> tuple[str, ...]:
    """Return what an answer says of its image beside the alarm."""
    return tuple(text for text in outside or () if not text.startswith(UNLIKE))


def _sheared(image: Image) -> tuple[str, ...]:
    """Return what to say of an image whose axes are not at right angles, as its voxels are taken for boxes."""
    if image.affine is None:
        return ()
    axes = image.affine[:3, :3] / np.linalg.norm(image.affine[:3, :3], axis=0)
    slant = float(np.abs(axes.T @ axes - np.eye(3)).max())
    if slant < _SLANT:
        return ()
    angle = float(np.degrees(np.arccos(min(1.0, slant))))
    return (f"axes at {angle:.3g} degrees to one another, read as if at right angles",)


def together(of_image: tuple[str, ...] | None, of_more: Sequence[str]) -> tuple[str, ...] | None:
    """Return remarks about an image and about more; None where there is nothing to say and the image's are unknown."""
    return (*(of_image or ()), *of_more) if of_more else of_image


def require(needs: Sequence[str], case: Case) -> None:
    """Raise DataError where a case lacks one of the covariates that a bundle needs."""
    lacking = [name for name in needs if case.covariates.get(name) is None]
    if lacking:
        raise DataError(
            f"case {case.id}: the bundle needs {named_things('covariate', lacking)}",
            found=", ".join(k for k, v in case.covariates.items() if v is not None) or "no covariates",
            hint=f"a table's column '{lacking[0]}' that is named as a covariate, or `covariates` in a request",
        )


def in_words(outside: Sequence[str] | None) -> str:
    """Return an answer's remarks as one text: empty where all is as it was learned, `unknown` where nobody knows."""
    return UNKNOWN if outside is None else "; ".join(outside)
