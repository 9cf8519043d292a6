"""The frame loop, its state, and the parts that fill its five slots."""
