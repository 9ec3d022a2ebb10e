"""Members of the ensemble, each asked by itself (deep ensembles, Lakshminarayanan, Pritzel and Blundell 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from vesalius.core.errors import PlanError
from vesalius.infer.opinions.contract import Opinion, Way, assert_uncounted
from vesalius.infer.runs.contract import Members


class EnsembleMembers(Way):
    """One opinion a member, over the planned mirror images as in its answer."""

    def refuses(self, members: Members) -> PlanError | None:
        """Return that an ensemble of one has nobody to disagree with."""
        if len(members.models) > 1:
            return None
        return PlanError(
            "an ensemble of one member has no second opinion",
            found="1 member",
            hint="--doubt dropout or mirror, or a bundle of fit --folds 5 or of fit --set train.members=5",
        )

    def opinions(self, members: Members, *, samples: int | None) -> Sequence[Opinion]:
        """Return an opinion for each member."""
        assert_uncounted(samples, way="members", there=len(members.models), what="members")
        return [Opinion(replace(members, models=(model,))) for model in members.models]


WAY = EnsembleMembers()
