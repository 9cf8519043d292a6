"""Where the target may be: from features to a score map, by a model of the target."""
