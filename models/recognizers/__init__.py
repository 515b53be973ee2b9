"""The recognizers: one file each, found by the registry."""
