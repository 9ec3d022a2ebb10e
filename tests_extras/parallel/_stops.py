"""One process of two that take steps together, of which one stops answering: `python _stops.py WHICH`."""

from __future__ import annotations

import os
import signal
import sys

import torch

from vesalius.learn.parallel import crew as crews

SILENT_S = 3.0


def main(which: int) -> int:
    """Take steps; say what ends them."""
    torch.set_num_threads(1)
    crew = crews.joined("cpu", step_s=SILENT_S)
    if crew is None:
        return 3
    for step in range(100):
        try:
            crew.sum(torch.ones(1))
            if step == 2 and crew.rank == which:
                os.kill(os.getpid(), signal.SIGSTOP)
            crew.agree(step)  # for which nothing but the leader's pulse ends the wait
        except crews.CrewLost as error:
            sys.stderr.write(f"lost: {error}\n")
            return 75
    return 4


if __name__ == "__main__":
    os._exit(main(int(sys.argv[1])))
