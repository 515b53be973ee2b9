"""The harness: datasets, protocols, runs, records, leaderboard and figures."""
