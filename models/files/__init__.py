"""Files written whole or not at all, arrays on disk, the digest of code, standard streams."""
