"""From manifest to batches: checks, dataset, samplers, datamodule."""
