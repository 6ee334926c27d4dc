"""Transcripts of whole recordings, and the files that they are written to."""
