"""Posteriors in, hypotheses out."""
