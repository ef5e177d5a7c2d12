"""Losses: one value per example; one file, one paper, one test."""
