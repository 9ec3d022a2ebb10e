"""Phantoms that write: what a report is made from, writers with styles of their own, and a template of the truth."""
