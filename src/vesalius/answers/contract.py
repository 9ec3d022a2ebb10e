"""The contract of a kind of answer: what its file in `answers/` says of it, and how that file is found.

The file is named after the dataclass in lower case (`answers/scores.py` for `Scores`) and holds one instance of
`Handling`, named HANDLING. All but `kind` and `columns` has a default, so that a new kind can be small. A literal
`TARGETS = ("class", …)` names the kinds of target whose predictions by another tool are read as answers of this kind.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar, cast

from vesalius import metrics
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.panels import Cell, Odds, Table, decimals_of, figure
from vesalius.answers.drawing.slices import Slice
from vesalius.core import registry
from vesalius.core.answers import Answer, ImageAnswer
from vesalius.core.answers.surface import Surface
from vesalius.core.arms import UnderArms
from vesalius.core.ask import Ask
from vesalius.core.calling import calling
from vesalius.core.case import Case
from vesalius.core.cohort import Label, TargetInfo
from vesalius.core.doubt import Doubt
from vesalius.core.edit import Edit
from vesalius.core.errors import CodeError, DataError
from vesalius.core.growth import Changed
from vesalius.core.image import Array, Image
from vesalius.core.marks import Mark, fields_of, means, place
from vesalius.core.promise import LEVELS, Limits
from vesalius.core.scorecard import Scorecard
from vesalius.core.stated import Statement
from vesalius.metrics import Interval, Rows
from vesalius.prepare.between import Between

Panel = Figure | Table | Odds
Judged = Callable[
    ..., dict[str, Interval]
]  # of a `summary` of rows, and of what `metrics.bootstrap` takes beside it
A = TypeVar("A", bound=Answer)


@dataclass(frozen=True, slots=True)
class Kept:
    """How a promise of one answer turned out, by name; `""` where there is only one.

    `held` is 1 where it was kept and 0 where not; of a promise about a mean loss (`mean`) it is that loss. `size` is
    how much is said: labels of a set, the width of an interval, how often as large an outer mask is as the inner one;
    None where it has no one measure, as of widths in different units.
    """

    held: Mapping[str, float]
    size: float | None
    mean: bool = False


NOT_RATED = (float("nan"), "")
FACTORS = "factors"  # in `clinical` of a scorecard: what answers add to factors that are known of the cases


class ForeignAnswers(Mapping[str, Answer]):
    """Another tool's answers by case id. A kind whose answers are read one at a time overrides this."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers

    def __getitem__(self, case: str) -> Answer:
        return self._answers[case]

    def __iter__(self) -> Iterator[str]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)

    def assert_sound(self) -> None:
        """Raise DataError where what was read so far cannot be answers to this target."""


class Handling(ABC, Generic[A]):
    """All that is done with answers of one kind.

    `objects` are the suffixes of the DICOM objects that an answer becomes, in formats whose `WRITES` names this kind; a
    kind that no such format holds has none, and is answered in JSON alone. `headlines` are the metrics that stand on
    top of a report, by default all that speak of no single label; `metric_names` are how metrics are written where
    their identifier is not enough; `one_sided` are metrics that a trivial answer can have perfect, so that no verdict
    is given; `left_out` says in words why cases were not counted. `baseline` says what the trivial answer is.
    `compared` are the metrics whose gap between groups of patients is tested, by default the headlines.
    `monailabel` is what MONAI Label calls a model of this kind. `draws` says whether `draw` draws anything. `asks` are
    the words for what can be asked of an answer, the usual first; a kind with none cannot be explained. `ways` are
    those in which a calibration can promise something of an answer, the usual first; a kind with none makes no promise.
    `doubted_ways` are those of them that need the answer's doubt.
    `needs_levels` says that `chances` needs an answer whose task was asked for its `levels`.
    `changeable` is the field whose texts by name a person may change, where there is one.
    `unsure_by` are the measures of how unsure an answer is, the usual first.
    `error` is what `losses` measures, in words. `listing` is the name of the table beside `answers.csv` that holds what
    answers list, such as their boxes; empty of a kind that lists nothing.
    """

    kind: ClassVar[type[Answer]]
    objects: ClassVar[tuple[str, ...]] = ()
    headlines: ClassVar[tuple[str, ...]] = ()
    metric_names: ClassVar[Mapping[str, str]] = {}
    one_sided: ClassVar[tuple[str, ...]] = ()
    left_out: ClassVar[Mapping[str, str]] = {}
    baseline: ClassVar[str] = ""
    compared: ClassVar[tuple[str, ...]] = ()
    monailabel: ClassVar[str] = "others"
    draws: ClassVar[bool] = False
    asks: ClassVar[tuple[str, ...]] = ()
    ways: ClassVar[tuple[str, ...]] = ()
    doubted_ways: ClassVar[tuple[str, ...]] = ()
    needs_levels: ClassVar[bool] = False
    error: ClassVar[str] = "error"
    listing: ClassVar[str] = ""
    changeable: ClassVar[str] = ""
    unsure_by: ClassVar[tuple[str, ...]] = ("surety",)

    # --- what is written of an answer and shown of it

    @abstractmethod
    def columns(self, answer: A) -> dict[str, Any]:
        """Return an answer's figures by the name of their column in `answers.csv`, without those of its parts."""

    def values(self, answer: A) -> dict[str, Any]:
        """Return an answer's columns as a table in memory has them: numbers as numbers; by default its columns."""
        return self.columns(answer)

    def listed(self, answer: A) -> Sequence[Mapping[str, Any]]:
        """Return what the answer lists, a row each, for the table `listing` of all cases; by default nothing."""
        return ()

    def summary(self, answer: A) -> dict[str, Any]:
        """Return what a client shows of an answer at a glance, as JSON takes it; by default its columns."""
        return {"fields": columns(answer)}

    def lines(self, answer: A) -> Sequence[Line]:
        """Return what a notebook shows of an answer beside its picture, a line each; by default its columns."""
        return [Line(name, str(value)) for name, value in self.columns(answer).items()]

    def backdrop(self, answer: A) -> Image | None:
        """Return an image to draw an answer on where its own is not at hand; None of a kind that needs its own."""
        return answer.image if isinstance(answer, ImageAnswer) else None

    def suffix(self, answer: A) -> str:
        """Return the suffix of the file that holds an answer's image, of a kind that has one."""
        return ".nii.gz"

    def drawn(self, answer: A) -> bool:
        """Return whether `draw` draws anything of this answer; by default what `draws` says of the kind."""
        return self.draws

    def objects_of(self, answer: A) -> tuple[str, ...]:
        """Return the suffixes of the DICOM objects that this one answer becomes, in the order in which they refer to
        one another; by default `objects`.
        """
        return self.objects

    def edited(self, answer: A, texts: Mapping[str, str], edit: Edit) -> A:
        """Return an answer as a person has changed it, of a kind that says in `changeable` which of its fields holds
        the texts that a person may change. Raises CodeError of another.
        """
        raise CodeError(f"nobody changes an answer of kind {self.kind.__name__}")

    def shown_by(self, answer: A, image: Image) -> Image | None:
        """Return the labels, upright as the image is shown, by which a slice is chosen; None for the middle one."""
        return None

    def draw(self, axes: Any, answer: A, image: Image, shown: Slice) -> None:
        """Draw an answer on matplotlib axes that show the slice `shown` of `image`, upright.

        Voxel k reaches from k to k + 1 on the axes, so that its middle is k + 0.5: coordinates of boxes and points hold
        as they are, once `prepare.geometry.upright_points` has turned them as the image is shown.
        """

    def shown_beside(self, answer: A, truth: Any, image: Image) -> Image | None:
        """Return the labels by which a slice is chosen that shows an answer beside its truth; by default as alone."""
        return self.shown_by(answer, image)

    def draw_truth(self, axes: Any, truth: Any, image: Image, shown: Slice) -> None:
        """Draw the truth as `draw` draws an answer, of a kind whose truth is no field; by default nothing."""

    def marks(self, answer: A) -> Sequence[Mark]:
        """Return what an answer is known again by, on another machine and in a later version: see `core/marks.py`.

        They are stored in bundles, so they hold no text that may name somebody. By default they are the blocks of an
        image, and the other fields as they are.
        """
        shared = [f.name for f in dataclasses.fields(Answer)]
        if isinstance(answer, ImageAnswer):
            own = fields_of(answer, left_out=[*shared, "image"])
            return [*place(answer.image), means("image", answer.image.array), *own]
        return list(fields_of(answer, left_out=shared))

    # --- what is asked of an answer

    def asks_of(self, values: Mapping[str, Any]) -> tuple[str, ...]:
        """Return which of `asks` suit the answers of a model, by the values of its state; by default all of them."""
        return self.asks

    def usual(self, answer: A) -> str:
        """Return the word of `asks` that is meant where nothing is asked in particular; by default the first."""
        return self.asks[0]

    def ask(self, answer: A, of: str, which: str | None) -> Ask:
        """Return what is asked: a word of `asks`, and which one of those; None is the one that the answer says most of.

        Raises UnknownName or DataError where the answer has no such thing.
        """
        return Ask(of, words=of)

    def states(self, answer: A) -> Sequence[Statement]:
        """Return what an answer states of its case, each of its labels once; by default nothing.

        Questions are answered from it. A label that the answer may name and does not call is stated as absent; what it
        cannot speak of is not there. Parts are asked for themselves.
        """
        return ()

    # --- how far several opinions are apart

    def doubt(self, answer: A, samples: Sequence[A]) -> Doubt | None:
        """Return how far several answers to the one case are from one another; None of a kind that does not say.

        `answer` is the one that is given. Figures that have a unit say it.
        """
        return None

    def point_doubt(self, mean: Array, expected: Array) -> Mapping[str, Array]:
        """Return figures of each point of a field, `(…)` by name, of a kind whose answers are such fields.

        `mean` `(K, …)` are the opinions' mean chances of each value, the background first, `expected` `(…)` the mean of
        the opinions' entropies in nats.
        """
        return {}

    def field_doubt(self, answer: A, fields: Mapping[str, Array], called: Array) -> Doubt | None:
        """Return what figures of each point, `(Z, Y, X)` by name, come to for the whole case; None where nothing says.

        `called` `(S, K)` is how many points each opinion gives each value, the background first.
        """

    # --- what is promised of an answer, and how sure it is

    def strangeness(self, answer: A, truth: Any, way: str) -> Mapping[str, float | Array]:
        """Return by name how strange a truth looks beside an answer, for thresholds to be fitted; by default nothing.

        A name has one threshold: of a number (`evaluate.conformal.quantile`), or of a curve of losses that do not fall
        (`evaluate.conformal.controlled`); `""` where there is only one. A name that says nothing of a case is absent.
        `truth` is what `truth` returns, `way` one of `ways`. Raises DataError where the answer cannot be judged so.
        """
        return {}

    def promised(self, answer: A, limits: Limits) -> A:
        """Return the answer with what the thresholds of its case promise, in `Answer.promise`; by default as it is."""
        return answer

    def extent(self, answers: Sequence[tuple[A, Any]]) -> dict[str, Any]:
        """Return what `Limits.about` holds of the calibration's answers and truths; by default nothing."""
        return {}

    def kept(self, answer: A, truth: Any) -> Kept | None:
        """Return whether a promise of this answer was kept, and how much it says; None where nothing is promised."""
        return None

    def sure(self, answer: A) -> float | None:
        """Return how sure an answer is, the higher the better, as `sureness` has it; None where it does not say."""
        return None

    def unsure(self, answer: A, by: str) -> float | None:
        """Return how unsure an answer is, the higher the more; None where it does not say. By default 1 less `sure`.

        `by` is one of `unsure_by`. Cases of one pool are ordered by it, to say which of them is to be labelled first.
        """
        sure = self.sure(answer)
        return None if sure is None else 1 - sure

    def sureness(self, rows: Rows) -> Array | None:
        """Return how sure each answer is, `(N,)`, the higher the better; None where nothing says."""
        return None

    def losses(self, rows: Rows) -> Array | None:
        """Return how wrong each answer is, `(N,)`, the lower the better: by default the negative of `each`."""
        right = self.each(rows)
        return None if right is None else -right

    def wrong(self, answer: A, truth: Any) -> bool | None:
        """Return whether an answer is wrong; None of a kind whose answers are never plainly right or wrong."""
        return None

    # --- where an answer lies in its image

    def found(self, answer: A) -> Array | None:
        """Return where an answer says that something is, `(Z, Y, X)` of bits; None of a kind without places."""
        return None

    def planes(self, answer: A) -> Array | None:
        """Return where an answer says that each of its labels is, bits `(K, Z, Y, X)`; None of a kind without places.

        What a later stage is given as channels, in the order of the labels.
        """
        return None

    def chances(self, answer: A) -> Array | None:
        """Return how likely each label is at each point, `(K, Z, Y, X)`, from 0 to 1; None where nothing says.

        What a later stage is given as channels, in the order of the labels. A field of numbers says these numbers.
        """
        return None

    def placed(self, answer: A, low: Sequence[int], reference: Image) -> A:
        """Return the answer to a part of an image that begins at index `low` `(z, y, x)`, as one to the whole image."""
        return answer

    def misplaced(self, answer: A, reference: Image) -> str | None:
        """Return in words why an answer cannot belong to this image; None where it can."""
        return None

    def seen_surface(self, answer: A) -> Surface | None:
        """Return what `surface` does, of a bounded number of faces, for the eye; by default None.

        Raises GeometryError where it has no place, DataError where nothing is in it.
        """
        return None

    def solid_errors(self, answer: A, truth: Any) -> Array | None:
        """Return a picture `(H, W, 3)` of where what an answer marks lies off the truth in 3-D; None of other kinds."""
        return None

    # --- answers to two visits of one patient

    def changed(self, earlier: A, later: A, between: Between) -> Changed | None:
        """Return how much of what was measured changed between two visits; None of a kind that does not say.

        What is not known to be a change must not look like one: see `core/growth.py`.
        """
        return None

    def carried(self, answer: A, between: Between) -> A:
        """Return the earlier visit's answer as it lies on the later one's image; by default as it is."""
        return answer

    # --- what lies in space

    def surface(self, answer: A) -> Surface | None:
        """Return the closed mesh about what an answer holds, in LPS mm; by default None, of one that holds nothing so.

        Raises GeometryError where it has no place, DataError where nothing is in it.
        """
        return None

    # --- an answer that says what is expected under several treatments

    def under_arms(self, answer: A) -> UnderArms | None:
        """Return what is expected under each arm, and what each changes; None of an answer that does not say."""
        return None

    # --- an answer against the truth

    def truth(self, target: Any, case: Case) -> Any:
        """Return a case's target in the form in which `measure` takes it."""
        return target

    def opinion(self, answer: A) -> Any:
        """Return what an answer says, in the form in which `truth` returns what an expert says of the same.

        None of a kind whose answers are not held against what single experts say.
        """
        return None

    def likeness(self, one: Any, other: Any) -> float:
        """Return how far two agree, answers or experts, as `opinion` and `truth` return them; 1 for wholly.

        NaN where there is nothing to agree on.
        """
        return float("nan")

    def quoted(self, truth: Any) -> A | None:
        """Return what a training case's truth says, as `truth` returns it, as an answer to another case.

        By it the nearest training case is held beside a model (`evaluate/rivals.py`). None of a kind for which that is
        not done, and of a truth that says nothing.
        """
        return None

    def measure(self, answer: A, truth: Any, case: Case) -> Any:
        """Return what is kept of one case until `rows`: by default answer and truth, where these are small.

        Raises DataError where they cannot be compared.
        """
        return answer, truth

    def rows(self, measured: Sequence[Any], case_ids: Sequence[str]) -> Rows:
        """Return what was measured of all cases as the rows of the metrics of this kind."""
        answers = [
            replace(answer, case_id=case) for (answer, _), case in zip(measured, case_ids, strict=True)
        ]
        return cast(Rows, self.judge.rows(answers, [truth for _, truth in measured]))

    def rate(self, answer: A, truth: Any, measured: Any) -> tuple[float, str]:
        """Return how right an answer is, the higher the better, and a caption; NaN keeps the case out of the report."""
        return NOT_RATED

    def outlines(self, answer: A, truth: Any, reference: Image) -> tuple[Image | None, Image | None]:
        """Return label values of the truth and of the answer, upright, for the outlines that a report draws."""
        return None, None

    def each(self, rows: Rows) -> Array | None:
        """Return how right each answer is, `(N,)`, the higher the better, as `rate` has it; None where nothing says."""
        return None

    def strata(self, rows: Rows) -> Array | None:
        """Return a code a case, `(N,)`: patients are exchanged between groups only within one code; None for all.

        Where it is the truth, groups of which one has a finding more often are not taken for groups that are served
        worse.
        """
        return None

    def again(self, card: Scorecard) -> Rows | None:
        """Return the rows that a scorecard was computed from; None where its cases do not hold them."""
        return None

    def alike(self, first: Rows, second: Rows) -> tuple[Rows, Rows, str]:
        """Return two models' rows so that the same figures judge both, and a note of what was changed; by default as
        they are.
        """
        return first, second, ""

    @property
    def judge(self) -> Any:
        """The metrics of this kind. Raises UnknownName where there are none."""
        return metrics.for_answer(self.kind.__name__)

    # --- scorecard and report

    def curves(self, rows: Rows) -> dict[str, Any]:
        """Return what a report draws and a scorecard keeps of all cases together."""
        return {}

    def case(self, rows: Rows, index: int) -> dict[str, Any]:
        """Return what a scorecard keeps of one case: by default its number in each column that has one a case."""
        return {name: float(column[index]) for name, column in rows.columns.items() if column.ndim == 1}

    def clinical(self, rows: Rows, judged: Judged, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a scorecard keeps for `clinic`, as JSON takes it; by default nothing.

        `judged` gives what a summary of rows says of all of them, each figure with its interval. `fixed` is what was
        fitted on validation cases, the calibration of the bundle's last stage; empty of another tool's answers.
        """
        return {}

    def adds(
        self,
        rows: Rows,
        known: Mapping[str, Sequence[float | str | None]],
        people: Sequence[str],
        *,
        resamples: int,
        seed: int,
    ) -> dict[str, Any]:
        """Return what answers add to factors that are known of the cases anyway, as JSON takes it; by default nothing.

        `known` has the value of each factor in each row, None where it is not known, and `people` the patient. A card
        keeps it in `clinical`, under FACTORS, for `clinic`.
        """
        return {}

    def colours(self, answer: A) -> dict[str, str]:
        """Return the colour of each label by its name, of a kind whose labels have colours of their own."""
        return {}

    def facts(self, card: Scorecard) -> list[tuple[str, str]]:
        """Return which rules of this kind the figures follow, as `(name, text)`."""
        return []

    def figures(self, card: Scorecard) -> list[Figure]:
        """Return the drawings of a report that belong to this kind."""
        return []

    def clinic(self, card: Scorecard) -> list[Panel]:
        """Return what a clinician reads of a scorecard: tables and drawings of this kind; by default nothing."""
        return []

    def case_table(self, card: Scorecard) -> Table | None:
        """Return all cases as a table, the worst first; by default each with its numbers. None where there is none."""
        return plain_cases(card)

    def legend(self, labels: Sequence[Label]) -> dict[str, int]:
        """Return the label values that stand in the report's outlines, by name."""
        return {}

    # --- another tool's predictions

    def foreign(
        self, path: Path, cases: Sequence[Case], target: TargetInfo, *, positive: str | None = None
    ) -> ForeignAnswers:
        """Return another tool's predictions as answers. `positive` is the class that sensitivity speaks of.

        Raises DataError where there are none, or where they cannot be read.
        """
        name = self.kind.__name__
        raise DataError(
            f"another tool's predictions cannot be read as {name}",
            found=f"no `foreign` in answers/{name.lower()}.py",
            hint="evaluate a bundle, or add that method",
        )


def plain_cases(card: Scorecard) -> Table | None:
    """Return all cases with what is a number of them; None where nothing is known of single cases."""
    names = list(
        dict.fromkeys(k for case in card.cases for k, v in case.items() if isinstance(v, int | float))
    )
    if not card.cases or not names:
        return None
    digits = {n: decimals_of(*(case.get(n) for case in card.cases)) for n in names}
    rows = [
        (Cell(str(case["case"])), *(Cell(figure(case.get(n), digits[n]), case.get(n)) for n in names))
        for case in card.cases
    ]
    return Table("All cases", ("case", *names), rows)


def of(answer: Answer | type[Answer] | str) -> Handling[Any]:
    """Return what is done with answers of this kind, found by its class or the name of that. Raises UnknownName."""
    kind = (
        answer if isinstance(answer, str) else (answer if isinstance(answer, type) else type(answer)).__name__
    )
    return cast("Handling[Any]", registry.held("answers", kind.lower(), "HANDLING"))


def for_target(kind: str) -> Handling[Any]:
    """Return the kind of answer as which another tool's predictions of such targets are read. Raises DataError."""
    read = {stem: registry.literals("answers", stem).get("TARGETS", ()) for stem in registry.stems("answers")}
    fitting = [stem for stem, targets in read.items() if kind in targets]
    if len(fitting) > 1:
        raise DataError(
            f"several kinds of answer claim targets of kind '{kind}'",
            found=", ".join(fitting),
            hint=f"keep '{kind}' in TARGETS of one of their files in answers/",
        )
    if not fitting:
        known = sorted({target for targets in read.values() for target in targets})
        raise DataError(
            f"another tool's predictions of a target of kind '{kind}' cannot be read",
            hint=f"a bundle, or a target of kind {', '.join(known)}",
        )
    return of(fitting[0])


def ask(answer: Answer, words: str | None = None) -> Ask:
    """Return what is asked of an answer in words: `tumour`, `label=tumour`, `box=2`, `horizon=365`.

    Without words it is what the answer itself says most of. Raises DataError where nothing can be asked of this kind.
    """
    handling = of(answer)
    if not handling.asks:
        raise DataError(
            f"nothing can be asked of an answer of kind {type(answer).__name__}",
            hint="an answer whose kind names what can be asked, in `asks` of its file in answers/",
        )
    if not words:
        return handling.ask(answer, handling.usual(answer), None)
    word, parted, which = words.partition("=")
    if word.strip() in handling.asks:
        return handling.ask(answer, word.strip(), which.strip() or None if parted else None)
    return handling.ask(answer, handling.asks[0], words or None)


def columns(answer: Answer) -> dict[str, Any]:
    """Return an answer's columns of `answers.csv`, and after them those of its parts, led by the part's name."""
    handling = of(answer)
    with calling(f"answers of kind {type(answer).__name__}", handling, "columns", case=answer.case_id):
        made = handling.columns(answer)
    if not isinstance(made, Mapping):
        raise CodeError(
            f"answers of kind {type(answer).__name__}: `columns` must return a dict of figures by column",
            found=type(made).__name__,
        )
    found = {**made, **_columns_beside(answer)}
    doubt = {} if answer.doubt is None else answer.doubt.columns()
    found |= {name: f"{value:.6g}" for name, value in doubt.items()}
    found |= {} if answer.weighed is None else answer.weighed.columns()
    for name, part in answer.parts.items():
        found |= {f"{name}.{column}": value for column, value in columns(part).items()}
    return _without_results(found, answer)


def states(answer: Answer) -> tuple[Statement, ...]:
    """Return what an answer and its parts state of their case; nothing of one that is withheld."""
    if answer.withheld is not None:
        return ()
    handling = of(answer)
    with calling(f"answers of kind {type(answer).__name__}", handling, "states", case=answer.case_id):
        found = list(handling.states(answer))
    aside: set[str | None] = {LEVELS, *(() if answer.doubt is None else answer.doubt.maps)}
    aside.add(None if answer.promise is None else answer.promise.part)  # what is promised is no result
    for name, part in answer.parts.items():
        if name in aside:
            continue
        found += [replace(one, part=f"{name}.{one.part}" if one.part else name) for one in states(part)]
    return tuple(found)


def changed(earlier: Answer, later: Answer, between: Between) -> Changed | None:
    """Return how much changed between the answers to two visits; None of a kind that does not say."""
    handling = of(later)
    with calling(f"answers of kind {type(later).__name__}", handling, "changed", case=later.case_id):
        return handling.changed(earlier, later, between)


def listed(answer: Answer) -> dict[str, Sequence[Mapping[str, Any]]]:
    """Return what an answer lists, by the name of the table that holds it; nothing of one that is withheld."""
    handling = of(answer)
    if not handling.listing or answer.withheld is not None:
        return {}
    with calling(f"answers of kind {type(answer).__name__}", handling, "listed", case=answer.case_id):
        return {handling.listing: handling.listed(answer)}


def values(answer: Answer) -> dict[str, Any]:
    """Return an answer's columns as a table in memory has them, and after them those of its parts."""
    found = {**of(answer).values(answer), **_columns_beside(answer)}
    for name, part in answer.parts.items():
        found |= {f"{name}.{column}": value for column, value in values(part).items()}
    return _without_results(found, answer)


def _columns_beside(answer: Answer) -> dict[str, Any]:
    """Return the columns of what every kind of answer may have beside its own: a promise and a doubt."""
    found: dict[str, Any] = {} if answer.promise is None else dict(answer.promise.columns())
    found |= {} if answer.doubt is None else answer.doubt.columns()
    return found if answer.weighed is None else {**found, **answer.weighed.columns()}


def _without_results(found: dict[str, Any], answer: Answer) -> dict[str, Any]:
    """Return the columns of an answer, empty but for the reason where it is withheld: nobody takes it for a result."""
    if answer.withheld is None:
        return found
    return {**dict.fromkeys(found), "withheld": answer.withheld}


def lines(answer: Answer) -> list[Line]:
    """Return what a notebook shows of an answer: its lines, its promise and its doubt, or why it is withheld."""
    if answer.withheld is not None:
        return [Line("withheld", answer.withheld)]
    found = list(of(answer).lines(answer))
    if answer.promise is not None:
        found.append(Line(f"promised at {answer.promise.share}", answer.promise.text))
        found += [Line("mind", text) for text in answer.promise.remarks]
    said = {} if answer.doubt is None else answer.doubt.said()
    said |= {} if answer.weighed is None else answer.weighed.said()
    return [*found, *(Line(name, text) for name, text in said.items())]


def summary(answer: Answer) -> dict[str, Any]:
    """Return what a client shows of an answer, with its promise and its doubt; of one that is withheld the reason."""
    if answer.withheld is not None:
        return {"withheld": answer.withheld}
    found: dict[str, Any] = dict(of(answer).summary(answer))
    if answer.promise is not None:
        found["promise"] = answer.promise.json()
    if answer.doubt is not None:
        found["doubt"] = answer.doubt.summary()
    return found if answer.weighed is None else {**found, "weighed": answer.weighed.summary()}


def placed(answer: Answer, low: Sequence[int], reference: Image) -> Answer:
    """Return the answer to a part of an image from index `low` `(z, y, x)` on, with its maps, as one to the whole."""
    whole: Answer = of(answer).placed(answer, low, reference)
    if answer.doubt is None:
        return whole
    maps = {n: of(answer.parts[n]).placed(answer.parts[n], low, reference) for n in answer.doubt.maps}
    return replace(whole, parts={**whole.parts, **maps})


def images(answer: Answer, name: str = "") -> Iterator[tuple[str, ImageAnswer]]:
    """Yield the answers whose images are written as files, by the part's name.

    That is the answer itself, under "", where it is an image, with the part that a promise is made of and the maps of
    its doubt; and else those of its parts that are.
    """
    if isinstance(answer, ImageAnswer):
        yield name, answer
        outer = None if answer.promise is None else answer.promise.part
        beside = [outer] if outer is not None and outer in answer.parts else []
        for one in [*beside, *(answer.doubt.maps if answer.doubt is not None else ())]:
            yield from images(answer.parts[one], f"{name}.{one}" if name else one)
        return
    for part_name, part in answer.parts.items():
        yield from images(part, f"{name}.{part_name}" if name else part_name)


def drawable(answer: Answer) -> Iterator[Answer]:
    """Yield the answers that are drawn on an image: the answer itself where its kind draws, else its parts that do."""
    if of(answer).drawn(answer):
        yield answer
        return
    for part in answer.parts.values():
        yield from drawable(part)
