"""Measurements, each with its comparison, from one run on one machine.

`python -m bench throughput` times `oidl run` against the limit of the machine;
`python -m bench load` times the state database against plain loops, and
`python -m bench memory` takes the peak with 10 MB bodies. `bench/README.md`
has the figures.
"""
