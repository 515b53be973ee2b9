"""Models from elsewhere: their declarations, how they predict, and files of predictions alone."""
