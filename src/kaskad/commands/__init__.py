"""One file a command, each a table of contents."""
