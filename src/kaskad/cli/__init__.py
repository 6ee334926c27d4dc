"""What all commands share: compose, check, run, explain an error."""
