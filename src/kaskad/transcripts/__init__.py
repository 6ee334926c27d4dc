"""What was said in whole recordings, and the files that it is written to."""
