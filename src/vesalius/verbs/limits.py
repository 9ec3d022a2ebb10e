"""limits: a block in which the verbs keep within a time, a memory and an energy, and which knows what they used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from vesalius.plan.tariff import tariff
from vesalius.run.limits.allowance import allowance
from vesalius.run.limits.watch import Watch, within

__all__ = ["limits"]


@contextmanager
def limits(
    time: str | float | None = None,
    *,
    memory: str | int | None = None,
    energy: str | float | None = None,
    carbon_intensity: str | float | None = None,
    price_kwh: float | None = None,
) -> Iterator[Watch]:
    """Keep whatever verbs run inside this block within its limits, and measure what they use.

    `fit` and `pretrain` plan for what is left of the time and the energy, and every verb plans for the memory. Verbs
    that finish a case after another are ended at the limit, what is finished is kept, and `resume` goes on; those that
    are of use only when all is done are refused as soon as their first cases say that they cannot be.

    Args:
        time: `"10m"`, `"1h30m"`, or seconds, from the beginning of the block.
        memory: `"4GB"` (of 10⁹ bytes), `"2GiB"` or bytes: the most that the process and its children ever hold.
        energy: `"50Wh"`, `"0.2kWh"`, `"900J"`, or joules.
        carbon_intensity: Grammes of CO₂ of a kWh, or a country's code such as `"DEU"` (with `vesalius[energy]`): what
            was used, and the scorecards inside, then say them.
        price_kwh: Of a kWh, in any currency: as for CO₂.

    Returns:
        The block's watch: `used()` is what was used so far, as JSON takes it, and `reached` the limit that ended it.

    Raises:
        LimitReached: A limit ended the work, after what was finished was kept; it says how to go on.
        BudgetError: What is written is no limit, nothing can work in so little memory, or a verb cannot be in time.
        DataError: The price or the carbon intensity is not a number that can be one.
        UnknownName: There is no such country.
        MissingExtra: A country is named, and `vesalius[energy]` is not installed.
    """
    rates = tariff(carbon_intensity, price_kwh)
    with within(allowance(time, memory=memory, energy=energy), rates=rates) as watch:
        yield watch
