"""The catalogue of trackers and the import of official checkpoints."""
