"""Decoded photos and digests of files, kept between commands."""
