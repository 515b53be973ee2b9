"""From a path to an answer: find pictures, read them, find and crop faces, predict."""
