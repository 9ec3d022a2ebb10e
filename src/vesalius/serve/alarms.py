"""Alarms: what a server tells the administrator's webhook, an event and a few facts, never anything of a patient.

    {"event": "drift", "facts": {…}, "at": "2026-01-31T12:00:00Z", "id": "…", "from": "http", "version": "…", "lost": 0}

`id` is the same at every attempt, so that a receiver knows what came twice; `lost` is how many alarms before this one
never arrived.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

from vesalius.core.errors import CodeError
from vesalius.core.version import VERSION
from vesalius.infer.guard import raised
from vesalius.serve.models import LoadedModel
from vesalius.serve.webhook import Address, Outcome, Patience, Webhook

Fact = str | int | float | bool | Sequence[str]
EVENTS: Mapping[str, tuple[str, ...]] = {
    "started": ("models", "bundles"),
    "drift": ("model", "bundle", "features", "cases", "rate"),
    "anomaly": ("model", "bundle"),
    "queue": ("state", "waiting", "silent_s"),
}  # the facts that each event may have, all of them numbers or texts that are no patient's
WORDS = ("stuck", "moving")
From = Literal["http", "node"]


class Alarms:
    """Takes events from any thread and hands them to a webhook; without an address nothing is sent.

    A text that leaves is a model's name, a bundle's hash, a feature's name or one of `WORDS`; any other is refused
    here, so that no mistake elsewhere sends a patient's name or a file's. `heard` is told each event's outcome.
    """

    def __init__(
        self,
        address: Address | None = None,
        *,
        models: Iterable[LoadedModel] = (),
        by: From = "http",
        patience: Patience | None = None,
        heard: Callable[[Outcome], None] = lambda outcome: None,
    ) -> None:
        held = list(models)
        self._texts = frozenset(text for model in held for text in _texts(model)) | set(WORDS)
        self._models = held
        self._by = by
        self._webhook = None if address is None else Webhook(address, patience=patience, heard=heard)

    @property
    def active(self) -> bool:
        """Return whether alarms are sent anywhere."""
        return self._webhook is not None

    def waiting(self) -> int:
        """Return how many alarms are not delivered yet."""
        return 0 if self._webhook is None else self._webhook.waiting()

    def start(self) -> None:
        """Tell of the start, so that an address that is never reached is known now and not at the first drift."""
        names = {m.name if self._by == "http" else m.bundle.name: m.bundle.hash for m in self._models}
        self.tell("started", {"models": list(names), "bundles": list(names.values())})

    def tell(self, event: str, facts: Mapping[str, Fact]) -> None:
        """Queue an event; it is sent in its own time, and this returns at once.

        Raises CodeError for an event that is none of `EVENTS`, for a fact that it does not have, and for a text or a
        number that must not leave.
        """
        if event not in EVENTS:
            raise CodeError("no such alarm", found=event, hint=", ".join(EVENTS))
        for name, fact in facts.items():
            if name not in EVENTS[event] or not self._may(fact):
                raise CodeError(f"the alarm '{event}' does not say that", found=name, hint="serve/alarms.py")
        if self._webhook is None:
            return
        self._webhook.put(
            {
                "event": event,
                "facts": {k: v if isinstance(v, str | int | float) else list(v) for k, v in facts.items()},
                "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "id": secrets.token_hex(8),
                "from": self._by,
                "version": VERSION,
            }
        )

    def close(self) -> None:
        """Wait a little for what is on its way, and leave the rest."""
        if self._webhook is not None:
            self._webhook.close()

    def _may(self, fact: Fact) -> bool:
        if isinstance(fact, str):
            return fact in self._texts
        if isinstance(fact, int | float):
            return math.isfinite(fact)
        return all(isinstance(each, str) and each in self._texts for each in fact)


def tell_strange(alarms: Alarms, outside: Sequence[str] | None, *, model: str, bundle: str) -> None:
    """Tell that a case was called unlike those of training, by its answer's remarks; nothing of an ordinary one.

    Which case it was is not told: the service's own pages say it to whoever may see them.
    """
    if alarms.active and raised(outside):
        alarms.tell("anomaly", {"model": model, "bundle": bundle})


def strange_told(
    alarms: Alarms, models: Mapping[str, LoadedModel]
) -> Callable[[str, Sequence[str] | None], None]:
    """Return what a node tells with the remarks about an answer: its bundle's own name, as a rule's is a path."""

    def tell(rule: str, outside: Sequence[str] | None) -> None:
        bundle = models[rule].bundle
        tell_strange(alarms, outside, model=bundle.name, bundle=bundle.hash)

    return tell


class DriftWatch:
    """Tells of each model once which of its cases' features drift, and again where others join them."""

    def __init__(self, alarms: Alarms, models: Iterable[LoadedModel], *, by: From = "http") -> None:
        each = {
            id(m.drifting): m for m in reversed(list(models))
        }  # models of one folder are followed together
        self._alarms, self._by = alarms, by
        self._models = list(reversed(each.values()))
        self._told: dict[int, frozenset[str]] = {}
        self._lock = threading.Lock()

    def look(self) -> None:
        """Look at every model, and tell what is new."""
        if not self._alarms.active:
            return
        with self._lock:
            for model in self._models:
                report = model.drifting.report()
                now = [f.name for f in report.drifted]
                if not frozenset(now) - self._told.get(id(model), frozenset()):
                    continue
                self._told[id(model)] = frozenset(now)
                self._alarms.tell(
                    "drift",
                    {
                        "model": model.name if self._by == "http" else model.bundle.name,
                        "bundle": model.bundle.hash,
                        "features": now,
                        "cases": report.cases,
                        "rate": report.rate,
                    },
                )


class QueueWatch:
    """Tells once that cases wait and nothing moves for so many seconds, and once that it moves again."""

    def __init__(self, alarms: Alarms, *, stuck_s: float = 300.0) -> None:
        self._alarms, self.stuck_s, self.stuck = alarms, stuck_s, False

    def look(self, *, waiting: int, silent_s: float) -> None:
        """Look at how many cases wait, and for how long nothing moved."""
        stuck = waiting > 0 and silent_s >= self.stuck_s
        if stuck == self.stuck:
            return
        self.stuck = stuck
        state = "stuck" if stuck else "moving"
        self._alarms.tell("queue", {"state": state, "waiting": waiting, "silent_s": round(silent_s, 1)})


def _texts(model: LoadedModel) -> list[str]:
    reference = model.drifting.reference
    names = () if reference is None else reference.names
    return [model.name, model.bundle.name, model.bundle.hash, *names]
