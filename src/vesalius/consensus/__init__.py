"""Consensus: what several experts say together, how good each of them is, and how far they agree; numpy alone.

Votes are kept as patterns: which label each expert gave, and how often that combination occurs in each case. A case of
classes is one such pattern, a mask is a histogram of a few, so that everything here takes little memory for either.
"""
