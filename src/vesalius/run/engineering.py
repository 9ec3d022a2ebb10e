"""What an engineer asks of a run: the command that made it, how long it took, on what, and how large the model is."""

from __future__ import annotations

import json
import platform
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil
import torch

from vesalius.core.plan import USER, Plan
from vesalius.core.version import VERSION
from vesalius.learn.loop import Trained
from vesalius.plan import machine as machines
from vesalius.run.clock import CLOCK

TOLD = ("task.name", "task.target")  # by options of their own


def command(path: Path, plan: Plan) -> str:
    """Return the command line that makes the same run again, from what the run's folder was told; "" without it."""
    told = _read(path / "run.json")
    if "data" not in told:
        return ""
    words = ["vesalius", "fit", str(told["data"])]
    if plan.task.target:
        words += ["--target", plan.task.target]
    words += ["--layout", str(told["layout"])] if told.get("layout") else []
    words += ["--split", str(told["split"])] if told.get("split") else []
    words += ["--init", str(told["init"])] if told.get("init") else []
    words += ["--seed", str(told["seed"])] if told.get("seed") is not None else []
    words += ["--time-limit", str(told["time_limit"])] if told.get("time_limit") else []
    if plan.reasons.get("task.name") == USER:
        words += ["--task", plan.task.name]
    for name, flag in (("columns", "--column"), ("labels", "--labels"), ("stages", "--stage")):
        for key, value in (told.get(name) or {}).items():
            words += [flag, f"{key}={value}"]
    values = plan.model_dump(mode="json")
    for field, reason in plan.reasons.items():
        if reason == USER and field not in TOLD and not (field == "earlier" and told.get("stages")):
            words += ["--set", f"{field}={_typed(_at(values, field))}"]
    return shlex.join(words)


def facts(path: Path, trained: Sequence[Trained]) -> dict[str, str]:
    """Return version, duration, size of the model and the machine, by name."""
    clock, told = _read(path / CLOCK), {}
    if isinstance(clock.get("since"), float | int):
        told["duration"] = f"{lasting(time.time() - float(clock['since']))} until this report"
    if trained and trained[0].weights:
        many = sum(v.numel() for v in trained[0].weights.values())
        told["parameters"] = f"{many:,} a member" if len(trained) > 1 else f"{many:,}"
    return {"version": f"Vesalius {VERSION}", **told, **machine_facts()}


def machine_facts() -> dict[str, str]:
    """Return what this machine is and what it computes with, by name."""
    machine = machines.measure()
    total = psutil.virtual_memory().total / 2**30
    found = {
        "processor": f"{_processor()}, {machine.cores} cores in use",
        "memory": f"{total:.1f} GiB",
        "graphics card": f"{machine.gpu}, {machine.gpu_memory / 2**30:.0f} GiB" if machine.gpu else "none",
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "torch": torch.__version__,
    }
    return {name: text for name, text in found.items() if text}


def lasting(seconds: float) -> str:
    """Return a duration in the words of a person: `12 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def _read(path: Path) -> Mapping[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _at(values: Any, field: str) -> Any:
    for part in field.split("."):
        values = values.get(part) if isinstance(values, Mapping) else None
    return values


def _typed(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
