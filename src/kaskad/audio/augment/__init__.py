"""Augmentation: what training recordings go through so that no two epochs get the same."""
