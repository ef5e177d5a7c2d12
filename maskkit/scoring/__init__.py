"""Exact metrics, their uncertainty, and the blending of predictions."""
