"""Tasks: a network and its loss, as a trainer sees them."""
