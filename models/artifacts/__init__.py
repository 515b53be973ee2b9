"""Saved recognizers: the files, their cards, loading them again."""
