"""Planners in other clusters: what is made there, kept as it should be, told of, and removed again."""
