"""From a position to a box: refinement on a learned overlap or density."""
