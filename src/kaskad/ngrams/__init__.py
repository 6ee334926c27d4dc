"""N-gram language models: counted, smoothed, written as ARPA, read."""
