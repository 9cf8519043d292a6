"""Video in and out: sources, sinks, drawing."""
