"""Sources: what a task of whole cases sees of a case where that is more than one image, and what is learned of it.

The net that sees it all is in `_together.py`; how images are prepared in `prepare/sources.py`. A state holds under
`sources` what is learned of time courses and texts, and is silent of it where one image is all that is seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from vesalius import nets as registered
from vesalius.core.bundle import State
from vesalius.core.case import Case
from vesalius.core.cohort import TargetInfo
from vesalius.core.course import Course
from vesalius.core.errors import DataError, PlanError
from vesalius.core.image import Array, Image
from vesalius.core.moments import Moments
from vesalius.core.plan import Plan
from vesalius.core.statistics import Statistics
from vesalius.core.tally import Tally
from vesalius.core.words import listed
from vesalius.plan import tables
from vesalius.prepare import covariates, harmonise
from vesalius.prepare.batch import Batch, Example, Memory
from vesalius.prepare.case import BLANK, Prepared, Takes, prepare
from vesalius.prepare.courses import course_of, load_course
from vesalius.prepare.sources import image_sources, lacking, plan_of, prepare_sources
from vesalius.tasks import _texts
from vesalius.tasks._beside import Beside, encoded, planned
from vesalius.tasks.contract import Nets, planned_net

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

SOURCES = "sources"  # in a state
COVARIATES = "covariates"
TIME = "time"  # the further net over time
FAR = 6.0  # standard deviations of all values, beyond which the middle of a case's is said to be strange
BARE = "bare"  # in a state: whether there are no images
FURTHER: Mapping[str, tuple[str, ...]] = {TIME: ("sequence",)}


class Sources(Beside):
    """A task of whole cases: one image, or all that a case brings, joined in one vector."""

    may_nets: ClassVar[Mapping[str, tuple[str, ...]]] = FURTHER
    takes_incomplete: ClassVar[bool] = True
    sees_vectors: ClassVar[bool] = True

    def sees_time(self, plan: Plan) -> bool:
        """Return whether frames of images are planned."""
        return plan.sources.frames > 0

    def streams(self, plan: Plan) -> bool:
        """Return whether an answer about a frame stands on it and those before it alone."""
        return plan.sources.joined and plan.sources.causal and plan.sources.frames > 0

    def begin(self, model: nn.Module, rows: int) -> Memory:
        """Return an empty memory."""
        return Memory()

    def step(
        self, model: nn.Module, batch: Batch, memory: Memory, generator: torch.Generator
    ) -> tuple[Tensor, Memory]:
        """Return the raw output after further frames, and what the net of the sources then keeps."""
        after = Memory(dict(memory.held))
        raw = self.infer(model, replace(batch, memory=after), generator)
        return raw, after

    def prepare(self, case: Case, plan: Plan, state: State, *, reference: Image) -> Prepared:
        """Return the images of a case by source where several come together, else its one image."""
        if not plan.sources.joined:
            takes = Takes(time=self.takes_time, sizes=self.sizes(plan))  # no channel may be missing
            return prepare(case, plan.data, reference=reference, takes=takes)
        if state.values.get(BARE):
            return prepare(replace(case, images={}, reference=None), plan.data, reference=BLANK)
        try:
            return prepare_sources(case, plan.data, plan.sources, reference=reference)
        except DataError as error:
            if error.what.startswith(f"case {case.id}"):
                raise
            raise type(error)(f"case {case.id}: {error.what}", found=error.found, hint=error.hint) from error

    def sources(self, state: State) -> tuple[str, ...]:
        """Return the names of the sources that come together; none where one image is all that is seen."""
        return names_of(state) if SOURCES in state.values else ()

    def step_names(self, example: Example, source: str, state: State) -> tuple[str, ...]:
        """Return the pieces of a text that a net reads."""
        about = _texts.known_texts(state).get(source, {})
        if not _texts.is_read(about) or source not in example.courses:
            return ()
        return _texts.pieces_of(_texts.whole(example.courses[source]).tolist(), about)

    def without(self, model: nn.Module, batch: Batch, out: Mapping[str, Tensor]) -> Batch:
        """Return a batch that lacks whole sources, or some of their steps, as in training with missing ones."""
        from vesalius.tasks._together import without, without_steps

        net: Any = model.net
        steps = {name: bits for name, bits in out.items() if bits.ndim > 1}
        whole = {name: bits for name, bits in out.items() if bits.ndim == 1}
        return without(without_steps(batch, steps, net) if steps else batch, whole, net.sources)

    def outside(self, case: Case, state: State) -> tuple[str, ...]:
        """Return what of a case lies outside of what was learned: covariates and time courses, or nothing is known."""
        found = (
            *super().outside(case, state),
            *_strange_courses(case, state),
            *_texts.outside(case, _texts.known_texts(state)),
        )
        bare = not (case.images or case.courses or case.texts or case.report)
        if SOURCES in state.values and state.values.get(COVARIATES) and bare and _unsaid(case, state):
            return (*found, "nothing that the model knows is given: the answer is that of any case")
        return found

    def geometry(self, case: Case, state: State) -> Image | None:
        """Return an image of one point for a case without images, where what else it brings is enough."""
        return BLANK if SOURCES in state.values or state.values.get(BARE) else None


def of_cases(cases: Sequence[Case], plan: Plan) -> dict[str, Statistics | Tally]:
    """Return the statistics of the planned covariates, and of time courses and texts where such are planned."""
    found: dict[str, Statistics | Tally] = {COVARIATES: covariates.summary(cases, *planned(plan))}
    if plan.sources.joined:
        chosen = plan.sources
        found["courses"] = Statistics({name: _columns(cases, name) for name in chosen.courses})
        found["texts"] = Statistics({name: _texts.overview(cases, plan, name) for name in chosen.texts})
    return found


def learned_sources(summary: Statistics, plan: Plan) -> dict[str, Any]:
    """Return what a state holds of time courses and texts; nothing where one image is all that is seen."""
    if not plan.sources.joined:
        return {}
    courses = {
        name: _course(summary.part("courses", Statistics).part(name, Statistics), name)
        for name in plan.sources.courses
    }
    said = summary.part("texts", Statistics)
    texts = {name: _texts.learned(said, plan, name) for name in plan.sources.texts}
    images = image_sources(plan.data, plan.sources) if _seen_images(plan) else ()
    bare = {BARE: True} if not images else {}
    vectors = {"vectors": dict(plan.sources.vectors)} if plan.sources.vectors else {}
    return {SOURCES: {"images": list(images), "courses": courses, "texts": texts, **vectors}, **bare}


def may_lack(about: dict[str, dict[str, Any]], plan: Plan) -> dict[str, dict[str, Any]]:
    """Return what is learned of covariates so that a case may lack any of them, where sources come together."""
    if not plan.sources.joined:
        return about
    return {name: {**one, "missing": max(1, one["missing"])} for name, one in about.items()}


def seen(case: Case, prepared: Prepared, state: State) -> Example:
    """Return all of a case that is seen, as numbers, without its targets. Raises DataError where nothing is there."""
    known = state.values.get(SOURCES)
    beside = encoded(case, state) if COVARIATES in state.values else None
    if known is None:
        images = {} if state.values.get(BARE) else {"image": prepared.array}
        return Example(case.id, images, covariates=beside)
    courses: dict[str, Array] = {}
    times, parents = dict(prepared.times_s), {}
    for name, about in known["courses"].items():
        course = course_of(case, name, about["names"], len(about["columns"]))
        if course is not None:
            courses[name] = _numbers(course, about, name, case.id)
            times[name] = course.times_s.astype(np.float64)
            if course.parents:
                parents[name] = np.asarray(course.parents, np.int64)
    vectors: dict[str, Array] = {}
    for name, about in known["texts"].items():
        text = case.text(name)
        if text is not None and _texts.is_read(about):
            courses[name], times[name] = _texts.numbers(text, about)
        elif text is not None:
            vectors[name] = _texts.vector(text, about)
    more = bool(prepared.images or courses or vectors)
    if more and beside is not None and _unsaid(case, state):
        beside = None
    if not more and beside is None:
        raise lacking(case, names_of(state))
    return Example(
        case.id,
        dict(prepared.images),
        covariates=beside,
        courses=courses,
        parents=parents,
        vectors=vectors,
        times_s=times,
    )


def _strange_courses(case: Case, state: State) -> tuple[str, ...]:
    """Return which columns of a case's time courses lie far from those of training cases, as in another unit."""
    said = []
    for name, about in state.values.get(SOURCES, {}).get("courses", {}).items():
        course = course_of(case, name, about["names"], len(about["columns"]))
        if course is None:
            continue
        for k, column in enumerate(about["columns"]):
            mean, sd, values = about["mean"][k], about["sd"][k], course.values[:, k]
            middle = float(np.nanmedian(values)) if np.isfinite(values).any() else mean
            if abs(middle - mean) > FAR * sd:
                seen = f"is about {middle:.4g}, learned from {mean:.4g} ± {sd:.2g}: in another unit?"
                said.append(f"'{column}' of the time course '{name}' {seen}")
    return tuple(said)


def _unsaid(case: Case, state: State) -> bool:
    """Return whether nothing is known of a case of all that is learned beside its images."""
    return all(case.covariates.get(n) is None for n in state.values.get(COVARIATES, ()))


def names_of(state: State) -> tuple[str, ...]:
    """Return the names of the sources that a model sees, in its order; one where an image is all."""
    known = state.values.get(SOURCES)
    if known is None:
        return ("image",)
    covered = (COVARIATES,) if state.values.get(COVARIATES) else ()
    return (*known["images"], *known["courses"], *known["texts"], *known.get("vectors", {}), *covered)


def input_of(batch: Batch, model: nn.Module) -> Any:
    """Return what a model's net is given of a batch: its image, or all of it where several sources come together."""
    from vesalius.tasks._together import Together

    return batch if isinstance(getattr(model, "net", None), Together) else batch.images.get("image")


def net_of(plan: Plan, state: State, nets: Nets) -> tuple[Any, int]:
    """Return the planned net, and how many covariates stand beside what it says: those that it does not see itself."""
    width = covariates.width(state.values.get(COVARIATES, {}))
    if not plan.sources.joined:
        return planned_net(plan, nets), width
    return _together(plan, state, nets, width), 0


def check_sources(plan: Plan, target: TargetInfo | None) -> None:
    """Raise PlanError for sources that cannot come together as planned."""
    chosen = plan.sources
    asked = {
        "sources.apart": bool(chosen.apart),
        "sources.frames": chosen.frames > 0,
        "sources.causal": chosen.causal,
        "sources.visits": chosen.visits > 1,
        "sources.courses": bool(chosen.courses),
        "sources.texts": bool(chosen.texts),
        "sources.vectors": bool(chosen.vectors),
    }
    _check_eyes(plan)
    wanted = [path for path, so in asked.items() if so]
    if not chosen.joined:
        if wanted:
            raise PlanError(
                f"{listed(wanted)} and nothing says how sources come together",
                found="sources.fusion=beside, which sees one image",
                hint="--set sources.fusion=attention",
            )
        return
    if chosen.causal and not chosen.frames:
        raise PlanError(
            "sources.causal is about frames, and none are planned",
            found="sources.frames=0",
            hint="--set sources.frames=16, or images with a time axis",
        )
    for name in chosen.apart:
        if name not in plan.data.images:
            raise PlanError(
                f"sources.apart names an image '{name}' that is not planned",
                found=f"data.images: {listed(list(plan.data.images))}",
                hint="images by their names in the data",
            )
    names = [*_seen_images(plan), *chosen.courses, *chosen.texts, *chosen.vectors]
    twice = sorted({n for n in names if names.count(n) > 1} | ({COVARIATES} & set(names)))
    if twice:
        raise PlanError(f"two sources are called {listed(twice)}", hint="other names in the data")
    if plan.augment.mixup:
        raise PlanError(
            "cases of several sources cannot be mixed with one another",
            found=f"augment.mixup={plan.augment.mixup:g}",
            hint="--set augment.mixup=0",
        )
    alone = [n.method for n in plan.data.normalise if harmonise.looks_at_image(n.method)]
    steps = plan.data.harmonise.steps if plan.data.harmonise else ()
    if chosen.causal and (early := [s.method for s in steps if harmonise.looks_at_image(s.method)]):
        raise PlanError(
            "a causal model cannot harmonise by all frames of an image, of which later ones are not known yet",
            found=f"data.harmonise: {listed(early)}",
            hint="--set data.harmonise=null",
        )
    if chosen.causal and alone:
        raise PlanError(
            "a causal model cannot normalise by all frames of an image, of which later ones are not known yet",
            found=f"data.normalise: {alone[0]}",
            hint="""--set 'data.normalise=[{"method":"fixed","low":0,"high":255,"mean":M,"sd":S}]'""",
        )
    _check_time(plan)


def _seen_images(plan: Plan) -> tuple[str, ...]:
    """Return the images that a plan looks at; none where no case has any, whatever the plan calls them."""
    return () if plan.fingerprint.get(tables.IMAGELESS) else plan.data.images


def _check_eyes(plan: Plan) -> None:
    """Raise PlanError where what is to see images reads steps in time, or frames that are not planned."""
    for path, about in {
        "net": plan.net,
        **{f"nets.{n}": plan.nets[n] for n in _seen_images(plan) if n in plan.nets},
    }.items():
        role = registered.describe(about.name).get("ROLE")
        if role == "sequence" and _seen_images(plan):
            raise PlanError(
                f"net '{about.name}' reads what is seen of each step, and sees no image itself",
                found=f"{path}.name={about.name}",
                hint=f"--set nets.time.name={about.name}"
                if plan.sources.timed
                else "--set net.name=resnet-10",
            )
        if role == "cine" and not plan.sources.frames:
            raise PlanError(
                f"net '{about.name}' sees frames",
                found="sources.frames=0",
                hint="--set sources.frames=16, where images have a time axis",
            )


def _check_time(plan: Plan) -> None:
    name = plan.nets[TIME].name if TIME in plan.nets else None
    cine = registered.describe(plan.net.name).get("ROLE") == "cine"
    if cine and (plan.sources.causal or name is not None):
        raise PlanError(
            f"net '{plan.net.name}' sees all frames at once",
            found="sources.causal" if plan.sources.causal else f"nets.time.name={name}",
            hint="--set net.name=resnet-10, or a plan without these",
        )
    if name is not None and plan.sources.causal and registered.looks_ahead(name, plan.nets[TIME].options):
        raise PlanError(
            f"a causal model cannot have '{name}' over time, which looks ahead",
            hint="--set nets.time.name=gru",
        )


def _together(plan: Plan, state: State, nets: Nets, width: int) -> Any:
    """Return the net of all planned sources."""
    from vesalius.tasks._together import SHARED, Source, Together

    chosen, known = plan.sources, state.values[SOURCES]
    sources = [Source(n, "image", timed=chosen.timed) for n in known["images"]]
    for name, about in known["courses"].items():
        wide = len(about["columns"]) * (2 if about["missing"] else 1)
        sources.append(Source(name, "course", width=wide, timed=True))
    for name, about in known["texts"].items():
        sources.append(
            Source(name, "words" if _texts.is_read(about) else "vector", width=_texts.width(about))
        )
    sources += [Source(n, "vector", width=many) for n, many in known.get("vectors", {}).items()]
    if width:
        sources.append(Source(COVARIATES, COVARIATES, width=width))
    if not sources:
        raise PlanError("nothing is planned that a model could see", hint='--set sources.courses=["NAME"]')
    images = [s.name for s in sources if s.kind == "image"]
    alone = chosen.shared and len(images) > 1
    eyes = {SHARED if alone else name: _eye(name, plan, nets) for name in (images[:1] if alone else images)}
    eyes |= {s.name: _reader(s, plan, nets) for s in sources if s.kind == "words"}
    if width and tables.is_table(plan.net.name):
        eyes[COVARIATES] = planned_net(plan, nets, channels=width)
    over, reads = {}, {}
    for source in sources:
        if source.timed:
            eye = eyes.get(source.name, eyes.get(SHARED))
            if eye is not None and eye.role == "cine":
                continue
            columns = source.width if eye is None else int(eye.channels[-1])
            built, what = _over(
                plan, nets, columns, dims=2 if eye is None else eye.dims, tree=_is_tree(known, source.name)
            )
            if built is not None:
                over[source.name], reads[source.name] = built, what
    return Together(
        sources,
        eyes=eyes,
        over=over,
        reads=reads,
        fusion=chosen.fusion,
        dropout=plan.net.dropout,
        dims=plan.data.dims,
        drop=chosen.drop,
        frames=chosen.frames if chosen.causal else 0,
    )


def _eye(name: str, plan: Plan, nets: Nets) -> Any:
    """Return the net that sees the images of a source: one of its own name in `nets`, or the plan's."""
    data = plan_of(name, plan.data, plan.sources)
    about = plan.nets.get(name, plan.net)
    return nets.build(
        about.name,
        dims=data.dims,
        in_channels=data.inputs,
        scale=about.scale,
        dropout=about.dropout,
        size=data.size[-data.dims :],
        options=about.options,
    )


def _reader(source: Any, plan: Plan, nets: Nets) -> Any:
    """Return the net that reads a text piece by piece. Raises PlanError where its places are fewer than are read."""
    about = plan.nets[source.name]
    net = _texts.reading(about, source.width, plan, nets)
    if net.longest < plan.sources.longest:
        raise PlanError(
            f"net '{about.name}' reads at most {net.longest} pieces of the text '{source.name}'",
            found=f"sources.longest={plan.sources.longest}",
            hint=f"--set sources.longest={net.longest}, or nets.{source.name}.options.longest where it has one",
        )
    return net


def _over(plan: Plan, nets: Nets, columns: int, *, dims: int, tree: bool) -> tuple[Any, str]:
    """Return a net over time for steps of so many numbers, and what it reads; None where nothing is planned."""
    about = plan.nets.get(TIME)
    if about is None and registered.describe(plan.net.name).get("ROLE") == "sequence":
        about = plan.net
    if about is None:
        return None, ""
    reads = str(registered.describe(about.name)["OVER"][about.name])
    if tree != (reads == "tree"):
        raise PlanError(
            f"net '{about.name}' reads {'trees' if reads == 'tree' else 'steps in time'}",
            found="a source whose rows are the nodes of a tree"
            if tree
            else "a source whose steps follow in time",
            hint="--set nets.time.name=" + ("treelstm" if tree else "gru"),
        )
    built = nets.build(
        about.name,
        dims=dims,
        in_channels=columns,
        scale=about.scale,
        dropout=about.dropout,
        options=about.options,
    )
    return built, reads


def _is_tree(known: Mapping[str, Any], name: str) -> bool:
    return bool(known["courses"].get(name, {}).get("tree"))


def _columns(cases: Sequence[Case], name: str) -> Statistics:
    """Return the moments of each column of the time courses of one name, how many cells are empty, and their sort."""
    held = [load_course(c.courses[name]) for c in cases if name in c.courses]
    if not held:
        raise DataError(
            f"no training case has a time course '{name}'", hint="--set sources.courses=[] to leave it out"
        )
    each = [
        [str(n) for n in course.names] or [str(k) for k in range(course.values.shape[1])] for course in held
    ]
    moments = Statistics(
        {
            column: Moments.of(
                float(v)
                for course, names in zip(held, each, strict=True)
                if column in names
                for v in course.values[:, names.index(column)]
                if np.isfinite(v)
            )
            for column in each[0]
        }
    )
    return Statistics(
        {
            "columns": Tally.of(tuple(names) for names in each),
            "moments": moments,
            "empty": Tally.of(bool(np.isnan(course.values).any()) for course in held),
            "named": Tally.of(bool(course.names) for course in held),
            "tree": Tally.of(bool(course.parents) for course in held),
        }
    )


def _course(found: Statistics, name: str) -> dict[str, Any]:
    """Return what is learned of the time courses of one name. Raises DataError where their columns differ."""
    kinds = list(found.part("columns", Tally))
    first = kinds[0]
    assert isinstance(first, tuple)
    odd = next((k for k in kinds[1:] if isinstance(k, tuple) and set(k) != set(first)), None)
    if odd is not None:
        raise DataError(
            f"the time courses '{name}' have different columns",
            found=f"{listed([str(n) for n in first], 4)} and {listed([str(n) for n in odd], 4)}",
            hint="files with the same columns in all cases",
        )
    trees = set(found.part("tree", Tally))
    if len(trees) > 1:
        raise DataError(
            f"some of the time courses '{name}' are trees and others are not", hint="a column `parent` in all"
        )
    each = {str(c): found.part("moments", Statistics).part(str(c), Moments) for c in first}
    return {
        "columns": [str(c) for c in first],
        "names": [str(c) for c in first] if found.part("named", Tally)[True] else [],
        "mean": [each[str(c)].mean for c in first],
        "sd": [each[str(c)].sd or 1.0 for c in first],
        "missing": bool(found.part("empty", Tally)[True]),
        "tree": bool(next(iter(trees))),
    }


def _numbers(course: Course, about: Mapping[str, Any], name: str, case: str) -> Array:
    """Return a time course standardised, `(T, F)` float32, with a bit a cell behind them where some were missing."""
    values = course.values
    scaled = (values - np.asarray(about["mean"])) / np.asarray(about["sd"])
    known = np.isfinite(scaled)
    if not about["missing"] and not known.all():
        raise DataError(
            f"case {case}: cells of the time course '{name}' are empty, and no training case had such",
            hint="filled cells, or training cases with empty ones",
        )
    filled = np.where(known, scaled, 0.0).astype(np.float32)
    return np.concatenate([filled, known.astype(np.float32)], axis=1) if about["missing"] else filled
