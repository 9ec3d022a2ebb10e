"""An archive answered from its beginning, or gone on with: its folder, its list, its leader, its tables."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius.core.bundle import Bundle
from vesalius.core.disk import assert_apart, held, new_folder
from vesalius.core.errors import DataError, Interrupted, MismatchError, OutputError, PlanError
from vesalius.core.progress import Progress
from vesalius.core.words import counted
from vesalius.infer.drifting import reference_of
from vesalius.plan import machine as machines
from vesalius.run.archive import servers, tables
from vesalius.run.archive.lead import Lead
from vesalius.run.archive.listing import fingerprint, studies_of
from vesalius.run.archive.order import Order
from vesalius.run.archive.pool import Pool
from vesalius.run.archive.processes import Processes
from vesalius.run.archive.staging import tidy
from vesalius.run.archive.studies import FILE, WAITING, Studies
from vesalius.run.archive.told import Archive
from vesalius.run.finished import bundle_of
from vesalius.run.ledger import MARK, assert_alike
from vesalius.run.past import keep_origin
from vesalius.run.predict_settings import PredictSettings
from vesalius.run.predicting import opened_for, predictor_of
from vesalius.run.predictions import Predictions
from vesalius.run.stopping import all_or_nothing

PATIENCE_S = 5.0  # for what is in work at Ctrl-C
PoolOf = Callable[[Order], Pool]


def answer_archive(
    bundle: Path | str,
    source: Path | str,
    out: Path,
    *,
    archive: Archive,
    settings: PredictSettings,
    device: str | None,
    resume: bool,
    progress: Progress,
    pool_of: PoolOf | None = None,
) -> Predictions:
    """Answer every study of a folder or a server; `pool_of` makes who works, by default processes of this machine.

    Raises DataError for a source that is no archive, OutputError for a folder of answers that holds something else, or
    that another process fills, MismatchError where the studies are of another kind than the bundle learned from, and
    Interrupted where Ctrl-C was pressed, after what is done was kept.
    """
    before = _before(out) if resume else {}
    archive = _completed(archive, before)
    order = _order(bundle, source, out, archive, settings.completed(before) if resume else settings, device)
    if resume:
        _assert_known(out)
    else:
        out = _new(out)
    with held(out):
        ledger = Studies(out)
        try:
            with nullcontext() if resume else all_or_nothing(out):
                order = _ready(ledger, order, archive, progress, out=out, resume=resume)
                pool = (
                    pool_of(order)
                    if pool_of is not None
                    else Processes(order, archive.workers, case_limit_s=archive.case_limit_s)
                )
            _led(ledger, pool, order, archive, progress, source=str(source))
            return _predictions(ledger, order)
        finally:
            ledger.close()


def _ready(
    ledger: Studies, order: Order, archive: Archive, progress: Progress, *, out: Path, resume: bool
) -> Order:
    """List the studies, and return the order with the runtime that is chosen once for all workers.

    That the bundle can answer so is found out here, and not by each worker. Raises PlanError, MissingExtra, DataError,
    and OutputError where the answers that are there were made otherwise.
    """
    if resume:  # before anything is listed; the runtime and the guard's hash are known below
        known = {k: v for k, v in ledger.told().items() if k not in ("runtime", "guard_hash")}
        assert_alike(known, {**order.settings.mark(order.hash), **_place_of(order, archive)}, out)
    tidy(out, ledger)
    ledger.reopen(archive.tries)
    _list(ledger, order, archive, progress, resume=resume)
    ((many,),) = ledger.rows("SELECT count(*) FROM studies WHERE state = 'waiting'")
    settings = predictor_of(
        _bundle(order),
        order.settings,
        device=order.device,
        cores=order.threads,
        cases=many,
        progress=progress,
    )[1]
    mark = {**settings.mark(order.hash), **_place_of(order, archive)}
    if resume:
        assert_alike(ledger.told(), mark, out)
    ledger.tell(mark)
    return replace(order, settings=settings)


def _order(
    bundle: Path | str,
    source: Path | str,
    out: Path,
    archive: Archive,
    settings: PredictSettings,
    device: str | None,
) -> Order:
    """Return what workers are told. Raises DataError, UnknownName, PlanError for what cannot be done."""
    if settings.columns:
        raise PlanError(
            "an archive's studies have no table", found="columns", hint="predict without --workers"
        )
    _ = archive.case_limit_s, archive.settle_s
    opened = opened_for(bundle_of(bundle), settings)
    server = servers.is_server(source)
    if not server:
        root = Path(source)
        if not root.is_dir():
            raise DataError(
                f"no archive at {root}", found="a file" if root.exists() else "nothing", hint="a folder"
            )
        assert_apart(root, out)
        if archive.where:
            raise PlanError("conditions are for a server's studies", found="--where", hint="another folder")
    to = None if archive.to is None else servers.address(archive.to, login=archive.to_login, ca=archive.to_ca)
    return Order(
        bundle=str(Path(opened.path).absolute()),
        hash=opened.hash,
        settings=replace(settings, dicom=settings.dicom or to is not None),
        out=str(out.absolute()),
        source=None if server else str(Path(source).absolute()),
        web=servers.address(str(source), login=archive.login, ca=archive.ca) if server else None,
        series=servers.parted(archive.where)[1],
        to=to,
        device=device,
        threads=max(1, machines.measure().cores // archive.workers),
        settle_s=archive.settle_s,
    )


def _completed(archive: Archive, before: Mapping[str, Any]) -> Archive:
    """Return what is told now, and where nothing is, what was told at the beginning."""
    return replace(
        archive,
        depth=before.get("depth", 1) if archive.depth == 1 else archive.depth,
        where=archive.where or before.get("where", {}),
        to=archive.to or before.get("to") or None,
    )


def _place_of(order: Order, archive: Archive) -> dict[str, Any]:
    """Return what the list of studies depends on, and where results are stored."""
    return {
        "archive": order.source or (order.web.url if order.web else ""),
        "depth": archive.depth,
        "where": dict(archive.where),
        "to": archive.to or "",
    }


def _before(out: Path) -> dict[str, Any]:
    _assert_known(out)
    ledger = Studies(out)
    try:
        return ledger.told()
    finally:
        ledger.close()


def _assert_known(out: Path) -> None:
    if not (out / FILE).is_file():
        raise OutputError(f"{out} holds no archive's answers", hint="predict without --resume")


def _new(out: Path) -> Path:
    if (out / FILE).is_file() or (out / MARK).is_file():
        raise OutputError(
            f"{out} holds a predict; nothing is overwritten", hint="--resume to go on with it, or another -o"
        )
    return new_folder(out, default="answers")


def _list(ledger: Studies, order: Order, archive: Archive, progress: Progress, *, resume: bool) -> None:
    """List the studies that are not known yet; what is done and was changed since is answered again.

    Raises DataError where there is none.
    """
    if order.web is not None:
        ledger.enlist(servers.studies_at(order.web, archive.where))
    else:
        root = Path(order.source or "")
        ledger.enlist(studies_of(root, archive.depth))
        if resume:
            _compare(ledger, root, progress)
    if not next(ledger.rows("SELECT count(*) FROM studies"))[0]:
        where = order.source or (order.web.url if order.web else "")
        raise DataError(f"no studies in {where}", hint="another folder, or other conditions")


def _compare(ledger: Studies, root: Path, progress: Progress) -> None:
    changed = 0
    last = -1
    while True:
        some = list(
            ledger.rows(
                "SELECT n, place FROM studies WHERE state = 'done' AND n > ? ORDER BY n LIMIT 500", last
            )
        )
        if not some:
            break
        for n, place in some:
            last = n
            now = fingerprint(root / place)[0]
            changed += bool(now) and ledger.again(n, now)
    if changed:
        many = counted(changed, "study", "studies")
        progress.note(f"{many} changed since then, and {'is' if changed == 1 else 'are'} answered again")


def _led(
    ledger: Studies, pool: Pool, order: Order, archive: Archive, progress: Progress, *, source: str
) -> None:
    """Answer what waits; where that is cut short, what is done stays, and the error says how to go on."""
    out = Path(order.out)
    lead = Lead(ledger, pool, out=out, bundle=order.hash, tries=archive.tries, progress=progress)
    words = ["vesalius", "predict", order.bundle, source, "-o", order.out]
    where = [] if archive.cluster is None else ["--cluster", archive.cluster]
    again = shlex.join([*words, "--workers", str(archive.workers), *where, "--resume"])
    try:
        lead.run()
    except KeyboardInterrupt as error:
        lead.end(PATIENCE_S)
        tables.write_tables(ledger, out, partial=True)
        left = ledger.counts()
        kept = counted(left["cases"], "answer")
        waits = counted(left[WAITING], "study", "studies")
        raise Interrupted(
            f"interrupted; {kept} {'is' if left['cases'] == 1 else 'are'} kept, and {waits} left", hint=again
        ) from error
    except MismatchError:
        lead.end(0.0)
        tables.write_tables(ledger, out, partial=True)
        raise
    except BaseException:
        lead.end(0.0)
        progress.note(f"what is finished is kept; go on with: {again}")
        raise
    lead.end(PATIENCE_S)
    tables.write_tables(ledger, out, partial=False)
    keep_origin(out, _bundle(order), runtime=order.settings.runtime or "torch")


def _bundle(order: Order) -> Bundle:
    return opened_for(bundle_of(order.bundle), order.settings)


def _predictions(ledger: Studies, order: Order) -> Predictions:
    ids = tables.answered(ledger)
    return Predictions(
        ids,
        tables.set_aside(ledger),
        Path(order.out),
        files={case: case for case in ids},
        drift=tables.drift_of(ledger, reference_of(_bundle(order))),
        runtime=order.settings.runtime or "torch",
        archive=ledger.counts(),
    )
