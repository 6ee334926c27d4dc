"""Waveform in, features out: reading, augmentation, features."""
