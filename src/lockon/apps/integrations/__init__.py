"""Trackers of all kinds as evaluation measures them, and Lockon's trackers in the toolkits of others."""
