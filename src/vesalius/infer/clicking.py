"""Stand-in until the real one is merged."""

from typing import Any


def takes_clicks(predictor: Any) -> bool:
    return False


class Clicking:
    def __init__(self, predictor: Any, image: Any) -> None: ...
