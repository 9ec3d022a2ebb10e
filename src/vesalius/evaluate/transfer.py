"""Transfer: what weights to begin from are worth, by how many labels there are; as numbers, in words and as a page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from vesalius.answers import contract
from vesalius.core import page as pages
from vesalius.core.called import written
from vesalius.core.disk import write_text
from vesalius.core.errors import FormatError
from vesalius.core.frames import as_pandas
from vesalius.core.numbers import finite
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.evaluate.comparison import number, signed
from vesalius.evaluate.pooled import Pooled

TEMPLATE = Path(__file__).parent / "templates" / "transfer.html.j2"
JSON, CSV, PAGE = "transfer.json", "transfer.csv", "transfer.html"
BETTER, WORSE, UNHELPFUL, HELD_AGAINST = "better", "worse", "did not help", "held against"


@dataclass(frozen=True)
class Line:
    """One arm at one number of labels on one test set.

    `labels` is what was asked ("20 labels", "10 %"), `n_labels` and `n_patients` how many of the training cases and
    their patients had one, on average over the seeds, `seconds` and `steps` what a fit took on average, `before_s` what
    its pre-training took. `difference` is this arm less the one that all are held against; `verdict` says whether it
    helped, and `reason` why there is no figure.
    """

    test: str
    labels: str
    arm: str
    words: str
    n_labels: float | None
    n_patients: float | None
    seeds: tuple[int, ...]
    figure: Pooled
    difference: Pooled | None
    verdict: str
    seconds: float | None
    steps: float | None
    before_s: float | None
    reason: str = ""

    @property
    def sentence(self) -> str:
        """The verdict in words, with the difference and its interval."""
        if self.verdict == HELD_AGAINST:
            return "what the others are held against"
        if self.difference is None or self.difference.value is None:
            return self.reason or "no difference is known"
        change = signed(self.difference.value)
        if self.difference.low is None:
            return f"{change}, without an interval"
        span = f"{signed(self.difference.low)} to {signed(self.difference.high)}"
        if self.verdict == UNHELPFUL:
            return f"did not help here: {change} ({span}), and the interval holds 0"
        return f"{self.verdict}: {change} ({span})"


@dataclass(frozen=True)
class Tested:
    """A test set: what it is called, how many cases and patients it has, and the trivial answer's figure on it."""

    name: str
    n_cases: int
    n_patients: int
    trivial: float | None = None
    trivial_is: str = ""


@dataclass(frozen=True, eq=False)
class Transfer(Shown):
    """A transfer table. `metric` is the figure that all lines give, `against` the arm that the others are held against.

    `net` is the net of all arms, `notes` must be read before the figures.
    """

    data: str
    data_hash: str
    answer: str
    target: str
    metric: str
    against: str
    seeds: tuple[int, ...]
    split: str
    patients_known: bool
    tests: tuple[Tested, ...]
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    limit_s: float | None = None
    pretrain_s: float | None = None
    net: str = ""
    resamples: int = 1000
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def called(self) -> str:
        """How the figure is written: `AUC`."""
        return figure_called(self.answer, self.metric)

    @property
    def verdicts(self) -> tuple[str, ...]:
        """What each arm came to, a sentence an arm and test set."""
        found = []
        for test in self.tests:
            for arm, words in self.arms.items():
                lines = [x for x in self.lines if (x.test, x.arm) == (test.name, arm)]
                if arm != self.against and lines:
                    found.append(_summed_up(test.name, words, lines, several=len(self.tests) > 1))
        return tuple(found)

    @property
    def headline(self) -> str:
        """How many comparisons came to what, in a sentence."""
        told = [x.verdict for x in self.lines if x.arm != self.against]
        counts = {verdict: told.count(verdict) for verdict in (BETTER, WORSE, UNHELPFUL, "")}
        said = [f"{counts[BETTER]} of {counted(len(told), 'comparison')} with {self.arms[self.against]} "
                f"{'is' if counts[BETTER] == 1 else 'are'} better", f"{counts[WORSE]} worse"]  # fmt: skip
        said += [f"{counts[UNHELPFUL]} did not help"] if counts[UNHELPFUL] else []
        said += [f"{counts['']} not known"] if counts[""] else []
        return ", ".join(said)

    @property
    def arms(self) -> dict[str, str]:
        """What each arm is called, by name, in their order."""
        return {line.arm: line.words for line in self.lines}

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        return {
            **asdict(self),
            "metric_called": self.called,
            "headline": self.headline,
            "verdicts": list(self.verdicts),
        }

    def to_polars(self) -> Any:
        """Return a row a line as a polars DataFrame."""
        import polars as pl

        return pl.DataFrame([row(line) for line in self.lines])

    def to_pandas(self) -> Any:
        """Return the same as a pandas DataFrame. Raises MissingExtra where pandas is not installed."""
        return as_pandas(self.to_polars())

    def _words(self) -> Iterable[str]:
        yield self.data
        yield f"{counted(len(self.arms), 'arm')}, {counted(len(self.seeds), 'seed')}, {self.called}"
        yield "; ".join(self.verdicts[:4])


def figure_called(answer: str, metric: str) -> str:
    """Return how a figure of a kind of answer is written: `AUC`, or `Dice, liver`."""
    name, _, label = metric.partition("/")
    words = contract.of(answer).metric_names.get(name, name.replace("_", " "))
    return f"{words}, {written(label)}" if label else words


def _summed_up(test: str, words: str, lines: Sequence[Line], *, several: bool) -> str:
    """Return what one arm came to on one test set: where it was better, worse, where it did not help."""
    parts = []
    for verdict, said in (
        (BETTER, "better at"),
        (WORSE, "worse at"),
        (UNHELPFUL, "did not help (the interval holds 0) at"),
        ("", "not known at"),
    ):
        at = [line.labels for line in lines if line.verdict == verdict]
        if at:
            parts.append(f"{said} {', '.join(at)}")
    return f"{words}{f', on {test}' if several else ''}: {'; '.join(parts)}"


def row(line: Line) -> dict[str, Any]:
    """Return one line as plain cells, for a table or a CSV."""
    found = line.difference or Pooled(None, None, None)
    return {
        "test": line.test,
        "labels": line.labels,
        "arm": line.arm,
        "begins": line.words,
        "n_labels": line.n_labels,
        "n_patients": line.n_patients,
        "seeds": len(line.seeds),
        "value": line.figure.value,
        "low": line.figure.low,
        "high": line.figure.high,
        "difference": found.value,
        "difference_low": found.low,
        "difference_high": found.high,
        "verdict": line.verdict or line.reason,
        "seconds": line.seconds,
        "steps": line.steps,
        "pretrain_seconds": line.before_s,
    }


def shown(line: Line) -> dict[str, str]:
    """Return one line as texts, for a person."""
    figure, change = line.figure, line.difference
    span = "" if figure.low is None else f" ({number(figure.low)} to {number(figure.high)})"
    difference = "–" if change is None or change.value is None else signed(change.value)
    if change is not None and change.low is not None:
        difference += f" ({signed(change.low)} to {signed(change.high)})"
    return {
        "labels": line.labels,
        "words": line.words,
        "n": "–" if line.n_labels is None else f"{line.n_labels:.0f}",
        "patients": "–" if line.n_patients is None else f"{line.n_patients:.0f}",
        "value": number(figure.value) + span,
        "difference": difference,
        "verdict": line.verdict if line.verdict != HELD_AGAINST else "–",
        "reason": line.reason,
        "seconds": "–"
        if line.seconds is None
        else f"{line.seconds:.0f}" + (f" + {line.before_s:.0f}" if line.before_s else ""),
        "steps": "–" if line.steps is None else f"{line.steps:.0f}",
        "seeds": str(len(line.seeds)),
        "by_seed": ", ".join(f"{number(v)}" for v in figure.by_seed.values()),
    }


def write(found: Transfer, folder: Path) -> dict[str, Path]:
    """Write `transfer.json`, `.csv` and `.html` into a folder, in place of earlier ones. Raises OutputError."""
    text = io.StringIO()
    rows = [row(line) for line in found.lines]
    table = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(folder / JSON, json.dumps(finite(found.to_json()), indent=1, allow_nan=False) + "\n")
    write_text(folder / CSV, text.getvalue())
    write_text(folder / PAGE, drawn_page(found))
    return {"table": folder / JSON, "csv": folder / CSV, "page": folder / PAGE}


def load(path: Path) -> Transfer:
    """Return the transfer table that `write` left in a folder. Raises FormatError."""
    file = path / JSON if path.is_dir() else path
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        known = {f.name for f in fields(Transfer)}
        lines = tuple(_line(x) for x in data["lines"])
        tests = tuple(Tested(**x) for x in data["tests"])
        kept = {k: v for k, v in data.items() if k in known}
        return Transfer(
            **{
                **kept,
                "lines": lines,
                "tests": tests,
                "seeds": tuple(data["seeds"]),
                "notes": tuple(data["notes"]),
            }
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"{file} is not a transfer table", found=f"{type(error).__name__}: {error}"
        ) from error


def _line(data: Mapping[str, Any]) -> Line:
    change = data["difference"]
    parts = {"figure": _pooled(data["figure"]), "difference": None if change is None else _pooled(change)}
    return Line(**{**data, **parts, "seeds": tuple(data["seeds"])})


def _pooled(data: Mapping[str, Any]) -> Pooled:
    return Pooled(**{**data, "by_seed": {int(k): v for k, v in data["by_seed"].items()}})


def drawn_page(found: Transfer) -> str:
    """Return the page: the verdicts, a curve an arm for each test set, and the table."""
    from vesalius.answers.drawing.arms import curves

    panels = [
        {
            "test": test,
            "svg": curves(
                {line_words: _points(found, test.name, arm) for arm, line_words in found.arms.items()},
                trivial=test.trivial,
                up=found.called,
            ),
            "rows": [{**shown(x), "tone": _tone(x)} for x in found.lines if x.test == test.name],
        }
        for test in found.tests
    ]
    return pages.render(
        TEMPLATE,
        found=found,
        panels=panels,
        verdicts=found.verdicts,
        tone="good" if any(x.verdict == BETTER for x in found.lines) else "open",
        limits=_limits(found),
    )


def _points(found: Transfer, test: str, arm: str) -> list[tuple[float, float, float | None, float | None]]:
    """Return number of labels, value, low and high of an arm, the fewest labels first."""
    points = [
        (x.n_labels, x.figure.value, x.figure.low, x.figure.high)
        for x in found.lines
        if (x.test, x.arm) == (test, arm) and x.n_labels is not None and x.figure.value is not None
    ]
    return sorted(points)


def _tone(line: Line) -> str:
    return {BETTER: "better", WORSE: "worse"}.get(line.verdict, "none")


def _limits(found: Transfer) -> str:
    parts = [] if found.limit_s is None else [f"{found.limit_s:g} s a fit"]
    parts += [] if found.pretrain_s is None else [f"{found.pretrain_s:g} s a pre-training"]
    return ", ".join(parts) or "fixed steps"
