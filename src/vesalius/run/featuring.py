"""What makes a case's features: a bundle's net, or the radiomics of its mask."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from vesalius.answers import contract
from vesalius.cohorts.targets import contract as kinds
from vesalius.core import grids
from vesalius.core.answers import Answer
from vesalius.core.bundle import Bundle
from vesalius.core.case import Case, Ref
from vesalius.core.cohort import Cohort, Label
from vesalius.core.errors import DataError, GeometryError, UnknownName, VesaliusError
from vesalius.core.image import Image
from vesalius.core.words import listed
from vesalius.infer.features import features as features_of
from vesalius.infer.predictor import Predictor
from vesalius.prepare.case import load, load_mask, load_reference, with_reference
from vesalius.radiomics.case import Rows, rows_of
from vesalius.radiomics.measure import names_of
from vesalius.radiomics.settings import Settings
from vesalius.run.finished import Run, bundle_of
from vesalius.run.neighbours import made_of

Made = tuple[Case, Rows | VesaliusError]
Work = Callable[[], Rows]


class Maker(ABC):
    """What makes the rows of cases.

    `about` says how, `told` what of it the rows depend on. `bundle` has a part in them, `target` is read for them.
    """

    about: Mapping[str, Any]
    bundle: Bundle | None = None
    target: str | None = None

    @property
    def told(self) -> Mapping[str, Any]:
        """What the rows depend on."""
        return self.about

    def ready(self, cohort: Cohort) -> Maker:
        """Return what makes the rows of this cohort, now that every case was decoded."""
        return self

    @abstractmethod
    def work(self, case: Case) -> Work:
        """Return what remains to be done of a case, which may be done beside others. Raises VesaliusError."""

    def made(self, cases: Sequence[Case], workers: int) -> Iterator[Made]:
        """Yield each case with its rows or what is wrong with it, in order; few more than `workers` are in memory."""
        waiting: list[tuple[Case, Future[Rows | VesaliusError]]] = []
        with ThreadPoolExecutor(workers) as pool:
            try:
                for case in cases:
                    waiting.append((case, pool.submit(_done, _begun(self.work, case))))
                    if len(waiting) > workers:
                        first, future = waiting.pop(0)
                        yield first, future.result()
                for last, future in waiting:
                    yield last, future.result()
            finally:
                pool.shutdown(cancel_futures=True)


class Deep(Maker):
    """The features of a bundle's last stage, as its first member sees a case: members' are not comparable."""

    def __init__(self, bundle: Bundle, *, device: str | None, accept_mismatch: bool) -> None:
        self.bundle = bundle
        self.predictor = Predictor(bundle, device=device, accept_mismatch=accept_mismatch)
        self.about = {
            "made": "deep",
            "bundle": bundle.hash,
            "of": bundle.name,
            "made_of": made_of(bundle),
            "accept_mismatch": accept_mismatch,
        }

    def work(self, case: Case) -> Work:
        """Return nothing more to do: nets compute with all cores by themselves."""
        last = self.predictor.last
        example = self.predictor.encoded(case).example
        (vector,) = features_of(replace(last, models=last.models[:1]), [example])
        row = {f"deep_{k:04d}": float(v) for k, v in enumerate(vector.ravel())}
        return lambda: Rows((row,))


@dataclass(frozen=True, eq=False, kw_only=True)
class Lesions(Maker):
    """Radiomics of a mask: of a target of the cohort, or of what a bundle answers."""

    settings: Settings
    about: Mapping[str, Any]
    target: str | None
    labels: tuple[Label, ...]
    only: tuple[str, ...]
    image: str | None
    predictor: Predictor | None = None
    bundle: Bundle | None = None

    @classmethod
    def of(
        cls,
        cohort: Cohort,
        mask: Run | Bundle | Path | str | None,
        *,
        settings: Settings,
        only: Sequence[str],
        image: str | None,
        device: str | None,
        accept_mismatch: bool,
    ) -> Lesions:
        """Return what measures a mask of this cohort. Raises DataError where there is none, or several; UnknownName."""
        names_of(settings, flat=False)  # what is not there is said before anything is decoded
        drawn = _drawn(cohort)
        target, bundle = None, None
        if mask is None and len(drawn) != 1:
            raise DataError(
                "radiomics are of a mask, and the cohort has " + ("several" if drawn else "none"),
                found=listed(drawn) or listed(list(cohort.targets)) or "no target",
                hint="--mask TARGET, or --mask BUNDLE whose answers are masks",
            )
        if mask is None or str(mask) in drawn:
            target = drawn[0] if mask is None else str(mask)
        elif isinstance(mask, str) and not Path(mask).exists():
            raise UnknownName("target that is drawn", mask, drawn, hint=None if drawn else "--mask BUNDLE")
        else:
            bundle = bundle_of(mask)
        about = {
            "made": "radiomics",
            "settings": asdict(settings),
            "mask": target if bundle is None else f"answers of bundle {bundle.hash}",
            "image": image or "reference",
            "only": list(only),
        }
        predictor = bundle and Predictor(bundle, device=device, accept_mismatch=accept_mismatch)
        return cls(
            settings=settings,
            about=about,
            target=target,
            labels=(),
            only=tuple(only),
            image=image,
            predictor=predictor or None,
            bundle=bundle,
        )

    def ready(self, cohort: Cohort) -> Lesions:
        """Return the same with the labels that the target's masks hold. Raises UnknownName for another."""
        if self.target is None:
            return self
        labels = self._chosen(cohort.targets[self.target].labels)
        if not labels:
            raise DataError(f"no mask of '{self.target}' holds a label", found="only the background")
        return replace(self, labels=labels)

    def work(self, case: Case) -> Work:
        """Return the measuring of a case; a bundle answers first."""
        if self.predictor is None:
            return lambda: self._measured(case, None)
        case = with_reference(case)
        answer = self.predictor(case)
        return lambda: self._measured(case, answer)

    def _measured(self, case: Case, answer: Answer | None) -> Rows:
        if self.image is not None and self.image not in case.images:
            raise UnknownName("image", self.image, case.images)
        image = load_reference(case) if self.image is None else load(case.images[self.image])
        if answer is not None:
            planes = contract.of(answer).planes(answer)
            if planes is None:
                raise DataError(
                    "the bundle's answers are no masks",
                    found=type(answer).__name__,
                    hint="--mask of another bundle",
                )
            labels = [label.name for label in getattr(answer, "labels", ())]
            chosen = [
                (name, bits)
                for name, bits in zip(labels, planes, strict=True)
                if name in (self.only or labels)
            ]
            return rows_of(image, chosen, settings=self.settings)
        drawn = case.targets.get(self.target or "")
        if not isinstance(drawn, Ref | Image):
            raise DataError(f"no {self.target}")
        mask = load_mask(drawn)
        fault = grids.mask_fault(image, mask)
        if fault:
            raise GeometryError(f"the mask has {fault}", hint="a mask that is drawn on this image")
        regions = ((label.name, mask.array[0] == label.value) for label in self.labels)
        return rows_of(image, regions, settings=self.settings)

    def _chosen(self, labels: Sequence[Label]) -> tuple[Label, ...]:
        names = [label.name for label in labels]
        for name in self.only:
            if name not in names:
                raise UnknownName("label", name, names)
        return tuple(label for label in labels if not self.only or label.name in self.only)


def made_by(what: Run | Bundle | Path | str) -> Bundle:
    """Return the bundle whose features are wanted. Raises DataError, BundleError."""
    return bundle_of(what)


def _drawn(cohort: Cohort) -> list[str]:
    """Return the targets that are masks of labels, of which each case has a file or an image."""
    return [
        name
        for name, info in cohort.targets.items()
        if kinds.of(info.kind).drawn
        and any(isinstance(c.targets.get(name), Ref | Image) for c in cohort.cases)
    ]


def _begun(work: Callable[[Case], Work], case: Case) -> Work | VesaliusError:
    try:
        return work(case)
    except VesaliusError as error:
        return error


def _done(work: Work | VesaliusError) -> Rows | VesaliusError:
    try:
        return work if isinstance(work, VesaliusError) else work()
    except VesaliusError as error:
        return error
