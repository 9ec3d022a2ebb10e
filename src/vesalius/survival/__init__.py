"""Survival analysis of tables: curves, comparisons, Cox models and scores under censoring. Numpy and scipy only."""
