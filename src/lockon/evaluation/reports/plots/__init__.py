"""The plots of the papers, from assessments: every function gives a figure of matplotlib (extra `plot`)."""
