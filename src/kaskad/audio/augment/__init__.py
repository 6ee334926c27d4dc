"""Augmentation: what training recordings go through so that no two epochs hear the same."""
