"""People drawn by code, for a data set that shows nobody."""
