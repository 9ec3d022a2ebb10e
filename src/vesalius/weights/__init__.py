"""Weights of others: the one reader of what others trained, whether pip installs it, a file holds it or a folder."""

from __future__ import annotations

from vesalius.weights.contract import Weights as Weights

__all__ = ["Weights"]
