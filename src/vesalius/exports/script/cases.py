"""Cases: from the images of one to its answer, as `preprocessing.json` tells it."""

from __future__ import annotations

from typing import Any

from vesalius.exports.script.answers import answer_of, labels_of_points
from vesalius.exports.script.images import Array, Image
from vesalius.exports.script.intensities import prepared
from vesalius.exports.script.running import Model, tiled, whole


def answered(
    images: list[Image], models: list[Model], told: dict[str, Any]
) -> tuple[dict[str, Any], Array | None]:
    """Return the answer about one case, and its mask `(Z, Y, X)` on the first image's own grid, where it is one."""
    array, layout = prepared(images, told["preparation"])
    running, rule = told["running"], told["answer"]
    if running["way"] == "whole":
        return answer_of(whole(models, array, running), rule), None
    mask = labels_of_points(tiled(models, array, running), layout, rule)
    counts = {label["name"]: int((mask == label["value"]).sum()) for label in rule["labels"]}
    return {"voxels": counts}, mask
