"""Bundle: a trained model as data only, in a sealed folder (see `core/sealed.py`).

BUNDLE/
  bundle.json        stages, in the order they run; members; labels; hash of the data; what was learned from
  plan-0.json        the plan of stage 0, and so on
  state-0.json       what the task learned without gradients;  state-0.safetensors: its arrays
  novelty-0.json     an extra record of stage 0, by its name;  novelty-0.safetensors: its arrays
  weights-0-0.safetensors   stage 0, member 0
  scorecard.json     card.md
  MANIFEST.sha256    one line a file
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from vesalius.core import registry
from vesalius.core.errors import BundleError, CodeError, VesaliusError
from vesalius.core.image import Array
from vesalius.core.learned import Learned
from vesalius.core.learned import parse as parse_learned
from vesalius.core.plan import Plan, parse_plan
from vesalius.core.sealed import Kind, Sealed, damage_named, hash_without, open_sealed, write_sealed
from vesalius.core.shown import Shown, cut
from vesalius.core.words import counted

VERSION = 1
ORIGIN = "origin"  # the extra record of where an imported bundle came from
RECORD = "record"  # the extra record of how a bundle was made, for its card; no answer follows from it
SCORED = ("scorecard.json", "card.md")  # what is sealed into a bundle once it has been scored
BUNDLE = Kind(
    "bundle",
    VERSION,
    source="the folder that `vesalius fit` wrote",
    unfinished="`fit --resume` where it was interrupted",
)


@dataclass(frozen=True)
class State:
    """What a task learned without gradients: `values` go to JSON, `arrays` to safetensors."""

    values: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One step of a bundle: its plan, its state, its members' weight files, and how they are run.

    `takes` says what an earlier stage's answer is to this one: `{"stage": 0, "as": "crop", "margin_mm": 10}`, or
    `{"stage": 0, "as": "channel", "also": [{"stage": 1, "as": "channel"}]}` of several (see `taken`).
    `calibration` is what was fitted on validation: a temperature, thresholds. `extras` are further records by name,
    one word in lower case, such as what tells images apart that are unlike those of training.
    """

    name: str
    plan: Plan
    state: State
    members: tuple[str, ...]
    runtime: str = "torch"
    takes: Mapping[str, Any] | None = None
    calibration: Mapping[str, Any] = field(default_factory=dict)
    extras: Mapping[str, State] = field(default_factory=dict)

    @property
    def taken(self) -> tuple[Mapping[str, Any], ...]:
        """What is taken of each earlier stage; empty where none is."""
        return each_taken(self.takes)


def each_taken(takes: Mapping[str, Any] | None) -> tuple[Mapping[str, Any], ...]:
    """Return what a stage takes, of one earlier stage each."""
    return () if takes is None else (takes, *takes.get("also", ()))


@dataclass(frozen=True)
class Need:
    """A registered name that a bundle answers with and that another package, or a script, brings.

    `origin` is that package with its version, or `vs.register`; `digest` is a hash of the source of the latter.
    """

    kind: str
    name: str
    origin: str
    digest: str = ""


@dataclass(frozen=True)
class Bundle(Shown):
    """An opened bundle. `hash` is the SHA-256 of its manifest: the same hash, the same model.

    `learned` is what its training cases were; None where that is not known, as in bundles of earlier versions. `needs`
    are the registered names that it answers with and that are not Vesalius's own.
    """

    path: Path
    stages: tuple[Stage, ...]
    data_hash: str
    hash: str
    made_by: str
    learned: Learned | None = None
    needs: tuple[Need, ...] = ()

    @property
    def name(self) -> str:
        """What it is called in words."""
        return name_of(self.path)

    def _words(self) -> Iterable[str]:
        yield repr(cut(self.name))
        for stage in self.stages:
            target = f" '{cut(stage.plan.task.target, 30)}'" if stage.plan.task.target else ""
            yield f"{stage.plan.task.name}{target}"
            yield f"{stage.plan.net.name} × {counted(len(stage.members), 'member')}"
        yield f"hash {self.hash[:12]}"

    def torch(
        self,
        *,
        member: int | None = None,
        calibrated: bool = False,
        mirror: bool = True,
        device: str = "cpu",
    ) -> Any:
        """Return the last stage as a plain `torch.nn.Module` in evaluation mode: `infer.module.BundleModule`.

        It takes what `prepare` gives, `(B, C, Z, Y, X)` float32, and returns raw outputs (logits), or with `calibrated`
        the probabilities, or numbers in their unit, that answers have. `member` is one of an ensemble, by default all
        of them; `mirror=False` leaves out the planned mirror images. Raises PlanError for a member that is not there
        and for a task that is not calibrated, BundleError for weights that do not fit.
        """
        module = registry.room("infer.module")
        return module.as_module(self, member=member, calibrated=calibrated, mirror=mirror, device=device)

    def prepare(self, source: Any, *, accept_mismatch: bool = False) -> Any:
        """Return one image as the module takes it, `(1, C, Z, Y, X)` float32, exactly as `predict` prepares it.

        `source` is a path, an `Image`, a `Case`, or pixels in memory (PIL, numpy, torch). A mapping of tensors is
        returned where the task takes more than one (covariates beside the image). Raises DataError's kinds,
        MismatchError for another kind of image than the bundle learned from, unless that is accepted.
        """
        return registry.room("infer.module").prepared(self, source, accept_mismatch=accept_mismatch)

    def features(self, x: Any) -> Any:
        """Return features `(B, F)` of prepared tensors: the mean over space of the deepest map of the first member.

        The model is loaded at the first call and kept; for other members, or another device, see
        `bundle.torch().features`.
        """
        return registry.room("infer.module").features_of(self._module, x)

    def stream(
        self,
        *,
        covariates: Mapping[str, float | str] | None = None,
        texts: Mapping[str, str] | None = None,
        device: str | None = None,
        accept_mismatch: bool = False,
        refuse_unlike: bool = False,
    ) -> Any:
        """Return what answers the frames of a cine as they come: `infer.live.Live`, called with a frame and its time.

        A causal model of cines keeps what it has seen, so that each frame costs the same; a model of pictures answers
        each frame by itself. `covariates` and `texts` are what else is known of the patient; the other options are
        those of `predict`. Raises PlanError for a model that must see all of a cine before it can answer.
        """
        return registry.room("infer.live").Live(
            self,
            covariates=covariates,
            texts=texts,
            device=device,
            accept_mismatch=accept_mismatch,
            refuse_unlike=refuse_unlike,
        )

    @functools.cached_property
    def _module(self) -> Any:
        return self.torch(mirror=False)


def name_of(path: Path | str) -> str:
    """Return a bundle's name in words: its folder's, or that of the run that it lies in."""
    path = Path(path).absolute()
    return path.parent.name if path.name == "bundle" and path.parent.name else path.name


def save_bundle(
    path: Path | str,
    stages: tuple[Stage, ...],
    *,
    data_hash: str,
    made_by: str,
    learned: Learned | None = None,
    texts: Mapping[str, str] | None = None,
) -> Bundle:
    """Write everything but the weights, which lie in `path` already, and seal it.

    `texts` are further files by name (a scorecard, a card). Whatever else lies there is of an earlier writing and
    goes. A crash before the end leaves no bundle.
    """
    path = Path(path)
    head: dict[str, Any] = {
        "made_by": made_by,
        "data_hash": data_hash,
        "stages": [_described(stage) for stage in stages],
    }
    if learned is not None:
        head["learned_from"] = learned.json()
    if needed := needs_of(stages):
        head["needs"] = [asdict(need) for need in needed]
    files: dict[str, str | bytes] = {}
    for k, stage in enumerate(stages):
        files |= _stage_files(k, stage)
    weights = {name for stage in stages for name in stage.members}
    write_sealed(path, BUNDLE, head, {**files, **(texts or {})}, kept=weights)
    return open_bundle(path)


def open_bundle(path: Path | str) -> Bundle:
    """Check every byte against the manifest, then read. A run's folder stands for the bundle inside it.

    Raises BundleError where it is no bundle, is newer than this version, or any file was changed.
    """
    path = Path(path)
    if not (path / BUNDLE.head).is_file() and (path / "bundle" / BUNDLE.head).is_file():
        path = path / "bundle"
    sealed = open_sealed(path, BUNDLE)
    with damage_named(path, BUNDLE):
        head = sealed.head
        needs = tuple(Need(**entry) for entry in head.get("needs", ()))
    for need in needs:
        _assert_there(need, path)
    with damage_named(path, BUNDLE):
        stages = tuple(_read_stage(sealed, k, entry) for k, entry in enumerate(head["stages"]))
        record = head.get("learned_from")
        learned = None if record is None else parse_learned(record)
        return Bundle(path, stages, head["data_hash"], sealed.hash, head["made_by"], learned, needs)


def hash_when_scored(bundle: Bundle) -> str:
    """Return the hash that a bundle had when it was scored: that of its manifest without what scoring added."""
    return hash_without(bundle.path, SCORED)


def needs_of(stages: tuple[Stage, ...]) -> tuple[Need, ...]:
    """Return the registered names that stages answer with and that are not Vesalius's own, each once."""
    found: dict[tuple[str, str], Need] = {}
    for stage in stages:
        plan = stage.plan
        used = [("tasks", plan.task.name), ("losses", plan.loss.name)]
        used += [("nets", net.name) for net in (plan.net, *plan.nets.values())]
        used += [("infer.handover", str(one["as"])) for one in stage.taken]
        for kind, name in used:
            if name in registry.names(kind) and (told := registry.provenance(kind, name)) is not None:
                found[kind, name] = Need(kind, name, told["from"], told.get("digest", ""))
    return tuple(found.values())


def _assert_there(need: Need, path: Path) -> None:
    """Raise BundleError where what a bundle needs is not registered here, or is something else of that name."""
    what = f"{registry.singular(need.kind)} '{need.name}'"
    own = need.origin == registry.REGISTERED
    if need.name not in registry.names(need.kind):
        raise BundleError(
            f"{path} needs the {what}, which is not registered here",
            found="it was registered by the script that trained it" if own else f"it is of {need.origin}",
            hint=f'vs.register("{need.kind}", …) before it is opened'
            if own
            else f"pip install {need.origin}",
        )
    digest = (registry.provenance(need.kind, need.name) or {}).get("digest", "")
    if need.digest and digest and digest != need.digest:
        raise BundleError(
            f"the {what} that is registered here is not the one that {path} was trained with",
            found="another source under the same name",
            hint="the definition of then, or another name for the new one",
        )


def _described(stage: Stage) -> dict[str, Any]:
    """Return what bundle.json says of a stage."""
    return {
        "name": stage.name,
        "members": list(stage.members),
        "runtime": stage.runtime,
        "takes": stage.takes,
        "calibration": dict(stage.calibration),
        **({"extras": list(stage.extras)} if stage.extras else {}),
    }


def _stage_files(k: int, stage: Stage) -> dict[str, str | bytes]:
    """Return the plan, the state and the extra records of the `k`-th stage, as files by name."""
    files: dict[str, str | bytes] = {f"plan-{k}.json": stage.plan.model_dump_json(indent=2) + "\n"}
    for name in stage.extras:
        if not (name.isidentifier() and name.islower()) or name in ("plan", "state", "weights"):
            raise CodeError("an extra record of a bundle needs a name of its own, in lower case", found=name)
    for name, record in {"state": stage.state, **stage.extras}.items():
        files |= _state_files(f"{name}-{k}", record)
    return files


def _state_files(stem: str, state: State) -> dict[str, str | bytes]:
    """Return a state as files by name: its values as JSON, its arrays, where there are any, as safetensors."""
    from safetensors.numpy import save

    files: dict[str, str | bytes] = {f"{stem}.json": json.dumps(state.values, indent=1) + "\n"}
    if state.arrays:
        files[f"{stem}.safetensors"] = save(dict(state.arrays))
    return files


def _read_stage(sealed: Sealed, k: int, entry: Mapping[str, Any]) -> Stage:
    for name in entry["members"]:
        sealed.place(name)  # the weights are loaded later, and then from a file that was checked
    try:
        plan = parse_plan(sealed.json(f"plan-{k}.json"), f"plan-{k}.json")
    except VesaliusError as error:
        raise BundleError(f"{sealed.path}: {error.what}", found=error.found, hint=error.hint) from error
    return Stage(
        name=entry["name"],
        plan=plan,
        state=_read_state(sealed, f"state-{k}"),
        members=tuple(entry["members"]),
        runtime=entry["runtime"],
        takes=entry["takes"],
        calibration=entry["calibration"],
        extras={name: _read_state(sealed, f"{name}-{k}") for name in entry.get("extras", ())},
    )


def _read_state(sealed: Sealed, stem: str) -> State:
    return State(sealed.json(f"{stem}.json"), sealed.arrays(f"{stem}.safetensors"))
