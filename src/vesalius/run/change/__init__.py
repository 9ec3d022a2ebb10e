"""Change: two visits of one patient answered, registered, held against one another, and written down."""
