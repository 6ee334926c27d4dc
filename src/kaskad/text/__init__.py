"""Between transcripts and labels: tokenizers, phonemes, numerals, normalisation."""
