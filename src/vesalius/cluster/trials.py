"""Trials of a search on Ray's workers, for `search/dealing.py`: an actor a worker, which reads the data once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from vesalius.cluster.connect import Share
from vesalius.cluster.library import library, why_died, worker_options
from vesalius.cluster.mail import Letter, asked, office
from vesalius.core.errors import ClusterError, Interrupted, VesaliusError
from vesalius.search.dealing import Died, Event, Looked, Measured
from vesalius.search.work import Look, Pruned, reason_of

UNFIT = "unfit"  # what a worker says that cannot work at all


class Measuring(Protocol):
    """What a worker measures with: a plan's settings, under a name, telling of scores on the way."""

    def measure(self, settings: Mapping[str, Any], name: str, look: Look) -> Mapping[str, Any]:
        """Return what a plan comes to."""

    def forget(self, name: str) -> None:
        """Remove what a training left that does not go on."""


Make = Callable[[int], Measuring]  # of a worker's number; picklable, called once in each


class _Hand:
    """One worker: it begins to read the data with its first trial, and then measures one after the other."""

    def __init__(self, make: Make, worker: int, mail: Any) -> None:
        self._make, self._worker, self._mail = make, worker, mail
        self._measuring: Measuring | None = None

    def measure(self, settings: Mapping[str, Any], name: str) -> tuple[str, Any]:
        """Return (`done`, result), (`pruned`, look), (`failed`, reason), or (`unfit`, reason)."""
        if self._measuring is None:
            try:
                self._measuring = self._make(self._worker)
            except (VesaliusError, MemoryError) as error:
                return UNFIT, reason_of(error)

        def look(k: int, score: float) -> None:
            if asked(self._mail, self._worker, (k, float(score))):
                raise Pruned(k)

        try:
            return "done", dict(self._measuring.measure(settings, name, look))
        except Pruned as end:
            self._measuring.forget(name)
            return "pruned", end.look
        except Interrupted:
            raise
        except (VesaliusError, MemoryError, RuntimeError) as error:
            self._measuring.forget(name)
            return "failed", reason_of(error)


class RayMeasurers:
    """Workers of a Ray cluster that measure trials; `make` gives each what it measures with.

    They end with this process, however that ends, and `close` ends them before.
    """

    def __init__(self, make: Make, share: Share) -> None:
        self.many, self._make, self._share = share.workers, make, share
        self._ray = library()
        self._mail = office()
        self._hands: dict[int, Any] = {}
        self._work: dict[Any, int] = {}  # what each is about to return → the worker
        self._letters: dict[int, Letter] = {}  # the last of each worker that waits for an answer
        self._post: Any = None

    def begin(self, worker: int, settings: Mapping[str, Any], name: str) -> None:
        """Let a worker measure a trial; one that died is begun anew, where there is room."""
        if worker not in self._hands:
            wants = worker_options(self._share.cpus, self._share.gpus)
            self._hands[worker] = (
                self._ray.remote(_Hand).options(**wants).remote(self._make, worker, self._mail)
            )
        self._work[self._hands[worker].measure.remote(dict(settings), name)] = worker

    def answer(self, worker: int, *, ended: bool) -> None:
        """Tell a worker that looked whether its trial is ended early."""
        self._mail.answer.remote(self._letters.pop(worker).number, ended)

    def wait(self, seconds: float) -> Sequence[Event]:
        """Return what has happened, after `seconds` at most.

        Raises ClusterError where a worker cannot work, or the messages' actor is gone.
        """
        if self._post is None:
            self._post = self._mail.fetch.remote()
        done, _ = self._ray.wait([*self._work, self._post], timeout=seconds)
        return [self._event(ref) for ref in done]

    def _event(self, ref: Any) -> Event:
        if ref is self._post:
            return self._looked()
        worker = self._work.pop(ref)
        try:
            word, told = self._ray.get(ref)
        except self._ray.exceptions.RayActorError as error:
            self._hands.pop(worker, None)
            return Died(worker, why_died(error))
        except self._ray.exceptions.RayError as error:
            self._ray.kill(self._hands.pop(worker))
            return Died(worker, why_died(error))
        if word == UNFIT:
            raise ClusterError("a worker of the cluster cannot do its part", found=told)
        return Measured(
            worker,
            result=told if word == "done" else None,
            look=told if word == "pruned" else None,
            reason=told if word == "failed" else "",
        )

    def _looked(self) -> Looked:
        try:
            letter: Letter = self._ray.get(self._post)
        except self._ray.exceptions.RayError as error:
            raise ClusterError(
                "the cluster lost the actor that carries messages", found=why_died(error)
            ) from error
        self._post = None
        self._letters[letter.sender] = letter
        look, score = letter.what
        return Looked(letter.sender, look, score)

    def close(self) -> None:
        """End all workers at once; what they were about is begun again by whoever goes on."""
        for hand in (*self._hands.values(), self._mail):
            self._ray.kill(hand)
        self._hands.clear()
