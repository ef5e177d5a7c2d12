"""Exact metrics, their uncertainty, and where predictions go wrong."""
