"""A test: run it, keep its results, compare models, find the nearest training utterances."""
