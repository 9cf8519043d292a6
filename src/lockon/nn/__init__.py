"""Layers and solvers that know nothing of tracking."""
