"""Processes on a cluster that train together, brought together by Ray Train, and begun again where one of them dies."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vesalius.cluster.connect import Share
from vesalius.cluster.library import library, why_died, worker_options
from vesalius.core.errors import ClusterError, Interrupted

AGAIN = 3  # times that all are begun again
BEGUN = "begun-"  # in the folder of notes: a file for each time that all were begun
Work = Callable[["Seat"], None]


@dataclass(frozen=True)
class Seat:
    """One process among `size`: its number, its number and how many there are on its machine, and where all meet.

    `begun` is how often they were begun again.
    """

    rank: int
    size: int
    local_rank: int
    local_size: int
    address: str
    port: int
    begun: int


def trained(work: Work, share: Share, *, notes: Path, again: int = AGAIN) -> None:
    """Let each of the workers of a share do its part, and return when all have; `work` is called with its seat.

    `notes` is a folder that all machines share. Where a worker dies, or its work raises, all are begun again, `again`
    times at most. Raises ClusterError after that, and Interrupted on Ctrl-C.
    """
    library()
    from ray.exceptions import RayError
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
    from ray.train.v2.api.exceptions import TrainingFailedError

    env = worker_options(share.cpus)["runtime_env"]
    trainer = DataParallelTrainer(
        _part,
        train_loop_config={"work": work, "notes": str(notes)},
        scaling_config=ScalingConfig(
            num_workers=share.workers,
            use_gpu=share.gpus > 0,
            resources_per_worker={"CPU": share.cpus, **({"GPU": share.gpus} if share.gpus else {})},
        ),
        run_config=RunConfig(
            name="train",
            storage_path=str(notes),
            failure_config=FailureConfig(max_failures=again),
            worker_runtime_env=env,
        ),
    )
    try:
        trainer.fit()
    except KeyboardInterrupt as error:
        raise Interrupted(
            "interrupted; what was trained until the last checkpoint is saved", hint="--resume"
        ) from error
    except (TrainingFailedError, RayError) as error:
        raise ClusterError(
            "the training was begun again and again, and its workers ended each time",
            found=f"{begun_of(notes)} beginnings, the last: {why_died(error)}",
            hint="more memory, or a smaller train.batch; --resume goes on from the last checkpoint",
        ) from error


def begun_of(notes: Path) -> int:
    """Return how often the workers were begun so far, the first time among it."""
    return len(list(notes.glob(f"{BEGUN}*")))


def _part(config: dict[str, Any]) -> None:
    """Do one worker's part, inside a process of Ray Train's."""
    from ray import train
    from ray.train.collective import broadcast_from_rank_zero

    context, notes = train.get_context(), Path(config["notes"])
    meeting = _meeting(notes) if context.get_world_rank() == 0 else None
    address, port, begun = broadcast_from_rank_zero(meeting)
    work: Work = config["work"]
    work(
        Seat(
            rank=context.get_world_rank(),
            size=context.get_world_size(),
            local_rank=context.get_local_rank(),
            local_size=context.get_local_world_size(),
            address=address,
            port=port,
            begun=begun,
        )
    )


def _meeting(notes: Path) -> tuple[str, int, int]:
    """Return where all meet this time, on the leader's machine, and how often they met before."""
    begun = begun_of(notes)
    (notes / f"{BEGUN}{begun}").touch()
    with socket.socket() as free:
        free.bind(("", 0))
        return str(library().util.get_node_ip_address()), int(free.getsockname()[1]), begun
