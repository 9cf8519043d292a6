"""Which peak of the score map is the target, and how sure that is."""
