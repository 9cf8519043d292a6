"""Command line and integrations: thin, no algorithm."""
