"""Runs: fit a recognizer, score it, write the record, and tell whether a record is fresh."""
