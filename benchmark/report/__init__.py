"""The report: one HTML page with all that a results folder says."""
