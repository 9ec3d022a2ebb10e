"""Kinds of answers: one file = all that is done with answers of one kind, from columns and drawings to the report."""
