"""What servers and files are like at their worst: mutated inputs through the whole program, which gives way to none."""

import argparse

from bench import fuzz_answers, fuzz_images

_FUZZERS = (fuzz_answers, fuzz_images)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What can be set."""
    parser.add_argument("--seed", type=int, default=1)
    for fuzzer in _FUZZERS:
        fuzzer.add_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Prints what became of each kind of input; fails if a single one became what it must not."""
    for fuzzer in _FUZZERS:
        fuzzer.run(arguments)
