"""What each process that `launch.py` starts runs: `python -m vesalius.learn.parallel.worker NOTES BEGUN`."""

from __future__ import annotations

import os
import pickle
import sys
import threading
import time
import traceback
from pathlib import Path

from vesalius.core.errors import VesaliusError
from vesalius.learn.parallel import crew as crews
from vesalius.learn.parallel.launch import Job
from vesalius.learn.parallel.notes import Notes
from vesalius.learn.parallel.pulse import LOST

FAULT = 70
WORD_S = 2.0


def main(place: Path, begun: int) -> int:
    """Take part in a job; return the exit code. What a person can mend is written down, and ends all in order."""
    threading.Thread(target=_follow_parent, args=(os.getppid(),), daemon=True).start()
    notes, rank = Notes(place), int(os.environ["RANK"])
    try:
        job: Job = pickle.loads(notes.job())
        crew = crews.joined(job.device) or crews.adopt(crews.Crew())
        crew.notes, crew.begun = place, begun
        job.function(**job.arguments)
    except VesaliusError as error:
        notes.tell(rank, error)
        if rank == 0:
            return 0
        time.sleep(WORD_S)  # the leader may be about to say the same, and is ended with this process
        return FAULT
    except crews.CrewLost:
        return LOST
    except KeyboardInterrupt:
        return 130
    except Exception:  # noqa: BLE001 - a fault of ours: said by the launcher, where a person sees it
        notes.tell_fault(rank, traceback.format_exc())
        return FAULT
    finally:
        sys.stdout.flush()
    return 0


def _follow_parent(parent: int) -> None:
    """End this process where the one that started it is gone: nobody would begin it again, or end it."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(LOST)


if __name__ == "__main__":
    code = main(Path(sys.argv[1]), int(sys.argv[2]))
    os._exit(code)  # a process group whose other ends are gone may wait for them for ever
