"""One transfer and everything about it; the only room that knows httpx.

What a server or a network does wrong leaves this room as a `model.Failure`,
never as an exception.
"""
