"""Runs: fit a recognizer, score it, store the record, and say whether a record is fresh."""
