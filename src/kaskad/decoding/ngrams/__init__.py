"""N-gram language models made from text: counted, smoothed, written as ARPA, measured."""
