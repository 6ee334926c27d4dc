"""In which order, and in which batches, utterances train."""
