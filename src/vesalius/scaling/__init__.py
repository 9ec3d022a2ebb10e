"""Scaling laws: how a loss falls with parameters, data and compute, what is forecast by that, and how sure it is."""
