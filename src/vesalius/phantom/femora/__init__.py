"""Parts of the phantom of femora: a person's pair, the shape of the bone, what one of them lacks, and their CT."""
