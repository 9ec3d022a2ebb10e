"""Numbers: several numbers of one case, each with its name and its unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from vesalius import metrics
from vesalius.answers import _unsure as unsure
from vesalius.answers import value as single
from vesalius.answers.contract import ForeignAnswers, Handling, Judged, Kept, Panel, of
from vesalius.answers.drawing import figures as draw
from vesalius.answers.drawing import planes
from vesalius.answers.drawing.figures import Figure
from vesalius.answers.drawing.lines import Line
from vesalius.answers.drawing.panels import Cell, Table, decimals_of, figure
from vesalius.answers.drawing.signed import one_coloured
from vesalius.answers.drawing.slices import Slice
from vesalius.answers.foreign.tables import Row, row_answers
from vesalius.core.answers import ImageAnswer
from vesalius.core.answers.numbers import Numbers
from vesalius.core.answers.value import Value
from vesalius.core.ask import Ask
from vesalius.core.case import Case
from vesalius.core.census import census
from vesalius.core.cohort import TargetInfo
from vesalius.core.doubt import Doubt
from vesalius.core.errors import DataError, UnknownName
from vesalius.core.growth import Changed, errors_of
from vesalius.core.image import Array, Image
from vesalius.core.marks import Mark
from vesalius.core.palette import of_place, rgb
from vesalius.core.promise import Limits, Promise
from vesalius.core.scorecard import Scorecard
from vesalius.metrics import Interval, Rows
from vesalius.metrics import numbers as judge
from vesalius.prepare.between import Between
from vesalius.prepare.geometry import upright

TARGETS = ("measures",)
DENSE = 0.1  # of a field's highest value: what is denser decides which slice is shown


class NumbersHandling(Handling[Numbers]):
    """What is done with several numbers: each is a part, of which `answers/value.py` says what is done with it."""

    kind = Numbers
    draws = True
    objects = (".sr.dcm",)
    headlines = ("mae", "relative", "r2", "spearman", "inside")
    metric_names: ClassVar[Mapping[str, str]] = {
        **single.HANDLING.metric_names,
        "relative": "relative error",
        "relative_total": "relative error in total",
        "inside": "within the promised interval",
        "width": "width of the promised interval",
    }
    one_sided = (
        "inside",
        "width",
    )  # a wide interval holds everything, and a narrow one is no merit by itself
    left_out: ClassVar[Mapping[str, str]] = {
        "unknown": "truth not known",
        "zero": "truth 0, without a relative error",
    }
    baseline = "the training mean of each"
    compared = ("mae", "relative", "r2")
    asks = ("number",)
    ways = single.HANDLING.ways
    doubted_ways = single.HANDLING.doubted_ways
    error = "mean size of the error"
    unsure_by = (unsure.WIDTH,)

    # --- what is written of them and shown

    def columns(self, answer: Numbers) -> dict[str, Any]:
        """Return how many numbers there are; their own columns are those of the parts."""
        return {"numbers": len(answer.values)}

    def summary(self, answer: Numbers) -> dict[str, Any]:
        """Return each number with its unit, and its interval where one is promised."""
        shown = [
            {
                "name": name,
                **{key: part for key, part in single.HANDLING.columns(value).items() if part != ""},
                **({} if value.promise is None else {"promise": value.promise.json()}),
            }
            for name, value in answer.values.items()
        ]
        return {"fields": self.columns(answer), "numbers": shown}

    def lines(self, answer: Numbers) -> list[Line]:
        """Return the lines of each number, under its name, and its interval where one is promised."""
        found = []
        for name, value in answer.values.items():
            found += single.HANDLING.lines(replace(value, quantity=name))
            if value.promise is not None:
                found.append(Line(f"{name}, promised at {value.promise.share}", value.promise.text))
        return found

    def marks(self, answer: Numbers) -> list[Mark]:
        """Return what each number is known again by, under its name."""
        return [
            replace(mark, name=name if mark.name == "value" else f"{name}: {mark.name}")
            for name, value in answer.values.items()
            for mark in single.HANDLING.marks(replace(value, quantity=None))
        ]

    def drawn(self, answer: Numbers) -> bool:
        """Return whether fields that lie on the image are parts of the answer, such as where counts come from."""
        return bool(fields_of(answer))

    def shown_by(self, answer: Numbers, image: Image) -> Image | None:
        """Return where the fields are dense, as labels: the fullest slice is shown."""
        dense = [f.image.array[0] > DENSE * np.nanmax(f.image.array) for f in fields_of(answer).values()]
        if not dense:
            return None
        first = next(iter(fields_of(answer).values())).image
        return upright(replace(first, array=np.any(dense, axis=0).astype(np.uint8)[None]), image)

    def draw(self, axes: Any, answer: Numbers, image: Image, shown: Slice) -> None:
        """Draw each field in a colour of its own, the denser the higher it is, and a legend."""
        for k, (name, field) in enumerate(fields_of(answer).items()):
            array = upright(field.image, image).array[0]
            colour = of_place(k)
            layer = one_coloured(array[shown.z], float(np.nanmax(array)), rgb(colour))
            axes.imshow(layer, aspect=shown.aspect, extent=planes.extent(array[shown.z]))
            axes.plot([], [], color=colour, label=name.replace("_", " "))
        axes.legend(loc="lower right", fontsize=7)

    def placed(self, answer: Numbers, low: Sequence[int], reference: Image) -> Numbers:
        """Return the numbers with the fields that are parts of them on the whole image's grid."""
        beside = {name: part for name, part in answer.parts.items() if name not in answer.values}
        moved = {name: of(part).placed(part, low, reference) for name, part in beside.items()}
        return replace(answer, parts={**answer.parts, **moved})

    # --- what is asked of them, and how far opinions are apart

    def ask(self, answer: Numbers, of: str, which: str | None) -> Ask:
        """Return the number of that name, by default the first. Raises UnknownName."""
        names = list(answer.values)
        if which is None and names:
            return Ask(of, words=names[0])
        alike = [k for k, name in enumerate(names) if name == which]
        alike = alike or [k for k, name in enumerate(names) if name.casefold() == str(which).casefold()]
        if len(alike) != 1:
            raise UnknownName("number", str(which), names)
        return Ask(of, alike[0], words=names[alike[0]])

    def doubt(self, answer: Numbers, samples: Sequence[Numbers]) -> Doubt:
        """Return the standard deviation of each number's samples under `sd_NAME`, in its unit."""
        figures: dict[str, float] = {}
        units: dict[str, str] = {}
        for name, value in answer.values.items():
            one = single.HANDLING.doubt(value, [sample.values[name] for sample in samples])
            figures |= {f"{key}_{name}": number for key, number in one.figures.items()}
            units |= {f"{key}_{name}": unit for key, unit in one.units.items()}
        return Doubt(figures=figures, units=units)

    # --- what is promised of them

    def unsure(self, answer: Numbers, by: str) -> float | None:
        """Return the mean width of the numbers' intervals; None where one has none, or their units differ."""
        widths = [unsure.of_number(value) for value in answer.values.values()]
        units = {value.unit for value in answer.values.values()}
        known = [w for w in widths if w is not None]
        return float(np.mean(known)) if known and len(known) == len(widths) and len(units) == 1 else None

    def strangeness(self, answer: Numbers, truth: Any, way: str) -> Mapping[str, float | Array]:
        """Return each name's, as `answers/value.py` has it; a name whose truth is not known is absent."""
        return {
            name: single.HANDLING.strangeness(value, truth[name], way)[""]
            for name, value in _doubted(answer).items()
            if _known(truth.get(name))
        }

    def extent(self, answers: Sequence[tuple[Numbers, Any]]) -> dict[str, Any]:
        """Return by name between which numbers the truths of the calibration lie."""
        names = dict.fromkeys(name for answer, _ in answers for name in answer.values)
        pairs = {
            name: [(a.values[name], t[name]) for a, t in answers if name in a.values and _known(t.get(name))]
            for name in names
        }
        return {name: single.HANDLING.extent(held) for name, held in pairs.items() if held}

    def promised(self, answer: Numbers, limits: Limits) -> Numbers:
        """Return the answer with an interval for each number, and what that comes to for all of them together.

        Each is promised by itself; that all lie in theirs at once is then sure in 1 − K·(1 − coverage) of cases at
        least (Bonferroni), and the answer says so.
        """
        about = limits.about or {}
        made: dict[str, Value] = {}
        for name, value in _doubted(answer).items():
            own = replace(
                limits,
                at={"": limits.of(name)},
                n={"": limits.n.get(name, 0)},
                about=about.get(name) if isinstance(about.get(name), Mapping) else {},
            )
            bounded = single.HANDLING.promised(value, own)
            made[name] = replace(answer.values[name], promise=bounded.promise)
        if not made:
            return answer
        told = Promise(
            limits.coverage,
            f"each true number lies in its interval in at least {limits.share} cases like those of the calibration",
            parts=tuple(made),
            group=limits.group,
            n=limits.least(tuple(made)),
            remarks=(*limits.remarks, *_together(len(made), limits.coverage)),
        )
        return replace(answer, promise=told, parts={**answer.parts, **made})

    def kept(self, answer: Numbers, truth: Any) -> Kept | None:
        """Return by name whether its interval holds the true number, and the mean width where all have one unit."""
        held: dict[str, float] = {}
        sizes: list[float] = []
        for name, value in answer.values.items():
            one = single.HANDLING.kept(value, truth[name]) if _known(truth.get(name)) else None
            if one is not None:
                held[name] = one.held[""]
                sizes += [] if one.size is None else [one.size]
        if not held:
            return None
        return Kept(held, float(np.mean(sizes)) if sizes and _alike(answer) else None)

    # --- at two visits

    def changed(self, earlier: Numbers, later: Numbers, between: Between) -> Changed:
        """Return how much each number changed that both answers have."""
        known = {} if between.card is None else between.card.clinical.get("agreement", {})
        found = [
            single.number_changed(
                name, earlier.values[name], value, errors_of(known.get(name), between.card), same=between.same,
                doubts=(earlier, later), figure=f"sd_{name}",
            )
            for name, value in later.values.items()
            if name in earlier.values
        ]  # fmt: skip
        growths = tuple(one for each in found for one in each.growths)
        return Changed(growths, notes=tuple(dict.fromkeys(n for each in found for n in each.notes)))

    def carried(self, answer: Numbers, between: Between) -> Numbers:
        """Return the numbers with the fields that are parts of them on the later visit's grid."""
        beside = {name: part for name, part in answer.parts.items() if name not in answer.values}
        moved = {name: of(part).carried(part, between) for name, part in beside.items()}
        return replace(answer, parts={**answer.parts, **moved})

    # --- held against the truth

    def truth(self, target: Any, case: Case) -> Mapping[str, float | None]:
        """Return the numbers of a target by name; of boxes how many there are of each label."""
        return census(target)

    def rate(self, answer: Numbers, truth: Any, measured: Any) -> tuple[float, str]:
        """Return the negative of the mean difference, each over the larger of both numbers, and all as the caption."""
        pairs = {n: (v.x, float(truth[n])) for n, v in answer.values.items() if _known(truth.get(n))}
        if not pairs:
            return float("nan"), ""
        x, y = np.array(list(pairs.values())).T
        text = "; ".join(f"{name} {a:.4g}, truly {b:.4g}" for name, (a, b) in pairs.items())
        return -float(_apart(x, y).mean()), text

    def each(self, rows: Rows) -> Array:
        """Return for each case the negative of the mean difference, as `rate` has it; NaN without a known truth."""
        apart = np.stack([_apart(rows[f"x/{n}"], rows[f"y/{n}"]) for n in rows.info["labels"]])
        known = ~np.isnan(apart)
        total = np.nan_to_num(apart).sum(axis=0)
        many = known.sum(axis=0)
        return np.asarray(np.where(many > 0, -total / np.maximum(many, 1), np.nan))

    def again(self, card: Scorecard) -> Rows:
        """Return the answers, the truths and the promised intervals."""
        cases = [case["case"] for case in card.cases]

        def column(key: str) -> Array:
            found = [case.get(key) for case in card.cases]
            return np.array([np.nan if v is None else v for v in found], dtype=np.float64)

        x, y = ({name: column(f"{side}/{name}") for name in card.labels} for side in ("x", "y"))
        ends = {n: np.stack([column(f"low/{n}"), column(f"high/{n}")], axis=1) for n in card.labels}
        promised = {name: both for name, both in ends.items() if not np.isnan(both).all()}
        units = {name: card.unit_of(f"x/{name}") or None for name in card.labels}
        return judge.from_arrays(x, y, units=units, intervals=promised, case_ids=cases)

    def clinical(self, rows: Rows, judged: Judged, fixed: Mapping[str, Any]) -> dict[str, Any]:
        """Return each number's bias and limits of agreement."""
        found = {
            name: judged(metrics.agreement(rows[f"x/{name}"], rows[f"y/{name}"]))
            for name in rows.info["labels"]
        }
        return {
            "agreement": {
                n: {key: asdict(interval) for key, interval in one.items()} for n, one in found.items()
            }
        }

    def clinic(self, card: Scorecard) -> list[Panel]:
        """Return Bland and Altman's drawing of each number, and its figures."""
        if "agreement" not in card.clinical or not card.cases:
            return []
        lines = {
            name: {key: Interval(**interval) for key, interval in one.items()}
            for name, one in card.clinical["agreement"].items()
        }
        named = _with_units(card)
        panels = {
            named[name]: (*_pairs(card, name), one) for name, one in lines.items() if _pairs(card, name)[0]
        }
        rows = [
            (Cell(name), *single.limits_of_agreement(one, card.unit_of(f"bias/{name}")))
            for name, one in lines.items()
        ]
        return [
            Figure(
                "Agreement (Bland–Altman)", draw.agreement(panels, _shared_unit(card)),
                single.AGREEMENT_SAYS, wide=len(panels) > 1,
            ),
            Table("Limits of agreement", ("answer minus truth", *single.LIMITS), rows, "95 % intervals below."),
        ]  # fmt: skip

    def figures(self, card: Scorecard) -> list[Figure]:
        """Return the answers against the truths, a drawing each number."""
        named = _with_units(card)
        panels = {named[name]: _pairs(card, name) for name in card.labels if _pairs(card, name)[0]}
        if not panels:
            return []
        svg = draw.scatter(panels, _shared_unit(card))
        return [Figure("Answer against truth", svg, single.SCATTER_SAYS, wide=len(panels) > 1)]

    def case_table(self, card: Scorecard) -> Table | None:
        """Return truth, answer and error of each number of all cases, the furthest off first; None without any."""
        if not card.cases or not any(f"x/{name}" in card.cases[0] for name in card.labels):
            return None
        off = np.nan_to_num(-self.each(self.again(card)), nan=-1.0)
        named = _with_units(card, always=True)
        digits = {
            n: decimals_of(*(c.get(f"{side}/{n}") for c in card.cases for side in ("x", "y")))
            for n in card.labels
        }
        rows = []
        for place in np.argsort(-off, kind="stable"):
            case = card.cases[int(place)]
            cells = [Cell(str(case["case"]))]
            for name in card.labels:
                x, y = case.get(f"x/{name}"), case.get(f"y/{name}")
                y = y if _known(y) else None
                error = None if y is None or x is None else x - y
                cells += [Cell(figure(v, digits[name]), v) for v in (y, x, error)]
            rows.append(cells)
        heads = [head for n in card.labels for head in (f"{named[n]}: truth", "answer", "error")]
        return Table("All cases", ("case", *heads), rows, wide=len(card.labels) > 2)

    # --- another tool's numbers

    def foreign(
        self, path: Path, cases: Sequence[Case], target: TargetInfo, *, positive: str | None = None
    ) -> ForeignAnswers:
        """Return the numbers in a table that has a column each: by its name, or `NAME.value` as ours are called."""
        units = {part.name: part.unit for part in target.parts}

        def numbers_of(row: Row) -> Numbers:
            parts: dict[str, Value] = {}
            for name, unit in units.items():
                column = next((c for c in (name, f"{name}.value") if c in row.cells), None)
                if column is None:
                    raise DataError(
                        f"{row.table} has no column of '{name}'",
                        found=", ".join(row.cells),
                        hint=f"a column '{name}' or '{name}.value'",
                    )
                parts[name] = Value(x=row.number(column), unit=unit)
            return Numbers(parts=parts, case_id=row.case)

        return row_answers(path, cases, numbers_of)


def fields_of(answer: Numbers) -> dict[str, ImageAnswer]:
    """Return the parts that are fields on the image, such as the densities that counts are the sums of."""
    return {name: part for name, part in answer.parts.items() if isinstance(part, ImageAnswer)}


def _known(truth: Any) -> bool:
    """Return whether a truth is a number."""
    return truth is not None and not math.isnan(truth)


def _doubted(answer: Numbers) -> dict[str, Value]:
    """Return each number with its own part of the answer's doubt."""
    if answer.doubt is None:
        return answer.values
    found = {}
    for name, value in answer.values.items():
        sd = answer.doubt.figures.get(f"sd_{name}")
        found[name] = value if sd is None else replace(value, doubt=replace(answer.doubt, figures={"sd": sd}))
    return found


def _together(many: int, coverage: float) -> tuple[str, ...]:
    """Return what promises of single numbers come to for all of them at once; nothing where there is one alone."""
    if many < 2:
        return ()
    least = 100 * (1 - many * (1 - coverage))
    if least <= 0:
        return (f"each of {many} numbers by itself: of all of them at once this promises nothing",)
    return (
        f"each of {many} numbers by itself: all of them at once lie in their intervals in {least:.3g} of 100 at least",
    )


def _alike(answer: Numbers) -> bool:
    """Return whether all numbers have one unit, so that a mean over them is something."""
    return len({value.unit for value in answer.values.values()}) == 1


def _apart(x: Array, y: Array) -> Array:
    """Return how far two numbers are apart over the larger one's size, which has no unit; 0 where both are 0."""
    largest = np.maximum(np.abs(x), np.abs(y))
    return np.asarray(np.abs(x - y) / np.where(largest > 0, largest, 1.0))


def _pairs(card: Scorecard, name: str) -> tuple[list[float], list[float]]:
    """Return a number's answers and truths over the cases where its truth is known."""
    found = [(case.get(f"x/{name}"), case.get(f"y/{name}")) for case in card.cases]
    held = [(x, y) for x, y in found if x is not None and _known(x) and y is not None and _known(y)]
    return [x for x, _ in held], [y for _, y in held]


def _with_units(card: Scorecard, *, always: bool = False) -> dict[str, str]:
    """Return what each number is called, with its unit where they differ, or `always`."""
    several = always or card.unit is None
    units = {name: card.unit_of(f"x/{name}") for name in card.labels}
    return {name: f"{name} ({unit})" if unit and several else name for name, unit in units.items()}


def _shared_unit(card: Scorecard) -> str:
    return f" ({card.unit})" if card.unit else ""


HANDLING = NumbersHandling()
