"""Self-contained HTML pages and their plots."""
