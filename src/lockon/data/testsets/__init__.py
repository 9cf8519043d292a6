"""Test sets of the benchmarks at their distributed layouts, and any folder of annotated sequences."""
