"""`kaskad <command> key=value …`: every command of Kaskad."""

import sys

from kaskad.cli.command import run, summary_of
from kaskad.config.messages import did_you_mean

# In the order of a lab's work.
COMMANDS = (
    "prepare",
    "describe",
    "advise",
    "preview",
    "shard",
    "train",
    "evaluate",
    "compare",
    "estimate_lm",
    "tune_decoder",
    "extract_language",
    "transcribe",
    "align",
    "release",
    "export",
    "serve",
)


def main() -> None:
    """Run the command that is named first; without one, list them all."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h"):
        print("kaskad <command> key=value …\n")
        for command in COMMANDS:
            print(f"  {command:<18}{summary_of(command).partition(':')[0]}")
        print("\nkaskad <command> --help lists the options of a command.")
    elif name in COMMANDS:
        # Hydra takes the program's name from here.
        sys.argv[:2] = [f"{sys.argv[0]} {name}"]
        run(name)
    else:
        print(f"{name}: no such command{did_you_mean(name, COMMANDS)}", file=sys.stderr)
        print(f"it is one of {', '.join(COMMANDS)}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
