"""A run that several processes train: begun on this machine, or joined where a launcher started this process."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from vesalius.core.disk import write_text
from vesalius.core.errors import BundleError, ClusterError, PlanError
from vesalius.core.plan import Plan, load_plan
from vesalius.core.progress import Progress, Silent
from vesalius.learn import loop
from vesalius.learn.parallel import crew as crews
from vesalius.learn.parallel.crew import Crew
from vesalius.learn.parallel.launch import Job, launched
from vesalius.learn.parallel.notes import Notes, Told
from vesalius.learn.parallel.places import TORCHRUN
from vesalius.plan.machine import measure
from vesalius.run.begin import Asked
from vesalius.run.finished import TOLD, Run, run_at
from vesalius.run.limits.planning import time_within

DEVICES = "train.devices"
CREW = "processes"  # in a run.json: who trained it

Carry = Callable[..., Run]
Launch = Callable[[Job, int, Progress], Path | None]  # runs a job in so many processes; see `launched`


def with_devices(settings: Mapping[str, Any] | None, devices: int | None) -> dict[str, Any]:
    """Return settings with a number of processes among them, where one is named. Raises PlanError for two numbers."""
    told = dict(settings or {})
    if devices is not None and str(told.setdefault(DEVICES, devices)) != str(devices):
        raise PlanError(
            "two numbers of processes are named",
            found=f"{devices} and {told[DEVICES]}",
            hint="one of the two",
        )
    return told


def led(carry: Carry, asked: Asked, *, resume: bool, launch: Launch | None = None) -> Run:
    """Return what `carry(asked, resume=…)` returns, carried out by as many processes as are asked for.

    They are processes of this machine, or those that `launch` starts.
    Of processes that a launcher started the first carries it out, and the others take part in its training. Raises
    what `carry` raises, PlanError where so many processes cannot be had, and ClusterError where one is gone.
    """
    crew = crews.joined(asked.device)
    if crew is not None:
        try:
            return _led(carry, asked, resume, crew)
        except crews.CrewLost as error:
            raise ClusterError(
                "a process of those that train together is gone, or does not answer",
                found=f"{error}, process {crew.rank} of {crew.size}",
                hint="the same command with --resume; torchrun begins anew by itself where it is given restarts",
            ) from error
    size = _size(asked, resume)
    if asked.dry_run or (size == 1 and launch is None):
        return carry(asked, resume=resume)
    if launch is None:
        _assert_possible(size, asked)
    return _launched(carry, asked, resume, size, launch)


def _led(carry: Carry, asked: Asked, resume: bool, crew: Crew) -> Run:
    """Carry it out where this process leads, or else follow the one that does."""
    if not crew.leads:
        loop.follow(crew)
        return _followed(crew.hand(None))
    place: Path | None = None
    there = True
    try:
        asked = _of_all(asked, crew)
        run = carry(asked, resume=resume or _is_begun(asked, crew))
        place = run.path
        return run
    except crews.CrewLost:
        there = False  # nobody is left to be told
        raise
    finally:
        with suppress(crews.CrewLost):  # what ends this process is worth more words
            if there:
                crew.hand(None)
                crew.hand(place)
        if crew.pulse is not None:
            crew.pulse.end()  # the others end now, and nothing is waited for


def _followed(path: Path | None) -> Run:
    """Return the run that the leader left behind. Raises BundleError where it left none."""
    if path is None:
        raise BundleError("the leading process left no run", hint="its own words")
    return run_at(path)


def _of_all(asked: Asked, crew: Crew) -> Asked:
    """Return what is asked with as many processes planned as there are, unless the plan is given or one is alone."""
    if crew.alone or asked.plan is not None or DEVICES in asked.settings:
        return asked
    said = {**asked.said, DEVICES: f"as many as {crew.launcher} started"}
    return replace(asked, settings={**asked.settings, DEVICES: crew.size}, said=said)


def _is_begun(asked: Asked, crew: Crew) -> bool:
    """Return whether the processes were begun again, and the run that they go on with is there."""
    return crew.begun > 0 and asked.out is not None and (asked.out / TOLD).is_file()


def _size(asked: Asked, resume: bool) -> int:
    """Return how many processes are asked for: by a setting, by a plan that is given, by that of a run."""
    told = asked.settings.get(DEVICES)
    if told is not None:
        return _number(told)
    if asked.plan is not None:
        plan = asked.plan if isinstance(asked.plan, Plan) else load_plan(Path(asked.plan))
        return plan.train.devices
    if resume and asked.out is not None and (asked.out / "plan.json").is_file():
        return load_plan(asked.out / "plan.json").train.devices
    return 1


def _number(told: Any) -> int:
    text = str(told)
    if not text.isdigit() or int(text) < 1:
        raise PlanError(f"{DEVICES} must be a number of processes", found=text, hint="--devices 2")
    return int(text)


def _assert_possible(size: int, asked: Asked) -> None:
    """Say what so many processes mean on this machine. Raises PlanError where graphics cards are too few."""
    import torch

    kind = asked.device or ("cuda" if torch.cuda.is_available() else "cpu")
    if kind.startswith("cuda"):
        there = torch.cuda.device_count()
        if there < size:
            raise PlanError(
                f"{size} processes need a graphics card each",
                found=f"{there} on this machine",
                hint=f"--devices {max(1, there)}, or --device cpu",
            )
        return
    cores = measure().cores
    threads = max(1, cores // size)
    asked.progress.note(
        f"{size} processes of {threads} thread{'s' * (threads > 1)} each share the processor's {cores} cores"
        + (": they get in one another's way" if cores < size else "")
    )


def _launched(carry: Carry, asked: Asked, resume: bool, size: int, launch: Launch | None) -> Run:
    """Start the processes, and return the run that they leave behind."""
    limit = time_within(None, asked.began)
    within = asked if limit is None or asked.time_limit is not None else replace(asked, time_limit=limit)
    handed = replace(within, progress=Silent())
    arguments = {"carry": carry, "asked": handed, "resume": resume}
    job = Job(function=_worker, arguments=arguments, device=asked.device)
    path = launch(job, size, asked.progress) if launch else launched(job, size, progress=asked.progress)
    return _followed(path)


def _worker(carry: Carry, asked: Asked, resume: bool) -> None:
    """Do a process's part; one that is begun again goes on in the folder that was begun."""
    crew = crews.current()
    notes = Notes(crew.notes) if crew.notes is not None else None
    if notes is not None and crew.leads:
        begun = notes.folder()
        if begun is not None and (begun / TOLD).is_file():
            asked, resume = replace(asked, out=begun, plan=None), True
        elif begun is not None and begun.is_dir() and not any(begun.iterdir()):
            begun.rmdir()
        asked = replace(asked, progress=Told(notes))
    _led(carry, asked, resume, crew)


def tell_folder(path: Path) -> None:
    """Tell whoever started this process where the run's folder is."""
    notes = crews.current().notes
    if notes is not None:
        Notes(notes).keep_folder(path)


def keep_record(path: Path) -> None:
    """Write into run.json how many processes train it, how often they were begun again, and which were lost."""
    crew = crews.current()
    lost = Notes(crew.notes).lost() if crew.notes is not None else []
    if crew.alone and not lost:
        return
    told: Mapping[str, Any] = json.loads((path / TOLD).read_text(encoding="utf-8"))
    said = {
        "size": crew.size,
        "launcher": "vesalius"
        if crew.notes is not None and crew.launcher in ("", TORCHRUN)
        else crew.launcher,
        "begun_again": crew.begun,
        "lost": lost,
    }
    write_text(path / TOLD, json.dumps({**told, CREW: said}, indent=1) + "\n")
