"""Mirror images that the plan allows, each asked about by itself (test-time augmentation, Wang et al. 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

from vesalius.core.errors import PlanError
from vesalius.infer.opinions.contract import Opinion, Way, assert_uncounted
from vesalius.infer.runs.contract import Members
from vesalius.plan.mirroring import why_unmirrored


class MirrorImages(Way):
    """One opinion for the image itself and for each of its mirror images, of all members together.

    Only axes are mirrored that training flipped, which it does not where labels name a side.
    """

    def refuses(self, members: Members) -> PlanError | None:
        """Return why there are no mirror images of such a model that mean the same."""
        why = why_unmirrored(members.task)
        if why is not None:
            return PlanError(
                f"the answers of {members.task.name} about mirror images cannot be compared",
                found=why,
                hint="--doubt members or dropout",
            )
        if not _axes(members):
            return PlanError(
                "no axis may be mirrored: the model was not trained on mirrored images",
                found="no axes in augment.flip_axes of its plan",
                hint="--doubt members or dropout",
            )
        return None

    def opinions(self, members: Members, *, samples: int | None) -> Sequence[Opinion]:
        """Return an opinion for each set of mirrored axes, the empty one first."""
        axes = _axes(members)
        views = [chosen for n in range(len(axes) + 1) for chosen in combinations(axes, n)]
        assert_uncounted(samples, way="mirror", there=len(views), what="mirror images")
        return [Opinion(replace(members, view=view)) for view in views]


def _axes(members: Members) -> tuple[str, ...]:
    """Return the axes that may be mirrored, of those along which an image has more than one point."""
    flat = members.plan.data.dims == 2
    return tuple(a for a in members.plan.augment.flip_axes if not (flat and a == "z"))


WAY = MirrorImages()
