"""Searches and their tables."""
