"""The nouns: what every other room speaks of. No torch, and nothing of ours below."""
