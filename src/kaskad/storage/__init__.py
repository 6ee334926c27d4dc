"""Files on a disk: written whole or not at all, and read by their very name."""
