"""From what was measured to what will be done: fingerprint, rules, budget; every value with its reason."""
