"""Search: which plan is tried next, in a store that many processes share; how plans are measured is given to it.

A space says which values of a plan are tried: it follows from what a task's plan and its nets declare, or a user writes
it. Optuna chooses among them, and its study lies in a folder beside a folder for each trial.
"""
