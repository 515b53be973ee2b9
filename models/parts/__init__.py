"""What recognizers are built from: machines, codebooks, votes."""
