"""Chest films with dictated reports: eight findings that can be seen, and an earlier film where they were otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from vesalius.core.image import Image
from vesalius.phantom.common import tables
from vesalius.phantom.common.streams import stream
from vesalius.phantom.reports.asked import Asked
from vesalius.phantom.reports.moment import Moment
from vesalius.phantom.reports.patient import DictatedPatient, Exam
from vesalius.phantom.thorax import further
from vesalius.phantom.thorax.body import Person, draw_person, draw_shape
from vesalius.phantom.thorax.course import (
    GROWN,
    OFTEN,
    draw_courses,
    draw_finding,
    draw_names,
    sized,
    with_heart,
)
from vesalius.phantom.thorax.film import draw_film, shown
from vesalius.phantom.thorax.findings import Finding
from vesalius.phantom.thorax.scene import draw_scene
from vesalius.phantom.thorax.told import INDICATIONS, STRUCTURES, content_of, marks_of, structures_of

_PERSON, _NAMES, _SHAPE, _COURSES, _EARLIER, _DAYS = 0, 1, 3, 12, 14, 15  # purposes of random streams
_SCENE, _FINDING = 20, 50  # the first of several
_OF_EXAM = {"now": (10, 11, 13), "before": (16, 17, 18)}  # film, noise and words


@dataclass(frozen=True)
class Look:
    """How a film is drawn: pixels a side, how opaque findings are, and how noisy it is."""

    size: int
    contrast: float
    noise: float


@dataclass(frozen=True)
class _Inside:
    """A patient without a film: who it is, and every finding as large as it is now, whether there now or before."""

    index: int
    seed: int
    person: Person
    findings: Mapping[str, tuple[Finding, ...]]

    def draw(self, purpose: int) -> np.random.Generator:
        """Return the generator of a purpose."""
        return stream(self.seed, self.index, purpose)


def dictated(
    index: int, seed: int, asked: Asked, look: Look, *, healthy: float, without: str = ""
) -> DictatedPatient:
    """Return patient number `index` with a film and its report, and an earlier film where one is asked for."""
    own = asked.seed(index, seed)
    person = draw_person(stream(own, index, _PERSON))
    shape = draw_shape(stream(own, index, _SHAPE), person)
    kinds = {
        name: draw_finding(name, stream(own, index, _FINDING + k), shape) for k, name in enumerate(OFTEN)
    }
    inside = _Inside(index, own, person, kinds)
    names = [n for n in draw_names(inside.draw(_NAMES), healthy=healthy) if n != without]
    name = f"chest-{index:04d}" + (f"-without-{without}" if without else "")
    now = dict.fromkeys(names, 1.0)
    if not asked.has_earlier(index, seed, _EARLIER):
        moments = [Moment("now", name, 0, now, {}, earlier=False)]
    else:
        courses = draw_courses(inside.draw(_COURSES), names)
        courses = {n: c for n, c in courses.items() if n != without}
        before = {n: GROWN.get(c, 1.0) for n, c in courses.items() if c != "new"}
        days = int(inside.draw(_DAYS).integers(7, 400))
        moments = [
            Moment("before", f"{name}-1", 0, before, {}, earlier=False),
            Moment("now", name, days, now, courses, earlier=True),
        ]
    return DictatedPatient(
        patient=f"C{index:04d}",
        exams=tuple(_exam(inside, moment, asked, look) for moment in moments),
        structure_labels=STRUCTURES,
        split=asked.split(index),
        visits=asked.earlier > 0,
    )


def _exam(inside: _Inside, moment: Moment, asked: Asked, look: Look) -> Exam:
    """Return one film with its report."""
    film_of, noise_of, words_of = _OF_EXAM[moment.which]
    there = [sized(f, moment.sizes[n]) for n in OFTEN if n in moment.sizes for f in inside.findings[n]]
    person = with_heart(inside.person, there)
    shape = draw_shape(inside.draw(_SHAPE), person)
    scene = draw_scene(
        person,
        shape,
        there,
        lambda k: inside.draw(_SCENE + k),
        size=look.size,
        contrast=look.contrast,
        more=further.LAID,
    )
    film = draw_film(inside.draw(film_of), front=person.view == "AP")
    words = inside.draw(words_of)
    gone = tuple(inside.findings[n][0] for n, course in moment.courses.items() if course == "gone")
    reason = INDICATIONS[int(words.integers(len(INDICATIONS)))]
    content, where = content_of(scene, person, moment.courses, gone, earlier=moment.earlier, reason=reason)
    around = (slice(0, None), slice(0, None))
    return Exam(
        id=moment.id,
        days=moment.days,
        image=Image(shown(scene.water, film, inside.draw(noise_of), noise=look.noise)[None, None]),
        structures=structures_of(shape, scene, look.size)[None],
        places=tuple(
            (k, tables.box_around(mark, f.label, around))
            for k, f, mark in zip(where, scene.findings, scene.marked, strict=True)
        ),
        marks=marks_of(scene)[None],
        content=content,
        written=asked.report(content, words, index=inside.index),
        covariates={"age": person.age, "sex": person.sex, "view": person.view},
        facts={"film": film.truth(), "seen_ratio": round(person.seen_ratio, 4)},
    )
