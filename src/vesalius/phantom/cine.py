"""A beating left ventricle in ultrasound: ejection fraction and rhythm, from three sites and in three views."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vesalius.core.case import Case
from vesalius.core.errors import DataError
from vesalius.core.image import Array, Image
from vesalius.phantom.common import cines
from vesalius.phantom.common.output import put
from vesalius.phantom.common.streams import stream
from vesalius.phantom.contract import Row, SyntheticPatient
from vesalius.phantom.heart import beat, probe, ventricle

__all__ = ["CinePatient", "of_frames", "oracle", "patient", "write"]

FORMATS = ("nifti", "dicom")
OPTIONS = {"size": 112, "frames": 0, "noise": 1.0}
FRAMES = (24, 48)
BEATS = (1.7, 2.9)  # mean intervals that a cine lasts
FINEST = 11  # frames a beat, at least


@dataclass(frozen=True, eq=False)
class CinePatient:
    """One cine: `frames` `(T, Y, X)` uint8, taken at `times_s` from 0 on, `spacing_mm` a pixel.

    `volumes_ml` `(T,)` are the ventricle's true volumes. The `ejection_fraction`, in %, is the mean over the beats
    of which the end of filling and the following end of ejection both are in the cine: `full_ml` and `empty_ml` are
    the true volumes then, `full` and `empty` the frames that show the largest and the smallest volume about then, and
    `fractions` what each such beat ejects, in %.
    """

    id: str
    patient: str
    frames: Array
    times_s: tuple[float, ...]
    spacing_mm: float
    volumes_ml: Array
    ejection_fraction: float
    fractions: tuple[float, ...]
    full_ml: tuple[float, ...]
    empty_ml: tuple[float, ...]
    full: tuple[int, ...]
    empty: tuple[int, ...]
    beats: beat.Beats
    shape: ventricle.Ventricle
    view: probe.View
    site: probe.Site
    conditions: probe.Conditions
    start_s: float

    @property
    def heart_rate(self) -> float:
        """Return the beats a minute, by the mean of the intervals that begin in the cine."""
        begin, end = self.beats_seen
        return round(60 / float(np.diff(self.beats.starts_s)[begin:end].mean()), 1)

    @property
    def beats_seen(self) -> tuple[int, int]:
        """Return the first beat that begins in the cine, and the one after the last."""
        return _seen(self.beats, self.start_s, self.start_s + self.times_s[-1])

    def as_case(self) -> Case:
        """Return the cine with its ejection fraction, rhythm and heart rate, and the site as covariate and group."""
        side = self.spacing_mm
        image = Image(self.frames[:, None, None], spacing_mm=(side, side, 1.0), times_s=self.times_s)
        return Case(
            self.id,
            {"image": image},
            patient=self.patient,
            targets={
                "ejection_fraction": self.ejection_fraction,
                "rhythm": self.beats.rhythm,
                "heart_rate": self.heart_rate,
            },
            covariates={"site": self.site.name},
            group=self.site.name,
        )

    def truth(self) -> dict[str, Any]:
        """Return what is known, as plain JSON values."""
        begin, end = self.beats_seen
        return {
            "id": self.id, "ejection_fraction": self.ejection_fraction, "rhythm": self.beats.rhythm,
            "heart_rate": self.heart_rate, "view": self.view.name, "site": self.site.name,
            "fractions": list(self.fractions), "full_ml": list(self.full_ml), "empty_ml": list(self.empty_ml),
            "full_frames": list(self.full), "empty_frames": list(self.empty),
            "intervals_s": [round(float(v), 3) for v in np.diff(self.beats.starts_s)[begin:end]],
            "beats_at_s": [round(float(v) - self.start_s, 3) for v in self.beats.starts_s[begin:end]],
            "volumes_ml": [round(float(v), 2) for v in self.volumes_ml], "times_s": list(self.times_s),
            "apart_s": self.beats.delay_s, "ventricle": self.shape.truth(), "taken": self.conditions.truth(),
        }  # fmt: skip


def patient(
    index: int, seed: int = 0, *, size: int = 112, frames: int = 0, noise: float = 1.0
) -> CinePatient:
    """Return patient number `index`: a cine of `size` pixels a side, of 24 to 48 frames, or of so many as `frames`.

    It begins anywhere in a beat and lasts 1.7 to 2.9 beats. `noise` multiplies what every frame has anew. How large a
    heart is, its view, site and rhythm have nothing to do with how well it ejects.

    Raises DataError for an option that is out of its range.
    """
    _assert_possible(index, seed, size, frames, noise)
    anatomy, rhythm, taking = (stream(seed, index, k) for k in range(3))
    shape = ventricle.draw_ventricle(anatomy)
    fraction = float(rhythm.uniform(*beat.FRACTIONS))
    beats = beat.draw_beats(rhythm, full_ml=shape.full_ml)
    start, times = _times(rhythm, beats, frames)
    begin, end = _seen(beats, start, start + times[-1])
    whole = [k for k in range(begin, end) if _ejected(beats, k) <= start + times[-1]]
    beats = beat.emptying(beats, fraction, whole)
    site = probe.SITES[int(taking.integers(len(probe.SITES)))]
    view = probe.VIEWS[int(taking.integers(len(probe.VIEWS)))]
    conditions = probe.draw_conditions(taking, shape)
    drawn, volumes = _drawn(
        beats, shape, start + times, site=site, view=view, conditions=conditions, size=size, noise=noise,
        random=stream(seed, index, 3),
    )  # fmt: skip
    extremes = [beats.extremes(k) for k in whole]
    each = beat.fractions(beats, whole)
    return CinePatient(
        f"cine-{index:05d}",
        f"C{index:05d}",
        drawn,
        tuple(round(float(t), 6) for t in times),
        round(conditions.depth_mm / size, 6),
        volumes,
        round(100 * float(np.mean(each)), 2),
        tuple(round(100 * share, 2) for share in each),
        tuple(round(full, 4) for _, _, full, _ in extremes),
        tuple(round(empty, 4) for _, _, _, empty in extremes),
        tuple(_frame(-volumes, start + times, full) for full, _, _, _ in extremes),
        tuple(_frame(volumes, start + times, empty) for _, empty, _, _ in extremes),
        beats,
        shape,
        view,
        site,
        conditions,
        start,
    )


def oracle(truth: dict[str, Any]) -> float:
    """Return the ejection fraction in % by the true volumes of the beats, as it is defined: nothing can do better."""
    pairs = zip(truth["full_ml"], truth["empty_ml"], strict=True)
    return 100 * float(np.mean([1 - empty / full for full, empty in pairs]))


def of_frames(truth: dict[str, Any]) -> float:
    """Return the ejection fraction in % by the true volumes at the known frames: what perfect outlines would give.

    It errs a little, as the heart may be fullest or emptiest between two frames.
    """
    volumes = truth["volumes_ml"]
    pairs = zip(truth["full_frames"], truth["empty_frames"], strict=True)
    return 100 * float(np.mean([1 - volumes[empty] / volumes[full] for full, empty in pairs]))


def write(root: Path, patient: SyntheticPatient, format: str) -> Row:
    """Write a patient's cine and return the row of cohort.csv."""
    assert isinstance(patient, CinePatient)
    path = f"images/{patient.id}" + (".nii.gz" if format == "nifti" else ".dcm")
    spacing = (patient.spacing_mm, patient.spacing_mm)
    if format == "nifti":
        data = cines.nifti_gz(patient.frames, spacing, patient.times_s[1])
    else:
        data = cines.dicom(
            patient.frames, spacing, patient.times_s, patient=patient.patient, case=patient.id,
            words="Left ventricle (synthetic)",
        )  # fmt: skip
    put(root / path, data)
    return {
        "case": patient.id, "patient": patient.patient, "image": path,
        "ejection_fraction": patient.ejection_fraction, "rhythm": patient.beats.rhythm,
        "heart_rate": patient.heart_rate, "site": patient.site.name,
    }  # fmt: skip


def _times(random: np.random.Generator, beats: beat.Beats, frames: int) -> tuple[float, Array]:
    """Return when a cine begins among the beats, and the times of its frames after that; a beat or more is whole."""
    many = frames or int(random.integers(FRAMES[0], FRAMES[1] + 1))
    mean = float(np.diff(beats.starts_s).mean())
    lasts = float(random.uniform(BEATS[0], max(min(BEATS[1], many / FINEST), BEATS[0] + 0.01))) * mean
    start = float(beats.starts_s[2] + random.random() * (beats.starts_s[3] - beats.starts_s[2]))
    lasts = max(lasts, _ejected(beats, 3) - start + 0.02)
    step = round(lasts / (many - 1), 4)
    return round(start, 4), np.round(step * np.arange(many), 4)


def _frame(volumes: Array, times: Array, when: float) -> int:
    """Return the frame of the least of some values, of those up to two from the one nearest to a time."""
    nearest = int(np.abs(times - when).argmin())
    first = max(nearest - 2, 0)
    return first + int(volumes[first : nearest + 3].argmin())


def _ejected(beats: beat.Beats, k: int) -> float:
    """Return when beat k has ejected, also where its walls contract apart."""
    return beats.ejected(k) + beats.delay_s / 2


def _seen(beats: beat.Beats, start: float, end: float) -> tuple[int, int]:
    begin, stop = np.searchsorted(beats.starts_s, [start, end], "left")
    return int(begin), int(stop)


def _drawn(
    beats: beat.Beats,
    shape: ventricle.Ventricle,
    times: Array,
    *,
    site: probe.Site,
    view: probe.View,
    conditions: probe.Conditions,
    size: int,
    noise: float,
    random: np.random.Generator,
) -> tuple[Array, Array]:
    """Return the frames `(T, Y, X)` and the ventricle's volumes `(T,)`."""
    septum, side = beats.sides_ml(times)
    now = ventricle.axes(shape, septum, side)
    full = np.array([shape.full_ml])
    down, right = probe.places(conditions, times, size)
    seen = ventricle.tissue(shape, now, ventricle.axes(shape, full, full), down, right)
    volumes = (septum + side) / 2
    opened = np.clip(
        (beats.volume_ml(times + 0.02) - beats.volume_ml(times - 0.02)) / 0.04 / shape.full_ml, 0, 1
    )
    opened = np.where(beats.filling(times), 0.35 + 0.65 * opened, 0)
    drawn = probe.shown(
        seen, shape, now, filled=volumes / shape.full_ml, opened=opened, view=view,
        site=replace(site, noise=site.noise * noise), conditions=conditions, random=random,
    )  # fmt: skip
    return drawn, volumes


def _assert_possible(index: int, seed: int, size: int, frames: int, noise: float) -> None:
    if index < 0 or seed < 0:
        raise DataError("a phantom's index and seed are not negative", found=f"{index} and {seed}")
    if not 32 <= size <= 512 or not (frames == 0 or FRAMES[0] <= frames <= 400):
        raise DataError(
            f"a cine has 32 to 512 pixels a side, and {FRAMES[0]} to 400 frames, or 0 for a number by case",
            found=f"size {size}, frames {frames}",
            hint="size=112, frames=32",
        )
    if not 0 <= noise <= 10:
        raise DataError("option noise of phantom cine lies from 0 to 10", found=f"{noise:g}")
