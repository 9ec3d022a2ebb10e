"""Sealing what was brought: an ordinary bundle that says where it came from, written whole or not at all."""

from __future__ import annotations

import datetime
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vesalius.core.bundle import ORIGIN, Bundle, Stage, State, open_bundle, save_bundle
from vesalius.core.disk import new_folder, output_errors, write_bytes
from vesalius.core.version import VERSION
from vesalius.evaluate.cards.about import About
from vesalius.evaluate.cards.card import card_of
from vesalius.evaluate.cards.known import known_of, with_record
from vesalius.imports.contract import Brought
from vesalius.infer.alone import ALONE
from vesalius.infer.selftest.recording import recorded

CARD = "card.md"
SUFFIX = {"torch": "safetensors"}
UNKNOWN = "not known here: whether cases of an evaluation were among them cannot be told"
UNSCORED = "none of Vesalius's yet; `vesalius evaluate BUNDLE DATA` makes one"


def seal(brought: Brought, out: Path, *, device: str | None = None) -> Bundle:
    """Write a model of others as a bundle into a new folder, with a self-test and a card.

    A crash, or a model that cannot answer, leaves nothing. Raises OutputError, and what a self-test raises.
    """
    new_folder(out, default="import")
    with output_errors(out):
        place = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        _written(brought, place, device)
        with output_errors(out):
            place.chmod(0o755)
            place.replace(out)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        if out.is_dir() and not any(out.iterdir()):
            out.rmdir()
        raise
    return open_bundle(out)


def _written(brought: Brought, place: Path, device: str | None) -> None:
    stage = _stage(brought, place)
    made_by = f"vesalius {VERSION}, imported from {brought.origin}"
    bundle = save_bundle(place, (stage,), data_hash="", made_by=made_by)
    card = card_of(known_of(bundle, sealed=False)).markdown()
    save_bundle(place, (stage,), data_hash="", made_by=made_by, texts={CARD: _ahead(brought) + card})
    recorded(place, device=device)


def _stage(brought: Brought, place: Path) -> Stage:
    """Return the one stage of the bundle, its weights written."""
    names = []
    for k, member in enumerate(brought.members):
        names.append(f"weights-0-{k}.{SUFFIX.get(brought.runtime, 'onnx')}")
        write_bytes(place / names[-1], member if isinstance(member, bytes) else _bytes(member))
    record: dict[str, Any] = {"from": brought.origin, "notes": list(brought.notes)}
    record |= {"facts": dict(brought.facts), **({ALONE: True} if brought.alone else {})}
    stage = Stage(
        "main",
        brought.plan,
        brought.state,
        tuple(names),
        runtime=brought.runtime,
        calibration=_calibration(brought),
        extras={**brought.extras, ORIGIN: State(record)},
    )
    data = {"imported from": brought.origin, "training cases": UNKNOWN, "scorecard": UNSCORED}
    training = {"trained": "elsewhere", **brought.facts, "made on": datetime.date.today().isoformat()}
    about = About(licence=brought.licence, caveats="; ".join(brought.notes)[:4000])
    return with_record(stage, data=data, training=training, about=about)


def _calibration(brought: Brought) -> Mapping[str, object]:
    positive = brought.plan.task.positive
    return {**brought.calibration, **({} if positive is None else {"positive": positive})}


def _bytes(member: Mapping[str, object]) -> bytes:
    from safetensors.torch import save

    return save({name: tensor.contiguous() for name, tensor in member.items()})  # type: ignore[attr-defined]


def _ahead(brought: Brought) -> str:
    """Return what stands before the card: that the model was brought in, and what is not known of it."""
    lines = [
        f"Imported from {brought.origin}.",
        f"Its training cases are {UNKNOWN}.",
        f"Scorecard: {UNSCORED}.",
        *brought.notes,
    ]
    return "".join(f"> {line}\n>\n" for line in lines).removesuffix(">\n") + "\n"
