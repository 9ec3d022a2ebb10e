"""Reliability: what is wrong with the data, found in one pass over its pixels."""
