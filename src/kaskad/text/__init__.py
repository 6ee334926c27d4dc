"""Between transcripts and labels: tokenizers, numerals, normalisation."""
