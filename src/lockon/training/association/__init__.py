"""Training of the association network: pairs of frames, their truth, the loss, and how good the matches are."""
