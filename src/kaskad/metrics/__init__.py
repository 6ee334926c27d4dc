"""How far hypotheses are from their references."""
