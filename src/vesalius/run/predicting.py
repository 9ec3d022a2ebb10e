"""A bundle made ready to answer as a predict is told: mirrored, asked in words, in its runtime, guarded, doubting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vesalius.core.bundle import Bundle, Stage
from vesalius.core.errors import PlanError
from vesalius.core.plan import override
from vesalius.core.progress import Progress
from vesalius.core.promise import OWN, PROMISE
from vesalius.infer.choosing import AUTO, choose
from vesalius.infer.clicking import assert_clicked
from vesalius.infer.guarding import guard_of
from vesalius.infer.predictor import Predictor
from vesalius.plan.mirroring import assert_joined
from vesalius.run.asking import asked
from vesalius.run.finished import bundle_of
from vesalius.run.predict_settings import PredictSettings
from vesalius.tasks import contract as tasks


def opened_for(bundle: Bundle, settings: PredictSettings) -> Bundle:
    """Return the bundle asked in words, and with the mirror images, that the settings name.

    Raises PlanError, DataError.
    """
    opened = asked(bundle, settings.words) if settings.words else bundle
    return with_mirror(opened, settings.mirror) if settings.mirror else opened


def predictor_of(
    opened: Bundle,
    settings: PredictSettings,
    *,
    device: str | None,
    cores: int | None,
    cases: int | None,
    progress: Progress,
) -> tuple[Predictor, PredictSettings]:
    """Return what answers `cases` cases (None where nobody knows how many), and the settings with what was chosen.

    Raises PlanError, BundleError, MissingExtra, UnknownName.
    """
    predictor = Predictor(
        opened,
        device=device,
        accept_mismatch=settings.accept_mismatch,
        refuse_unlike=settings.refuse_unlike,
        cores=cores,
        runtime=None if settings.runtime == AUTO else settings.runtime,
    )
    if settings.guidance:
        assert_clicked(predictor)
    choice = choose(predictor, settings.runtime, cases=cases)
    if choice.told:
        progress.note(f"answered by {choice.runtime}: {choice.why}")
    settings = replace(settings, runtime=choice.runtime)
    if settings.guard is not None:
        looks = guard_of(Predictor(bundle_of(settings.guard), device=device, cores=cores))
        predictor, settings = predictor.guarded(looks), replace(settings, guard_hash=looks.hash)
    if settings.doubt is not None:
        predictor = predictor.doubting(settings.doubt, settings.samples)
    return predictor, settings


def with_mirror(bundle: Bundle, axes: Sequence[str]) -> Bundle:
    """Return the bundle with mirror test-time augmentation on those axes. Raises PlanError for an axis that may not be.

    An axis may be mirrored if the plan allows flipping it, which it does not where labels name a side, and if raw
    answers about mirror images can be joined. What it promises was fitted on other answers, and says so.
    """
    stages = []
    for stage in bundle.stages:
        assert_joined(tasks.get(stage.plan.task.name), axes, hint="no --mirror")
        for axis in axes:
            if axis not in stage.plan.augment.flip_axes:
                raise PlanError(
                    f"axis '{axis}' may not be mirrored: the model was not trained on mirrored images",
                    found=", ".join(stage.plan.augment.flip_axes) or "no axis that may be",
                    hint="no --mirror",
                )
        other = set(axes) != set(stage.plan.infer.mirror)
        mirrored = replace(stage, plan=override(stage.plan, {"infer.mirror": list(axes)}))
        stages.append(_inexact(mirrored) if other and stage.calibration.get(PROMISE) else mirrored)
    return replace(bundle, stages=tuple(stages))


def _inexact(stage: Stage) -> Stage:
    """Return a stage whose promise says of itself that it was fitted on answers of other mirror images."""
    record = stage.calibration[PROMISE]
    source = f"{record['on'].get('source', OWN)}, answered with other mirror images"
    return replace(
        stage,
        calibration={**stage.calibration, PROMISE: {**record, "on": {**record["on"], "source": source}}},
    )
