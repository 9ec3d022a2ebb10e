"""What torchrun and srun say of a process, and how rows are dealt out."""

from __future__ import annotations

import pytest

from vesalius.core.errors import PlanError
from vesalius.learn.parallel.crew import Crew
from vesalius.learn.parallel.places import found

TORCHRUN = {
    "TORCHELASTIC_RUN_ID": "r",
    "RANK": "3",
    "WORLD_SIZE": "4",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "2",
    "MASTER_ADDR": "10.0.0.1",
    "MASTER_PORT": "29400",
    "TORCHELASTIC_RESTART_COUNT": "2",
}
SLURM = {
    "SLURM_STEP_ID": "0",
    "SLURM_NTASKS": "4",
    "SLURM_NNODES": "2",
    "SLURM_PROCID": "2",
    "SLURM_LOCALID": "0",
    "SLURM_STEP_NODELIST": "node[7-8]",
    "SLURM_JOB_ID": "123456",
}


def test_torchrun_is_recognised() -> None:
    place = found(TORCHRUN)
    assert place is not None
    assert (place.rank, place.size, place.local_rank, place.local_size) == (3, 4, 1, 2)
    assert (place.address, place.port, place.begun, place.launcher) == ("10.0.0.1", 29400, 2, "torchrun")


def test_srun_is_recognised_and_a_batch_script_is_one_process() -> None:
    place = found(SLURM)
    assert place is not None
    assert (place.rank, place.size, place.local_size, place.address, place.port) == (2, 4, 2, "node7", 18456)
    assert found({name: value for name, value in SLURM.items() if name != "SLURM_STEP_ID"}) is None


def test_one_process_is_no_crew_and_impossible_words_are_refused() -> None:
    assert found({}) is None
    assert found(TORCHRUN | {"RANK": "0", "WORLD_SIZE": "1"}) is None
    with pytest.raises(PlanError, match="4 of 4"):
        found(TORCHRUN | {"RANK": "4"})
    with pytest.raises(PlanError, match="RANK is not a number"):
        found(TORCHRUN | {"RANK": "x"})


@pytest.mark.parametrize(("rows", "shares"), [(5, [2, 2, 1]), (6, [2, 2, 2]), (2, [1, 1, 0])])
def test_each_row_is_one_process_share(rows: int, shares: list[int]) -> None:
    dealt = [list(range(rows))[Crew(rank=k, size=3).rows(rows)] for k in range(3)]
    assert [len(d) for d in dealt] == shares
    assert sum(dealt, []) == list(range(rows))
