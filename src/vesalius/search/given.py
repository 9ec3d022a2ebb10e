"""A user's search space, from a YAML or JSON file or a mapping: lists and ranges by the plan's paths, all checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, RootModel, model_validator

from vesalius.core.errors import PlanError, UnknownName
from vesalius.core.fields import Unfit, short
from vesalius.core.plan import Plan, override, value_at
from vesalius.core.settings_file import read
from vesalius.nets import describe
from vesalius.plan.rules import Planned, check, for_net
from vesalius.search.space import Choice, Part, Range, Space

FIXED = (  # what a search decides by itself, or what would make trials answer another question
    "task.name", "task.target", "task.positive", "train.steps", "train.members", "train.folds", "train.seed",
    "train.shots", "train.validations", "train.threads", "train.revisions", "train.unlabelled", "train.by",
    "train.select", "train.recipe", "train.varied", "net.init", "preset", "earlier", "takes", "locate",
)  # fmt: skip
HOW = "a list of values, or {low: …, high: …} with log: true where shares count"


class _Values(BaseModel):
    model_config = ConfigDict(extra="forbid")
    values: list[Any] | None = None
    low: float | None = None
    high: float | None = None
    log: bool = False
    only: dict[str, list[Any]] = {}

    @model_validator(mode="before")
    @classmethod
    def _listed(cls, data: Any) -> Any:
        """Take a list for its values."""
        return {"values": data} if isinstance(data, list) else data

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        """Refuse what is neither a list nor a range, or both."""
        ends = self.low is not None and self.high is not None
        if (self.values is None) != ends or (
            self.values is not None and (self.low is not None or self.high is not None)
        ):
            raise Unfit(f"must be {HOW}")
        return self


class _File(RootModel[dict[str, _Values]]):
    """A space's file: by path of the plan what is tried."""


def read_space(
    given: Path | str | Mapping[str, Any], plan: Plan, task: Planned, *, chosen: Sequence[str] = ()
) -> Space:
    """Return the space that a user wrote, over the default `plan` of `task`.

    Raises PlanError and UnknownName: for a path that no plan has, one that is not searched, a value that it does not
    take, a net that does not suit the task, and a range that holds no more than one value.
    """
    if isinstance(given, Mapping):
        try:
            parts = _File.model_validate(dict(given)).root
        except ValueError as error:
            raise PlanError(
                "the space is not one", found=" ".join(str(error).split())[:120], hint=HOW
            ) from error
    else:
        parts = read(Path(given), _File).root
    if not parts:
        raise PlanError("the space is empty", hint=f"NAME: {HOW}")
    for path in parts:
        if path in chosen:
            raise PlanError(
                f"{path} is set, and is to be searched, too", hint=f"no --set {path}, or no such line"
            )
    found = tuple(_part(path, about, plan, task) for path, about in parts.items())
    _assert_options(found, plan)
    paths = [part.path for part in found]
    for part in found:
        for path in part.only:
            value_at(override(plan, {path: part.only[path][0]}), path)
            if path in paths and paths.index(path) > paths.index(part.path):
                raise PlanError(f"{part.path} depends on {path}, which stands after it", hint=f"{path} first")
    planned = {path: value_at(plan, path) for path in {*paths, *(p for part in found for p in part.only)}}
    return Space(found, planned, weights=plan.net.init is not None)


def _part(path: str, about: _Values, plan: Plan, task: Planned) -> Part:
    if path.startswith(FIXED):
        raise PlanError(
            f"{path} is not searched: a search keeps it alike for all trials", hint="--set, or no such line"
        )
    only = {k: tuple(v) for k, v in about.only.items()}
    if about.values is not None:
        if not about.values:
            raise PlanError(f"{path} has no values to try", hint=HOW)
        values = tuple(_taken(plan, task, path, value) for value in about.values)
        return Choice(path, values, "written by the user", only)
    low, high = float(about.low or 0.0), float(about.high or 0.0)
    if not low < high or (about.log and low <= 0):
        raise PlanError(
            f"{path}: a range needs a low end below its high end, above 0 where it is of shares",
            found=f"{low:g} to {high:g}",
        )
    usual = value_at(plan, path)
    whole = isinstance(usual, int) and not isinstance(usual, bool) and low == int(low) and high == int(high)
    for value in (low, high):
        _taken(plan, task, path, int(value) if whole else value)
    return Range(path, low, high, about.log, whole, "written by the user", only)


def _taken(plan: Plan, task: Planned, path: str, value: Any) -> Any:
    """Return a value as a plan takes it there. Raises PlanError, or UnknownName where no plan has such a path."""
    try:
        changed = override(plan, {path: value})
        if path in ("net.name", "loss.name", "train.optimizer", "train.schedule"):
            check(for_net(_bare(changed, path), {path: value}), task)
    except UnknownName:
        raise
    except PlanError as error:
        raise PlanError(
            f"{path} cannot be {short(value)}: {error.what}", found=error.found, hint=error.hint
        ) from error
    return value_at(changed, path)


def _bare(plan: Plan, path: str) -> Plan:
    """Return the plan without the options of what a path names, which are others for another name."""
    section, _, leaf = path.partition(".")
    options = {"net.name": "net.options", "loss.name": "loss.options"}.get(path, f"{section}.{leaf}_options")
    return override(plan, {options: {}})


def _assert_options(parts: Sequence[Part], plan: Plan) -> None:
    """Raise UnknownName for an option of the net that no net of the space has."""
    nets = [v for part in parts if isinstance(part, Choice) and part.path == "net.name" for v in part.values]
    nets = nets or [plan.net.name]
    known = {option for name in nets for option in describe(str(name)).get("OPTIONS", {})}
    for part in parts:
        if part.path.startswith("net.options."):
            option = part.path.removeprefix("net.options.")
            if option not in known:
                raise UnknownName(f"option of {', '.join(map(str, nets))}", option, sorted(known))
