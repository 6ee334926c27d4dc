"""A model as something to ship: packed, tested and described; verified where it arrives."""
