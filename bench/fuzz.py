"""Servers and files at their worst: sends mutated inputs through the whole program, which must withstand them all."""

import argparse

from bench import fuzz_answers, fuzz_images

_FUZZERS = (fuzz_answers, fuzz_images)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--seed", type=int, default=1)
    for fuzzer in _FUZZERS:
        fuzzer.add_arguments(parser)


def run(arguments: argparse.Namespace) -> None:
    """Prints the outcomes of each kind of input; fails at a single forbidden one."""
    for fuzzer in _FUZZERS:
        fuzzer.run(arguments)
