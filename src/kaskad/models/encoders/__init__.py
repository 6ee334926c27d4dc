"""Features in, (batch, frames', dim) out: one file an encoder."""
