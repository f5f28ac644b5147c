"""`python -m bench throughput`, `load`, `memory`, `pace`, `torture` and `soak`."""

import argparse

from bench import annotations, load, memory, pace, soak, throughput, torture


def main() -> None:
    """Runs the measurement that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for module in (throughput, load, annotations, memory, pace, torture, soak):
        command = commands.add_parser(module.__name__.rpartition(".")[2], help=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
