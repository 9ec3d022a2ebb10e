"""Parts of the phantom of heads on four scanners: the tissues of a head, and what a scanner makes of them."""
