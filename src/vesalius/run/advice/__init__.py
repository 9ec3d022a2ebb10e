"""Advice: what is expected of one patient under each treatment, and what argues against believing it."""
