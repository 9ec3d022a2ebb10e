"""What a launcher says of the processes that it started: torchrun or SLURM's srun, as Fabric reads them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from vesalius.core.errors import PlanError

TORCHRUN, SLURM = "torchrun", "srun"
_STEP = "SLURM_STEP_ID"  # set by srun alone: a batch script is one process, whatever was reserved for it


@dataclass(frozen=True, slots=True)
class Place:
    """One process among `size`: its number, its number and how many there are on its machine, and where all meet.

    `begun` is how often the launcher has begun them again.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int
    address: str
    port: int
    launcher: str
    begun: int = 0


def found(environment: Mapping[str, str] | None = None) -> Place | None:
    """Return where this process stands; None where no launcher started it, or it started this one alone.

    Raises PlanError where a launcher's words contradict one another.
    """
    said = os.environ if environment is None else environment
    if "TORCHELASTIC_RUN_ID" in said:
        return _several(_by_torchrun(said))
    if _STEP in said and "SLURM_NTASKS" in said:
        return _several(_by_slurm(said))
    return None


def _several(place: Place) -> Place | None:
    if not 0 <= place.rank < place.size:
        raise PlanError(
            f"{place.launcher} names a process that there cannot be", found=f"{place.rank} of {place.size}"
        )
    return place if place.size > 1 else None


def _by_torchrun(said: Mapping[str, str]) -> Place:
    return Place(
        rank=_number(said, "RANK"),
        size=_number(said, "WORLD_SIZE"),
        local_rank=_number(said, "LOCAL_RANK"),
        local_size=_number(said, "LOCAL_WORLD_SIZE"),
        address=said.get("MASTER_ADDR", "127.0.0.1"),
        port=_number(said, "MASTER_PORT"),
        launcher=TORCHRUN,
        begun=_number(said, "TORCHELASTIC_RESTART_COUNT", 0),
    )


def _by_slurm(said: Mapping[str, str]) -> Place:
    from lightning_fabric.plugins.environments.slurm import SLURMEnvironment

    host = said.get("MASTER_ADDR") or SLURMEnvironment.resolve_root_node_address(
        said.get("SLURM_STEP_NODELIST") or said.get("SLURM_NODELIST", "127.0.0.1")
    )
    job = said.get("SLURM_JOB_ID", "0")
    port = said.get("MASTER_PORT") or str(15000 + int(job[-4:]))  # as Fabric chooses it
    size, nodes = _number(said, "SLURM_NTASKS"), max(1, _number(said, "SLURM_NNODES", 1))
    each = said.get("SLURM_NTASKS_PER_NODE", "").partition("(")[0]
    return Place(
        rank=_number(said, "SLURM_PROCID"),
        size=size,
        local_rank=_number(said, "SLURM_LOCALID"),
        local_size=int(each) if each.isdigit() else -(-size // nodes),
        address=host,
        port=int(port),
        launcher=SLURM,
        begun=_number(said, "SLURM_RESTART_COUNT", 0),
    )


def _number(said: Mapping[str, str], name: str, otherwise: int | None = None) -> int:
    text = said.get(name, "" if otherwise is None else str(otherwise))
    if not text.isdigit():
        raise PlanError(
            f"{name} is not a number", found=text or "nothing", hint="start with torchrun or srun"
        )
    return int(text)
