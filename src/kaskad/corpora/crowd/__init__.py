"""Several answers a recording, aggregated into one transcript."""
