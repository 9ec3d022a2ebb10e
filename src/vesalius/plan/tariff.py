"""What energy means beside joules: carbon dioxide by a declared intensity of the grid, money by a declared price."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from vesalius.core.errors import DataError, MissingExtra, UnknownName
from vesalius.plan.energy import Energy

EXTRA, LIBRARY = "energy", "codecarbon"
_TABLE = ("data", "private_infra", "global_energy_mix.json")


@dataclass(frozen=True, slots=True)
class Tariff:
    """Grammes of CO₂ and money of a kilowatt hour; None is not declared, and then nothing is said of it.

    `intensity_of` says where the first is from. Money is in whatever currency the price is.
    """

    intensity_g_kwh: float | None = None
    intensity_of: str = ""
    price_kwh: float | None = None

    def __bool__(self) -> bool:
        """Whether anything is declared."""
        return (self.intensity_g_kwh, self.price_kwh) != (None, None)


NONE = Tariff()


def tariff(carbon_intensity: str | float | None = None, price_kwh: float | None = None) -> Tariff:
    """Return a tariff from grammes a kilowatt hour, or from a country's code such as "DEU"; and from a price.

    A country's intensity is that of codecarbon's table, which is of one year; its name and year are in `intensity_of`.
    Raises DataError for a number that is none, UnknownName for a country, MissingExtra without the table.
    """
    if price_kwh is not None and not (math.isfinite(price_kwh) and price_kwh >= 0):
        raise DataError(
            "a price of energy is a number of at least 0", found=str(price_kwh), hint="--price-kwh 0.30"
        )
    if carbon_intensity is None:
        return Tariff(price_kwh=price_kwh)
    try:
        value = float(carbon_intensity)
    except ValueError:
        intensity, name = _of_country(str(carbon_intensity))
        return Tariff(intensity, name, price_kwh)
    if not (math.isfinite(value) and value >= 0):
        raise DataError(
            "a carbon intensity is a number of grammes a kilowatt hour",
            found=str(carbon_intensity),
            hint="--carbon-intensity 380, or a country such as DEU",
        )
    return Tariff(value, "declared", price_kwh)


def _of_country(code: str) -> tuple[float, str]:
    """Return the grammes a kilowatt hour of a country's grid, and what they are."""
    try:
        place = resources.files(LIBRARY)
    except ModuleNotFoundError as error:
        raise MissingExtra(LIBRARY, EXTRA) from error
    table: dict[str, Any] = json.loads(place.joinpath(*_TABLE).read_text(encoding="utf-8"))
    found = table.get(code.strip().upper())
    if found is None or not found.get("carbon_intensity"):
        raise UnknownName(
            "country", code, table, hint="a code of three letters, such as DEU, or grammes a kWh: 380"
        )
    return float(
        found["carbon_intensity"]
    ), f"{found['country_name']} in {found['year']}, as codecarbon has it"


def record(energy: Energy, rates: Tariff = NONE, *, seconds: float) -> Mapping[str, Any]:
    """Return what a piece of work took as JSON takes it: joules, kWh, how and from what; grammes and money as declared.

    `seconds` is how long it lasted.
    """
    found: dict[str, Any] = {
        "joules": energy.joules,
        "kwh": energy.kwh,
        "how": energy.how,
        "from": energy.text,
        "seconds": round(seconds, 3),
    }
    if rates.intensity_g_kwh is not None:
        found |= {
            "co2_g": energy.kwh * rates.intensity_g_kwh,
            "intensity_g_kwh": rates.intensity_g_kwh,
            "intensity_of": rates.intensity_of,
        }
    if rates.price_kwh is not None:
        found |= {"price": energy.kwh * rates.price_kwh, "price_kwh": rates.price_kwh}
    return found


def words(taken: Mapping[str, Any]) -> str:
    """Return such a record in words: 81.3 J (0.0226 Wh, estimated), 0.00858 g of CO₂ at 380 g/kWh (declared)."""
    wh = 1000 * taken["kwh"]
    amount = f"{wh / 1000:.3g} kWh" if wh >= 1000 else f"{wh:.3g} Wh"
    least = (
        "at least " if taken.get("at_least") else ""
    )  # a process was killed, which could not say what it took
    said = [f"{least}{taken['joules']:.3g} J ({amount}, {taken['how']})"]
    if taken.get("co2_g") is not None:
        said.append(
            f"{taken['co2_g']:.3g} g of CO₂ at {taken['intensity_g_kwh']:g} g/kWh ({taken['intensity_of']})"
        )
    if taken.get("price") is not None:
        said.append(f"a price of {taken['price']:.3g} at {taken['price_kwh']:g} a kWh")
    return ", ".join(said)
