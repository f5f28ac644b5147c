"""Transfers and everything about them; the only room that knows httpx.

A fault of a server or a network leaves this room as a `model.Failure`,
never as an exception.
"""
