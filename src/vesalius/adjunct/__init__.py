"""Large language models beside an answer: what leaves for them, what comes back, and what contradicts the findings."""
