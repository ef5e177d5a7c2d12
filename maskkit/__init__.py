"""Composable commands that turn photos of people into trustworthy class predictions."""

__version__ = "0.1.0"
