"""What a search came to: its trials, the best beside the default plan, the verdict, and the run that was trained."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vesalius.core.errors import FormatError
from vesalius.core.numbers import finite
from vesalius.core.shown import Shown
from vesalius.core.words import counted
from vesalius.search.space import as_yaml
from vesalius.search.store import DEFAULT, DONE, FAILED, PRUNED, Trialled
from vesalius.search.verdict import Finalist, Gain, Verdict

JSON, PAGE, SPACE = "search.json", "search.html", "space.yaml"


@dataclass(frozen=True)
class TestFigure:
    """The figure of the run's report on its test cases, scored once, with its interval."""

    __test__ = False  # no test of pytest's

    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, eq=False)
class Search(Shown):
    """A search. `primary` is the figure that trials are scored by, larger is better, on `cases` that no trial learned
    from, and `by` whether it is that figure itself or, where it is not defined, the loss.

    `seconds` is how long each trial was trained, None where its steps were counted. `space` is the search space, with
    the reason of each part in `reasons`. `finalists` are the best trials, the best first. `verdict` says which is
    taken. `run` is the folder of the run that was trained with it, None where there is none yet, and `test` what it
    came to; `members` are the trials that its members follow in turn. `notes` must be read before the figures.
    """

    data: str
    data_hash: str
    task: str
    target: str | None
    primary: str
    by: str
    sampler: str
    seed: int
    asked: int
    seconds: float | None
    cases: int
    patients: int
    space: Mapping[str, Any]
    reasons: Mapping[str, str]
    default: Mapping[str, Any]
    trials: tuple[Trialled, ...] = ()
    finalists: tuple[Finalist, ...] = ()
    verdict: Verdict | None = None
    importance: Mapping[str, float] = field(default_factory=dict)
    run: str | None = None
    members: tuple[int, ...] = ()
    test: TestFigure | None = None
    notes: tuple[str, ...] = ()

    @property
    def done(self) -> tuple[Trialled, ...]:
        """The trials that were finished."""
        return tuple(t for t in self.trials if t.state == DONE and t.score is not None)

    @property
    def best(self) -> Trialled | None:
        """The trial with the highest score, which is too high: it was chosen for it."""
        return max(self.done, key=lambda t: (t.score, -t.number), default=None)

    @property
    def chosen(self) -> Trialled | None:
        """The trial whose plan was taken; None for the default plan."""
        number = self.verdict.chosen if self.verdict else None
        return next((t for t in self.trials if t.number == number), None)

    @property
    def default_score(self) -> float | None:
        """What the default plan came to on the search's own fold."""
        return next((t.score for t in self.done if t.number == DEFAULT), None)

    @property
    def counted(self) -> str:
        """How many trials came to what, in words."""
        states = {DONE: "finished", PRUNED: "ended early", FAILED: "failed"}
        parts = [f"{n} {word}" for state, word in states.items() if (n := self._many(state))]
        rest = len(self.trials) - sum(self._many(state) for state in states)
        return ", ".join([*parts, *([f"{rest} not finished"] if rest else [])]) or "none begun"

    @property
    def luck(self) -> str:
        """What the score of the best owes to its being chosen, in a sentence; empty where there is no other plan."""
        if not self.finalists:
            return ""
        first, many = self.finalists[0], counted(len(self.done), "trial")
        told = f"Of {many} the best beside the default plan scored {first.score:.3f} on {self._held()}"
        told += "; it was chosen by that score, which is therefore too high"
        if first.optimism is None or first.confirmed is None:
            return f"{told}, and no other folds were measured to say by how much."
        luck = f"{first.optimism:+.3f} of it was luck" if first.optimism > 0 else "none of it was luck"
        return (
            f"{told}. Trial {first.number} gained {first.found.value:+.3f} over the default plan there and "
            f"{first.confirmed.value:+.3f} on {counted(first.confirmed.folds, 'fold')} that the search did not see: "
            f"{luck}."
        )

    @property
    def space_text(self) -> str:
        """The space as YAML, to be edited and given back."""
        return as_yaml(self.space, self.reasons)

    def to_json(self) -> dict[str, Any]:
        """Return all of it as JSON takes it."""
        found = {
            **asdict(self),
            "trials": [_row(t) for t in self.trials],
            "counted": self.counted,
            "luck": self.luck,
            "finalists": [{**asdict(f), "optimism": f.optimism} for f in self.finalists],
        }
        result: dict[str, Any] = finite(found)
        return result

    def to_polars(self) -> Any:
        """Return a row a trial as a polars DataFrame."""
        import polars as pl

        rows = [
            {**{k: v for k, v in _row(t).items() if k != "settings"}, **{p: _cell(t, p) for p in self.space}}
            for t in self.trials
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    def _many(self, state: str) -> int:
        return sum(t.state == state for t in self.trials)

    def _held(self) -> str:
        return f"{counted(self.cases, 'validation case')} of {counted(self.patients, 'patient')}"

    def _words(self) -> Iterable[str]:
        yield self.data
        yield f"{counted(len(self.trials), 'trial')} by {self.sampler}, {self.primary}"
        if self.verdict is not None:
            yield self.verdict.why


def _row(trial: Trialled) -> dict[str, Any]:
    told = {k: v for k, v in trial.result.items() if k in ("steps", "seconds", "parameters", "wall_s")}
    about = {"number": trial.number, "state": trial.state, "score": trial.score, "reason": trial.reason}
    return {**about, "settings": dict(trial.settings), **told}


def _cell(trial: Trialled, path: str) -> str | float | None:
    value = trial.settings.get(path)
    return value if value is None or isinstance(value, int | float | str) else json.dumps(value)


def load(path: Path) -> Search:
    """Return the search that `write` left in a folder. Raises FormatError."""
    file = path / JSON if path.is_dir() else path
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        trials = tuple(_trial(t) for t in data.pop("trials"))
        finalists = tuple(_finalist(f) for f in data.pop("finalists"))
        verdict = data.pop("verdict")
        test = data.pop("test")
        data = {k: v for k, v in data.items() if k not in ("counted", "luck")}
        return Search(
            **{**data, "notes": tuple(data["notes"]), "members": tuple(data["members"])},
            trials=trials,
            finalists=finalists,
            verdict=None if verdict is None else Verdict(**verdict),
            test=None if test is None else TestFigure(**test),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(f"{file} is not a search", found=f"{type(error).__name__}: {error}") from error


def _trial(data: Mapping[str, Any]) -> Trialled:
    about = {k: data[k] for k in ("number", "state", "settings", "score", "reason")}
    return Trialled(**about, result={k: v for k, v in data.items() if k not in about})


def _finalist(data: Mapping[str, Any]) -> Finalist:
    other = data["confirmed"]
    confirmed = None if other is None else Gain(**other)
    return Finalist(data["number"], data["score"], Gain(**data["found"]), confirmed)


def different(settings: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is other in a trial's settings than in the default plan."""
    return {path: value for path, value in settings.items() if value != default.get(path)}


def in_words(settings: Mapping[str, Any], default: Mapping[str, Any]) -> str:
    """Return what is other in a trial's plan than in the default one, in a line."""
    parts: Sequence[str] = [f"{p}={_short(v)}" for p, v in different(settings, default).items()]
    return ", ".join(parts) or "the default plan"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, str) else json.dumps(value)
