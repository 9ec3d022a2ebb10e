"""Answers: what the models say, as probabilities, numbers with their units, or labels of points."""

from __future__ import annotations

from typing import Any

import numpy as np

from vesalius.exports.script.geometry import Layout, enlarged, turn_back, unpadded
from vesalius.exports.script.images import Array, Refused

ROWS_AT_ONCE = 16  # of a field that is enlarged to the image's own grid


def answer_of(raw: Array, rule: dict[str, Any]) -> dict[str, Any]:
    """Return the answer that raw outputs `(M, …)` of the members about a whole image mean, under a rule's name."""
    if rule["rule"] == "probabilities":
        return _probabilities(raw, rule)
    if rule["rule"] == "grades":
        return _grades(raw, rule)
    if rule["rule"] == "numbers":
        return _numbers(raw, rule)
    raise Refused(f"no rule is called '{rule['rule']}'")


def _probabilities(logits: Array, rule: dict[str, Any]) -> dict[str, Any]:
    """Return each label's probability: by the temperature, then the members' mean, then the isotonic maps."""
    scaled = np.asarray(logits, np.float64) / rule["temperature"]
    if rule["exclusive"]:
        grown = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
        p = (grown / grown.sum(axis=-1, keepdims=True)).mean(axis=0)
    else:
        p = (0.5 * (1 + np.tanh(scaled / 2))).mean(axis=0)
    labels, maps = rule["labels"], rule["isotonic"]
    for name, knots in maps.items():
        k = labels.index(name)
        p[k] = np.interp(p[k], knots["x"], knots["y"])
    if maps and rule["exclusive"]:
        if len(labels) == 2 and len(maps) == 1:
            k = labels.index(next(iter(maps)))
            p[1 - k] = 1 - p[k]
        else:
            p = p / p.sum()
    found: dict[str, Any] = {f"p_{name}": float(v) for name, v in zip(labels, p, strict=True)}
    thresholds, positive = rule["thresholds"], rule["positive"]
    if rule["exclusive"]:
        found["answer"] = labels[int(p.argmax())]
        called = found["answer"]
        if len(labels) == 2 and positive in thresholds:
            k = labels.index(positive)
            called = positive if p[k] >= thresholds[positive] else labels[1 - k]
        found["called"] = called
    else:
        found["called"] = [n for n, v in zip(labels, p, strict=True) if v >= thresholds.get(n, 0.5)]
    return found


def _grades(log_p: Array, rule: dict[str, Any]) -> dict[str, Any]:
    """Return each grade's probability from log probabilities; log-odds to lie above a grade have the temperature."""
    log_p = np.clip(np.asarray(log_p, np.float64), -1e30, 1e30)
    low = np.logaddexp.accumulate(log_p, axis=-1)[..., :-1]
    high = np.logaddexp.accumulate(log_p[..., ::-1], axis=-1)[..., ::-1][..., 1:]
    odds = np.minimum.accumulate((high - low) / rule["temperature"], axis=-1)
    over = np.minimum.accumulate(0.5 * (1 + np.tanh(odds / 2)), axis=-1)
    ends = over.shape[:-1]
    bounds = np.concatenate([np.ones((*ends, 1)), over, np.zeros((*ends, 1))], axis=-1)
    p = (bounds[..., :-1] - bounds[..., 1:]).mean(axis=0)
    found: dict[str, Any] = {f"p_{name}": float(v) for name, v in zip(rule["labels"], p, strict=True)}
    if rule["decision"] == "median":  # the lowest grade at or below which lies half of the probability
        upto = np.cumsum(p)
        found["answer"] = rule["labels"][int((upto >= (0.5 - 1e-12) * upto[-1]).argmax())]
    return found


def _numbers(raw: Array, rule: dict[str, Any]) -> dict[str, Any]:
    """Return each number in its unit, the members' mean; what the models say of their spread is left aside."""
    found: dict[str, Any] = {}
    for k, one in enumerate(rule["numbers"]):
        lead = f"{one['name']} " if len(rule["numbers"]) > 1 else ""
        x = float(np.mean(np.asarray(raw)[:, k], dtype=np.float64)) * one["sd"] + one["mean"]
        found |= {f"{lead}value": x, f"{lead}unit": one["unit"]}
        if not one["low"] <= x <= one["high"]:
            found[f"{lead}outside"] = f"learned from {one['low']:.4g} to {one['high']:.4g}"
    return found


def labels_of_points(field: Array, layout: Layout, rule: dict[str, Any]) -> Array:
    """Return label values `(Z, Y, X)` on the image's own grid, of a field `(K, Z, Y, X)` on the model's.

    The field is interpolated to the image's grid and then the likeliest label is taken, a few rows at a time.
    """
    inner = unpadded(field, layout)
    kind = np.uint8 if min(rule["values"]) >= 0 and max(rule["values"]) <= 255 else np.int32
    values = np.asarray(rule["values"], kind)
    out = np.zeros(layout.turned, kind)
    for start in range(0, layout.turned[0], ROWS_AT_ONCE):
        stop = min(start + ROWS_AT_ONCE, layout.turned[0])
        rows = enlarged(inner, 0, start, stop, layout.turned[0])
        for axis in (1, 2):
            n = layout.turned[axis]
            rows = enlarged(rows, axis, 0, n, n)
        out[start:stop] = values[rows.argmax(axis=0)]
    return turn_back(out, layout)
