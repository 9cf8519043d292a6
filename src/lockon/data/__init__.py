"""Sequences and datasets, annotation formats, and the synthetic world."""
