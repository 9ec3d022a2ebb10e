"""Questions about an image in words, answered from what an answer states, and with "cannot tell" where it does not."""
