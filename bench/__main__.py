"""`python -m bench NAME`: the measurements behind the figures in `bench/README.md`."""

import argparse

from bench import (
    annotations,
    cluster,
    damage,
    explorer,
    flaky,
    fuzz,
    imaging,
    licenses,
    limiters,
    load,
    memory,
    pace,
    pack,
    pictures,
    portal,
    powercut,
    readers,
    scaling,
    screen,
    similarity,
    soak,
    start,
    throughput,
    torture,
    web,
)

_MEASUREMENTS = (
    throughput,
    scaling,
    start,
    cluster,
    load,
    annotations,
    readers,
    pack,
    memory,
    imaging,
    limiters,
    damage,
    fuzz,
    similarity,
    screen,
    web,
    explorer,
    pace,
    flaky,
    portal,
    licenses,
    torture,
    powercut,
    soak,
    pictures,
)


def main() -> None:
    """Runs the measurement that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for module in _MEASUREMENTS:
        command = commands.add_parser(module.__name__.rpartition(".")[2], help=module.__doc__)
        module.add_arguments(command)
        command.set_defaults(run=module.run)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
