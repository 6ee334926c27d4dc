"""The run folder: its name and lock, checkpoints, resume, environment, processes, signals."""
