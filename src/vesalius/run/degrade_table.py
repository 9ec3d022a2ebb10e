"""The table of a degrade: scorecards of a grid read again, each held against that of images as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from vesalius.answers import contract
from vesalius.core.bundle import Bundle
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.scorecard import Scorecard
from vesalius.evaluate.degraded import Degraded, Step, curve_of, paired, verdict, with_limits
from vesalius.evaluate.paired import NO_PATIENTS, Difference
from vesalius.prepare import degradations
from vesalius.run.degrading import Level, card, named
from vesalius.run.grid import Filled

FIGURES = 3  # headlines that have curves where none is asked for


class Table:
    """The curves that follow from the scorecards of a grid."""

    def __init__(
        self,
        folder: Path,
        filled: Filled,
        loss: float,
        relative: bool,
        resamples: int,
        seed: int,
        metric: str | None,
        *,
        restored: bool,
    ) -> None:
        self.folder, self.filled, self.loss, self.relative = folder, filled, loss, relative
        self.resamples, self.seed, self.restored = resamples, seed, restored
        found = card(folder, filled, Level())
        if found is None:
            raise DataError(
                "the images as they are could not be scored", found=filled.failed.get(named(Level()))
            )
        self.clean: Scorecard = found
        self.metrics = self._metrics(metric)

    def _metrics(self, asked: str | None) -> list[str]:
        there = [n for n, v in self.clean.metrics.items() if v.value is not None]
        if asked is not None:
            if asked not in there:
                raise UnknownName("figure", asked, there)
            return [asked]
        first = [n for n in contract.of(self.clean.answer).headlines if n in there]
        if not (first or there):
            raise DataError(
                "none of the figures of the bundle's answers is defined on these cases",
                found=self.clean.answer,
            )
        return (first or there)[:FIGURES]

    def made(
        self, model: Bundle, restorer: Bundle | None, levels: Sequence[Level], *, notes: Sequence[str]
    ) -> Degraded:
        """Return the curves of each figure, with what must be read before them."""
        steps = {level: self._steps(level) for level in levels}
        curves = []
        for metric in self.metrics:
            for name in dict.fromkeys(level.name for level in levels):
                way = degradations.get(name)
                own = [steps[level][metric] for level in levels if level.name == name]
                curve = curve_of(name, metric, unit=way.unit, none=way.clean, clean=self.clean, steps=own)
                curves.append(with_limits(curve, self.loss, relative=self.relative))
        failed = [f"{cell}: {why}" for cell, why in self.filled.failed.items()]
        unknown = [] if self.clean.patients_known else [NO_PATIENTS]
        return Degraded(
            bundle=model.name,
            bundle_hash=model.hash,
            data_hash=self.clean.data_hash,
            answer=self.clean.answer,
            target=self.clean.target,
            split=self.clean.split,
            n_cases=self.clean.n_cases,
            n_patients=self.clean.n_patients,
            patients_known=self.clean.patients_known,
            loss=f"{100 * self.loss:g} % of the figure" if self.relative else f"{self.loss:g}",
            curves=tuple(curves),
            notes=(*notes, *failed, *unknown, *(b.text for b in self.clean.banners)),
            restorer="" if restorer is None else restorer.name,
            restorer_hash="" if restorer is None else restorer.hash,
            clean_restored=self._steps(Level()) if self.restored else {},
            resamples=self.resamples,
            seed=self.seed,
        )

    def _steps(self, level: Level) -> dict[str, Step]:
        """Return the step of each figure at one amount."""
        own = card(self.folder, self.filled, level)
        again = card(self.folder, self.filled, level, restored=True)
        change = self._paired(self.clean, own) if level.name else {}
        gain = {} if own is None else self._paired(own, again)
        answer = self.clean.answer
        return {
            name: Step(
                amount=level.amount,
                figure=None if own is None else own.metrics.get(name),
                change=change.get(name),
                verdict=verdict(answer, name, change.get(name)),
                restored=None if again is None else again.metrics.get(name),
                gain=gain.get(name),
                helps=verdict(answer, name, gain.get(name)),
                reason=self.filled.failed.get(named(level), ""),
            )
            for name in self.metrics
        }

    def _paired(self, first: Scorecard, second: Scorecard | None) -> dict[str, Difference]:
        if second is None:
            return {}
        return paired(first, second, resamples=self.resamples, seed=self.seed)
