"""Folds that never divide a person."""
