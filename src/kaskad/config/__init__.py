"""A configuration checked before a run, and its mistakes explained."""
