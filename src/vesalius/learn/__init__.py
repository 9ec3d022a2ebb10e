"""Training: one loop for every task, that a crash cannot hurt and a clock can bound."""
