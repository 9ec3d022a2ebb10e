"""Plan: every choice that makes a run, each with its reason; JSON on disk, editable, frozen in memory."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from vesalius.core.channels import COLOURS
from vesalius.core.disk import write_text
from vesalius.core.errors import PlanError, UnknownName, closest_path
from vesalius.core.fields import Unfit, said
from vesalius.core.shown import Shown, cut, size
from vesalius.core.words import counted

VERSION = 1
_Side = Annotated[int, Field(ge=1)]
Size = tuple[_Side, _Side, _Side]
Triple = tuple[float, float, float]
Scalar = bool | int | float | str | None
STAGE_NAME = r"^\w[\w-]*$"  # what a stage before the last may be called


class Section(BaseModel):
    """A part of a plan: frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TaskPlan(Section):
    """Which question is asked of which target; `positive` is the class that sensitivity speaks of."""

    name: str
    target: str | None = None
    positive: str | None = None
    options: dict[str, Scalar] = {}


class Normalisation(Section):
    """What is done to one channel's intensities at the end: clip to `[low, high]`, then the method.

    `method` is a registered name of `prepare/harmonise/` that is not fitted: `zscore` measures mean and sd on each
    image, `fixed` takes the planned ones, `unit` maps `[low, high]` to [-1, 1]. With `masked` it sees, and changes,
    only what is not zero in some channel, holes filled (see `DataPlan.nonzero`).
    """

    method: str
    low: float | None = None
    high: float | None = None
    mean: float | None = None
    sd: float | None = None
    masked: bool = False


class HarmoniseStep(Section):
    """One method of `prepare/harmonise/` with its options, and what was learned of it: one record a channel.

    `fitted` is empty where nothing has been learned yet, or where the method learns nothing from other images.
    """

    method: str
    options: dict[str, Scalar] = {}
    fitted: tuple[dict[str, Scalar | list[float]], ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _named(cls, data: Any) -> Any:
        """Return a step from its method's name alone."""
        return {"method": data} if isinstance(data, str) else data


class HarmonisePlan(Section):
    """How images of different scanners are made comparable, before what `data.normalise` says: steps, in their order.

    `by` is the column that says which scanner an image is from. Without steps but with a `threshold`, `methods` (by
    default all that have a rank) are tried in their order on the training cases until the spread between the scanners
    does not exceed it, and what held becomes the steps.
    """

    steps: tuple[HarmoniseStep, ...] = ()
    by: str | None = None
    threshold: float | None = Field(None, gt=0)
    methods: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _steps(cls, data: Any) -> Any:
        """Return a plan from a word: `nyul`, `n4+nyul`, `by=scanner,threshold=0.05`; or from a list of methods."""
        if isinstance(data, str):
            return _harmonised(data)
        return {"steps": data} if isinstance(data, list | tuple) else data


def _harmonised(text: str) -> dict[str, Any]:
    """Return what a word says of a harmonisation: methods joined by `+`, or NAME=VALUE with commas.

    `method` holds steps joined by `+`, `methods` the ways to try, parted by `|`.
    """
    if "=" not in text:
        return {"steps": [name.strip() for name in text.split("+")]}
    found: dict[str, Any] = {}
    for item in text.split(","):
        name, _, value = (part.strip() for part in item.partition("="))
        if name == "method":
            found["steps"] = [one.strip() for one in value.split("+")]
        else:
            found[name] = value.split("|") if name == "methods" else value
    return found


class ResamplePlan(Section):
    """How values between voxels are found by splines, where that is not linear interpolation along each axis.

    `order` is that of an image's splines, and `back` that of fields on their way back: 0 the nearest, 1 linear. Where
    the voxels of an image, or else the planned ones, are more than `apart` times longer along one axis than along
    another, the longest is resampled by itself, by `apart_order` and on the way back `apart_back`; None for never.
    `planes` leaves slices where they are: only x and y are brought to the planned spacing. `grid` says what two grids
    share: the outer `edges` of their voxels, or the middle of the `first` voxel, from where new ones go on.
    """

    order: int = Field(3, ge=0, le=5)
    back: Literal[0, 1] = 1
    apart: float | None = Field(3.0, gt=1)
    apart_order: Literal[0, 1] = 0
    apart_back: Literal[0, 1] = 0
    planes: bool = False
    grid: Literal["edges", "first"] = "edges"


_AXES = "^(|xyz|zxy|" + "|".join(map("".join, itertools.permutations(("[LR]", "[PA]", "[IS]")))) + ")$"


class DataPlan(Section):
    """How images become a network's input. Sizes are `(Z, Y, X)`, spacings `(x, y, z)` in mm.

    `channel_names` says what each channel is (`red`, `green`, `blue`; `FLAIR`, `T1`); it is empty where that is not
    known, as in the plans of earlier versions. `taken` are images that earlier stages make, by the stage's name, with
    what each of their channels is called: the net is given them behind the planned channels, on the same grid and
    never normalised. `harmonise` is what is done to intensities before `normalise`; None for nothing.

    `nonzero` cuts an image to the box of what is not zero in some channel before anything else is measured; an answer
    outside of it is nothing. `normalise_first` normalises before it resamples. `resample` is how it resamples; None is
    linear, and smooth where it shrinks. `axes` says where the axes of the prepared array run to, in their order, which
    sizes and spacings are then of: three letters such as `RAS` of L or R, P or A, I or S; `xyz` as the file has them, x
    first; `zxy` planes as they are, x before y; empty for ours, `SPL` where `canonical`. These four are how some other
    tools prepare the images of their models.
    """

    dims: Literal[2, 3]
    images: tuple[str, ...] = ("image",)
    channels: int = Field(ge=1)
    channel_names: tuple[str, ...] = ()
    sampling: Literal["whole", "patches"]
    size: Size
    spacing_mm: Triple | None = None
    normalise: tuple[Normalisation, ...]
    harmonise: HarmonisePlan | None = None
    canonical: bool = True
    nonzero: bool = False
    normalise_first: bool = False
    resample: ResamplePlan | None = None
    axes: str = Field("", pattern=_AXES)
    taken: dict[str, tuple[str, ...]] = {}

    @model_validator(mode="after")
    def _body_known(self) -> DataPlan:
        """Refuse a normalisation inside of what is not zero where that was not looked for, or is resampled already."""
        if self.spacing_mm is not None and min(self.spacing_mm) <= 0:
            raise Unfit("spacing_mm must be above 0", found=str(list(self.spacing_mm)))
        if any(n.masked for n in self.normalise) and not (self.nonzero and self.normalise_first):
            raise Unfit("masked needs nonzero and normalise_first as well", found="normalise with masked")
        return self

    @property
    def inputs(self) -> int:
        """How many channels a net is given: those of the planned images, and behind them what earlier stages made."""
        return self.channels + sum(len(names) for names in self.taken.values())

    @property
    def intensities(self) -> tuple[str, ...]:
        """What is done to intensities, in order: steps that make scanners comparable, then how they are normalised."""
        steps = self.harmonise.steps if self.harmonise is not None else ()
        return tuple(dict.fromkeys([*(step.method for step in steps), *(n.method for n in self.normalise)]))

    def names_of(self, k: int) -> tuple[str, ...]:
        """Return what the channels of the `k`-th image are called; empty where that is not known.

        Three channels that all share the scale of 8-bit pictures, 0 to 255, were planned for colours, also by
        versions that did not yet write their names down.
        """
        each = self.channels // len(self.images)
        if len(self.channel_names) == self.channels:
            return self.channel_names[k * each : (k + 1) * each]
        eight_bits = all(n.method == "fixed" and (n.low, n.high) == (0.0, 255.0) for n in self.normalise)
        return COLOURS if each == len(COLOURS) and eight_bits else ()


class SourcesPlan(Section):
    """What of a case goes into an answer about the whole of it, beside a single image, and how it comes together.

    As it stands here, as in the plans of earlier versions, that is one image without time, or several as channels on
    one grid. `apart` are images that are each seen by an encoder at a size of their own, `(Z, Y, X)`, by the name or
    by the role of several (`view` for `view#1`, `view#2`); `shared` says that one encoder sees them all. `frames` is
    how many frames of an image that has time are looked at, spread over all of it, 0 where images have no time; with
    `causal` an answer about a frame stands on it and those before, which are all seen, one after the other. `visits`
    is how many visits are looked at, of which the last is the case's own. `courses` and `texts` are those that are
    read, by name. A text is a bag of words, or read piece by piece where `nets` has a net of its name; `tokenizer`
    then parts it into at most `vocabulary` different pieces, of which the first `longest` of a text are read.
    `vectors` says by the name of an earlier stage how many features its net has, where it gives these. What is seen
    of each goes over time through `nets.time`, where one is planned, and then together by `fusion`: `attention`
    (gated: Ilse et al. 2018, ICML), `concat` (of what is there, zeros elsewhere) or `late` (an answer from each, and
    their weighted mean); `beside` is what earlier versions did: nothing but covariates beside the features of one
    image. `drop` is the chance with which a training case is shown without one of its sources, each by itself, so
    that any subset is answered.
    """

    apart: dict[str, Size] = {}
    shared: bool = False
    frames: int = Field(0, ge=0)
    causal: bool = False
    visits: int = Field(1, ge=1)
    courses: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    tokenizer: str = "words"
    vocabulary: int = Field(4000, ge=100)
    longest: int = Field(128, ge=2, le=4096)
    vectors: dict[str, Annotated[int, Field(ge=1)]] = {}
    fusion: Literal["beside", "attention", "concat", "late"] = "beside"
    drop: float = Field(0.0, ge=0, lt=1)

    @property
    def joined(self) -> bool:
        """Return whether sources come together in one vector, each seen by itself."""
        return self.fusion != "beside"

    @property
    def timed(self) -> bool:
        """Return whether an image's frames or visits are looked at."""
        return self.frames > 0 or self.visits > 1


class AugmentPlan(Section):
    """Random changes to training batches; each is drawn a sample at a time, on the device.

    Each number is how far a change goes at most, 0 for not at all: `translate`, `crop` and `cutout` as shares of the
    extent, `elastic` a standard deviation as such a share (0.02 bends visibly), `zoom`, `contrast` and `gamma` as
    shares of 1 either way, `noise` and `brightness` in standard deviations of the normalised image, `blur` a share of
    the blurred image, `mixup` the parameter of its Beta distribution. `options` are those of further transforms, by
    their registered names in `prepare/transforms/`; one that is named there takes its turn.
    """

    probability: float = Field(0.5, ge=0, le=1)
    rotate_deg: float = 0.0
    rotate_in_plane_only: bool = False
    translate: float = 0.0
    shear: float = 0.0
    zoom: float = 0.0
    flip_axes: tuple[Literal["z", "y", "x"], ...] = ()
    elastic: float = 0.0
    crop: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    gamma: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    options: dict[str, dict[str, Scalar]] = {}


class NetPlan(Section):
    """The network: a registered name, its dial of width and depth, and its own options.

    An option that is a JSON object, such as another library's config, is kept as its text.
    """

    name: str
    scale: float = Field(1.0, gt=0, le=16)
    dropout: float = Field(0.0, ge=0, lt=1)
    init: str | None = None
    options: dict[str, Scalar | list[int] | list[list[int]]] = {}

    @field_validator("options", mode="before")
    @classmethod
    def _objects_as_text(cls, options: Any) -> Any:
        """Return the options with each JSON object as its text, as `--set` reads one."""
        if not isinstance(options, Mapping):
            return options
        return {k: json.dumps(v, sort_keys=True) if isinstance(v, Mapping) else v for k, v in options.items()}


class LossPlan(Section):
    """The loss: a registered name, label smoothing, weights (the inverse of a class's share, or its root), own options.

    The name is `own` where the task brings its own loss.
    """

    name: str
    class_weights: Literal["none", "root", "balanced"] = "none"
    smoothing: float = Field(0.0, ge=0, lt=1)
    deep_supervision: bool = False
    options: dict[str, Scalar] = {}


class Revision(Section):
    """What the clock changed while a member was trained: from `step` on, that many `steps` in all and `threads`.

    A member's first revision is at step 0 and says what it began with; without `threads` they stay as they were.
    """

    stage: str
    member: int = Field(ge=0)
    step: int = Field(ge=0)
    steps: int = Field(ge=1)
    threads: int | None = Field(None, ge=1)


class PhasePlan(Section):
    """A part of a member's training: a `share` of its steps, at `rate` × `train.lr`, some of the model frozen.

    `frozen` names what keeps its weights and its statistics: `encoder`, a part of it by depth (`encoder:4` the four
    depths nearest to the input, `encoder:-2` all but the deepest two, `encoder:75%` so much of them), or parts of the
    model by name (`net.stem`). Each phase has the planned warm-up and the planned schedule to itself.
    """

    share: float = Field(gt=0, le=1)
    frozen: tuple[str, ...] = ()
    rate: float = Field(1.0, gt=0, le=10)


class TrainPlan(Section):
    """How the weights are found. `steps` is the number of optimiser steps of one member, the most that one made.

    `optimizer` and `schedule` are registered names of `optimisers/` and `schedules/`, each with options of its own.
    `recipe` is a registered name of `learn/recipes/`, and `recipe_options` are its own options. `unlabelled` is how
    many cases without the target it learns from at most, where it learns from such: drawn by the seed; None for all.

    `shots` is how many cases of each label are learned from, drawn from those that there are; the others validate. None
    learns from all.

    `by` is the column by whose groups `select=worst_group`, `balance_groups` and `group_thresholds` go, and `by_bounds`
    are the numbers from which its bands begin (see `run/grouped.py`).

    `layer_decay` is how much lower the learning rate of weights that were taken over is with each depth of the net
    towards the input, counted from its head; 1 is the same rate for all (see `learn/layers.py`).

    `enough` is how many steps are made where there is time, as a share of what is enough for so many cases. `phases`
    follow one another, with parts of the model frozen (see `learn/phases.py`); without any, all of it learns.

    `devices` is how many processes share each step: `batch` is that of all of them together.

    `lora` is the rank of low-rank adapters beside the encoder's linear layers, which learn in place of its own weights
    (see `learn/adapters.py`); 0 is none.

    `varied` says what is other for single members, by path of the plan: of n entries the k-th is for the members k,
    k + n, k + 2n … (see `run/varied.py`). Without any, all members are trained alike.

    `revisions` are written when a run ends whose number of steps, or of threads, followed the clock; a run that is
    given such a plan makes the same changes at the same steps, whatever its own clock says.
    """

    steps: int = Field(ge=1)
    batch: int = Field(ge=1)
    members: int = Field(1, ge=1)
    shots: int | None = Field(None, ge=1)
    folds: int = Field(5, ge=2)
    optimizer: str = "adamw"
    optimizer_options: dict[str, Scalar] = {}
    lr: float = Field(1e-3, gt=0)
    layer_decay: float = Field(1.0, gt=0, le=1)
    weight_decay: float = Field(0.01, ge=0)
    schedule: str = "cosine"
    schedule_options: dict[str, Scalar] = {}
    warmup: float = Field(0.05, ge=0, lt=1)
    ema: float = Field(0.0, ge=0, lt=1)
    clip_norm: float | None = 1.0
    precision: Literal["fp32", "bf16"] = "fp32"
    foreground: float = Field(0.0, ge=0, le=1)
    balance: bool = False
    balance_groups: bool = False
    group_thresholds: Literal["none", "best", "sensitivity"] = "none"
    by: str | None = None
    by_bounds: tuple[float, ...] = ()
    validations: int = Field(10, ge=1)
    select: Literal["best", "last", "worst_group"] = "best"
    checkpoint_every_s: float = Field(60.0, gt=0)
    patience: int | None = Field(None, ge=1)
    threads: int | None = Field(None, ge=1)
    devices: int = Field(1, ge=1, le=1024)
    seed: int = Field(0, ge=0)
    recipe: str = "supervised"
    recipe_options: dict[str, Scalar] = {}
    unlabelled: int | None = Field(None, ge=0)
    enough: float = Field(1.0, gt=0, le=10)
    phases: tuple[PhasePlan, ...] = ()
    lora: int = Field(0, ge=0)
    varied: tuple[dict[str, Scalar], ...] = ()
    revisions: tuple[Revision, ...] = ()

    @field_validator("phases")
    @classmethod
    def _whole(cls, phases: tuple[PhasePlan, ...]) -> tuple[PhasePlan, ...]:
        """Refuse phases that are not all of the training, or more than it."""
        total = sum(phase.share for phase in phases)
        if phases and abs(total - 1) > 1e-6:
            raise Unfit("the shares of its entries must make 1 together", found=f"{total:g}")
        return phases

    @model_validator(mode="before")
    @classmethod
    def _momentum_of_before(cls, data: Any) -> Any:
        """Take the momentum of earlier versions, which stood in every plan, for an option of the optimiser `sgd`."""
        if not isinstance(data, dict) or "momentum" not in data:
            return data
        kept = {name: value for name, value in data.items() if name != "momentum"}
        if kept.get("optimizer") == "sgd":
            kept["optimizer_options"] = {"momentum": data["momentum"], **kept.get("optimizer_options", {})}
        return kept


class InferPlan(Section):
    """How answers are made: tile overlap, axes to mirror, tiles a batch; and what tells strange cases.

    `novelty` is a registered name of `infer/novelty/`, which looks for cases unlike those of training, or `none`, as in
    the plans of earlier versions. It is fitted on `novelty_cases` at most, of which those that were not learned from
    decide where the alarm is raised: of cases like them `alarm_rate` raise it, or the smallest share that so many can
    promise.

    `tiling` is how tiles lie and count: `even`, or `nnunet`, whose steps are that share of a tile at most, rounded one
    by one, and whose Gaussian peaks at the voxel n // 2 of a tile.
    """

    overlap: float = Field(0.5, ge=0, lt=1)
    tiling: Literal["even", "nnunet", "monai", "monai-constant"] = "even"
    mirror: tuple[Literal["z", "y", "x"], ...] = ()
    batch: int = Field(1, ge=1)
    novelty: str = "none"
    novelty_cases: int = Field(500, ge=1)
    alarm_rate: float = Field(0.01, gt=0, lt=0.5)


class LocatePlan(Section):
    """A first, coarse stage that finds where to look; the main stage sees its box and `margin_mm` around it."""

    spacing_factor: float = Field(2.0, gt=1)
    margin_mm: float = Field(10.0, ge=0)
    share: float = Field(0.3, gt=0, lt=1)


class TakesPlan(Section):
    """What a stage is given of the earlier stage of that number, from 0: a registered name of `infer/handover/`.

    `crop` is the part of each image around what that stage found, with `margin_mm`. `also` are what it is given of
    further stages.
    """

    stage: int = Field(0, ge=0)
    how: str = "crop"
    margin_mm: float = Field(10.0, ge=0)
    also: tuple[TakesPlan, ...] = ()


class EarlierPlan(Section):
    """A stage that is trained, and answers, before the last one: with its own task and target where they are others.

    `settings` are what is other for it than for the last stage, by path (`{"task.target": "liver"}`). Without steps of
    its own it makes `share` as many as the last stage, and it has that part of the time. `takes` is what it is given
    of a stage before it. `bundle` is the hash of a bundle whose last stage it is: it is not trained, and has neither
    settings nor a share of the time.
    """

    name: str = Field(pattern=STAGE_NAME)
    settings: dict[str, Any] = {}
    takes: TakesPlan | None = None
    share: float = Field(0.3, gt=0, le=1)
    bundle: str | None = None


class Plan(Shown, Section):
    """A whole run. `reasons['train.steps']` is the rule that set that value, or 'set by the user'.

    All but `earlier` is of the last stage, which gives the answer; most plans have no other. The answers of the stages
    in `earlier`, in their order, are parts of it, and `takes` is what it is given of one of them. `nets` are further
    networks by the names that the task gives them, beside `net`. `preset` names the preset that it was made with.
    """

    version: int = VERSION
    preset: str | None = None
    task: TaskPlan
    data: DataPlan
    sources: SourcesPlan = SourcesPlan()
    augment: AugmentPlan = AugmentPlan()
    net: NetPlan
    nets: dict[str, NetPlan] = {}
    loss: LossPlan
    train: TrainPlan
    infer: InferPlan = InferPlan()
    locate: LocatePlan | None = None
    earlier: tuple[EarlierPlan, ...] = ()
    takes: TakesPlan | None = None
    reasons: dict[str, str] = {}
    fingerprint: dict[str, Any] = {}

    def _words(self) -> Iterable[str]:
        yield self.task.name + (f" '{cut(self.task.target, 30)}'" if self.task.target else "")
        yield self.net.name + (f" at scale {self.net.scale:g}" if self.net.scale != 1 else "")
        yield f"{self.data.sampling} {size(self.data.size)}"
        if self.data.spacing_mm is not None:
            yield "×".join(f"{s:.4g}" for s in self.data.spacing_mm) + " mm"
        yield f"{counted(self.train.steps, 'step')} of {self.train.batch}"
        yield counted(self.train.members, "member")
        if self.earlier:
            yield f"after {', '.join(e.name for e in self.earlier)}"

    def __str__(self) -> str:
        return repr(self)


USER = "set by the user"
AS_MANY = "as many as its recipe makes"  # the reason for steps that follow from no time
STAGED = (
    "task",
    "data",
    "sources",
    "augment",
    "net",
    "nets",
    "loss",
    "train",
    "infer",
)  # sections of every stage
_AFTER = "the plan with what was set"
MOVED = {
    "train.momentum": "train.optimizer_options.momentum"
}  # what settings of earlier versions are called now


def load_plan(path: Path | str) -> Plan:
    """Read a `plan.json`. Raises PlanError where it is not one, is newer than this version, or has a bad field."""
    path = Path(path)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise PlanError(f"no plan at {path}", hint=closest_path(path, "the path of a plan.json")) from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise PlanError(f"{path} is not a plan", found=str(error), hint="the plan.json of a run") from error
    return parse_plan(data, str(path))


def parse_plan(data: Any, where: str = "the plan") -> Plan:
    """Return a Plan from parsed JSON. Raises PlanError or UnknownName, naming the field."""
    if not isinstance(data, dict):
        raise PlanError(f"{where} must be a JSON object", found=type(data).__name__)
    needed = [name for name, info in Plan.model_fields.items() if info.is_required()]
    if not any(name in data for name in needed):
        raise PlanError(
            f"{where} is not a plan",
            found=f"a JSON object without {', '.join(needed)}",
            hint="the plan.json of a run",
        )
    version = data.get("version", VERSION)
    if not isinstance(version, int) or version > VERSION:
        raise PlanError(
            f"{where} is of version {version}, newer than this Vesalius reads ({VERSION})",
            hint="a newer Vesalius, or a plan made by this one",
        )
    try:
        return Plan.model_validate(data)
    except ValidationError as error:
        lacking = [".".join(map(str, e["loc"])) for e in error.errors() if e["type"] == "missing"]
        if lacking:
            raise PlanError(f"{where} lacks {', '.join(lacking)}", hint="the plan.json of a run") from error
        first = error.errors()[0]
        field = ".".join(str(p) for p in first["loc"])
        if first["type"] == "extra_forbidden":
            raise UnknownName("plan field", field, _fields()) from error
        value = first.get("input")
        listed = first["type"] in ("tuple_type", "list_type") and isinstance(value, str)
        what, found, hint = said(first)
        raise PlanError(
            f"{where}: {field}{what}", found=found, hint=f"{field}={_as_list(str(value))}" if listed else hint
        ) from error


def _as_list(text: str) -> str:
    """Return what `16,32,32` should have been."""
    return json.dumps([_parse(item.strip()) for item in text.split(",")], separators=(",", ":"))


def save_plan(plan: Plan, path: Path | str) -> None:
    """Write `plan.json`, whole or not at all."""
    write_text(Path(path), plan.model_dump_json(indent=2) + "\n")


def steps_fixed(plan: Plan) -> bool:
    """Return whether the number of steps is a user's or its recipe's, so that no clock changes it."""
    return plan.reasons.get("train.steps", "").startswith((USER, AS_MANY))


def override(plan: Plan, settings: Mapping[str, Any], *, reason: str = USER) -> Plan:
    """Return a new plan with `{'train.steps': 500, …}` set, and the reason recorded for each.

    Values may be text as typed on a command line: JSON where it parses, plain text otherwise. A section that
    is absent (`locate`) is made when one of its fields is set, and removed by `null`. `earlier.NAME.net.scale` is that
    field of the earlier stage of that name.
    Raises UnknownName (with the closest fields) or PlanError (with what the field takes).
    """
    data = plan.model_dump()
    for path, raw in settings.items():
        path = MOVED.get(path, path)
        value = _parse(raw) if isinstance(raw, str) else raw
        if path.startswith("earlier."):
            data = _set_in_stage(parse_plan(data, _AFTER), path, value)
        else:
            _set(data, path, value)
        data["reasons"][path] = reason
    return parse_plan(data, _AFTER)


def value_at(plan: Plan, path: str) -> Any:
    """Return what a plan says at a path, as plain data; None where it says nothing."""
    top, _, inner = path.partition(".")
    if top == "earlier" and inner:
        name, _, field = inner.partition(".")
        stages = [stage for stage in plan.earlier if stage.name == name]
        own = stages[0].model_dump() if stages else {}
        return own.get("settings", {}).get(field, _value_in(own, field))
    return _value_in(plan.model_dump(), path)


def _value_in(data: Any, path: str) -> Any:
    for part in path.split("."):
        data = data.get(part) if isinstance(data, Mapping) else None
    return data


def _set(data: dict[str, Any], path: str, value: Any) -> None:
    """Set one value in a plan's plain data. Raises UnknownName."""
    known = _fields()
    *parents, leaf = path.split(".")
    own = _free(path, known)
    node: Any = data
    for parent in parents:
        if not isinstance(node, dict) or (parent not in node and not own):
            raise UnknownName("plan field", path, known)
        if node.get(parent) is None:
            node[parent] = {}
        node = node[parent]
    if (path not in known and not own) or not isinstance(node, dict):
        raise UnknownName("plan field", path, known)
    node[leaf] = value


def _set_in_stage(plan: Plan, path: str, value: Any) -> dict[str, Any]:
    """Return a plan's plain data with one value of an earlier stage set. Raises UnknownName or PlanError."""
    _, name, *inner = path.split(".")
    places = {stage.name: k for k, stage in enumerate(plan.earlier)}
    if name not in places:
        first = None if places else f"""first --set 'earlier=[{{"name": "{name}"}}]'"""
        raise UnknownName("earlier stage", name, places, hint=first)
    field = ".".join(inner)
    field = MOVED.get(field, field)
    beside = [k for k in _fields(EarlierPlan) if k not in ("name", "settings")]
    known = [k for k in _fields() if k.partition(".")[0] in STAGED]
    if field not in (*beside, *known) and not _free(field, known):
        raise UnknownName("plan field", path, [f"earlier.{name}.{k}" for k in (*beside, *known)])
    data = plan.model_dump()
    own = data["earlier"][places[name]]
    if field in beside:
        section, _, leaf = field.partition(".")
        own[section] = {**(own[section] or {}), leaf: value} if leaf else value
    else:
        trial = plan.model_dump()
        _set(trial, field, value)
        parse_plan(trial, f"after --set, the stage '{name}'")
        own["settings"] = {**own["settings"], field: value}
    return data


def _free(path: str, known: Sequence[str]) -> bool:
    """Return whether a path lies where names are free: in the options of what is registered, or of further nets."""
    return any(path.startswith(f"{k}.") for k in known if k == "nets" or k.endswith("options"))


def _parse(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def _fields(model: type[BaseModel] = Plan, prefix: str = "") -> list[str]:
    found: list[str] = []
    for name, info in model.model_fields.items():
        if name in ("reasons", "fingerprint", "version", "preset"):
            continue
        found.append(prefix + name)
        annotation: Any = info.annotation
        if get_origin(annotation) in (tuple, dict):  # a list is set whole, and names are the task's own
            continue
        options = [annotation, *getattr(annotation, "__args__", ())]
        for option in options:
            if isinstance(option, type) and issubclass(option, Section):
                found += _fields(option, f"{prefix}{name}.")
    return found
