"""Object stores: S3, Google Cloud Storage, Azure, and what else obstore knows by a URL.

An object is claimed before it is uploaded: a small one next to it, `<name>.sha256`,
is created on condition that it does not exist (`If-None-Match: *`), and holds the
SHA-256 of the shard, so a later run knows whether the shard is the same.
Large objects cannot be created on a condition in parts, but claims can.

A machine that must not decide what counts stages an object below `.oidl-part`,
and another one moves it to its name.

Keys and regions come from the environment (`AWS_ACCESS_KEY_ID`, …), never from
options, and are not recorded.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from oidl.errors import RemoteError, UsageError
from oidl.hints import install
from oidl.storage.atomic import PART_DIRECTORY
from oidl.text import shortened, without_secrets

_KINDS = ("s3", "s3a", "gs", "az", "azure", "adl", "abfs", "abfss")
_CHUNK_BYTES = 8 * 1024 * 1024
_AT_ONCE = 2
_CHARACTERS = 300


class RemoteStore:
    """The place in an object store that `url` names, like `s3://bucket/prefix`.

    Raises `UsageError` if there is no such kind of store, or the package for it is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            from obstore.exceptions import BaseError
            from obstore.store import from_url
        except ImportError as error:
            raise UsageError(
                "--remote needs the package obstore, which is not installed",
                hint=install("remote"),
            ) from error
        hint = "write it like s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
        shown = without_secrets(url)
        if url.partition("://")[0].lower() not in _KINDS:
            raise UsageError(f"--remote: {shown} is not a place in an object store", hint=hint)
        # Who gives an address of a server without TLS, like MinIO on this machine, means it.
        is_plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
        try:
            self._store: Any = from_url(url, client_options={"allow_http": True} if is_plain else None)
        except (BaseError, ValueError) as error:
            problem = f"is not a place in an object store: {_first_line(error)}"
            raise UsageError(f"--remote: {shown} {problem}", hint=hint) from error

    @cached_property
    def _errors(self) -> tuple[type[Exception], ...]:
        from obstore.exceptions import BaseError

        return (BaseError, OSError)

    def check(self, rehearsal: str = "", *, copies: bool = False) -> None:
        """Raises `RemoteError` if nothing can be listed there, because of the address, the keys or the network.

        With the name of a `rehearsal`, which begins with the token of the run, a small object is staged too; if that
        run also `copies` objects, this one is copied, and created on condition.
        """
        import obstore

        try:
            doing = "listed"
            next(iter(obstore.list(self._store, chunk_size=1)), None)
            if not rehearsal:
                return
            name, doing = f"{PART_DIRECTORY}/{rehearsal}-check", "written"
            obstore.put(self._store, name, b"")
            if copies:
                doing = "copied"
                obstore.copy(self._store, name, f"{name}-copy")
                doing = "created on condition that they do not exist (If-None-Match)"
                self._is_created(f"{name}-claim", b"")
                doing = "looked for"
                self._size(f"{name}-missing")
        except self._errors as error:
            raise RemoteError(
                f"{without_secrets(self.url)} cannot be used: objects cannot be {doing} there: {_first_line(error)}",
                hint="check the address, the credentials in the environment and the network, then run again",
            ) from error
        for each in (name, f"{name}-copy", f"{name}-claim"):
            self._discard(each)

    def upload(self, path: Path, key: str, size: int, sha256: str) -> str:
        """Uploads the file `path` as `key`, unless it is there already; returns its URL without what may be secret.

        Raises `RemoteError` if it cannot be uploaded, or if another object has the name.
        """
        return self._create(key, size, sha256, lambda: self._put(path, key))

    def stage(self, path: Path, name: str) -> str:
        """Uploads the file `path` to the staging place, under `name`; returns its URL. Raises `RemoteError`."""
        url = self.staged_url(name)
        try:
            self._put(path, f"{PART_DIRECTORY}/{name}")
        except self._errors as error:
            raise _failed(url, error) from error
        return url

    def staged_url(self, name: str) -> str:
        """The URL that `stage` gives an object."""
        return without_secrets(f"{self.url}/{PART_DIRECTORY}/{name}")

    def adopt(self, name: str, key: str, size: int, sha256: str) -> str | None:
        """Moves the staged object `name` to `key`, unless it is there already; returns its URL.

        Returns None if it is in neither place. One that cannot be deleted is left to `sweep`. Raises `RemoteError` as
        `upload` does.
        """
        import obstore

        staged = f"{PART_DIRECTORY}/{name}"
        try:
            if self._size(staged) != size and self._size(key) != size:
                return None
            url = self._create(key, size, sha256, lambda: obstore.copy(self._store, staged, key))
        except self._errors as error:
            raise _failed(without_secrets(f"{self.url}/{key}"), error) from error
        self._discard(staged)
        return url

    def sweep(self, is_over: Callable[[str], bool]) -> int:
        """Removes staged objects whose names begin with the token of a run that `is_over`; returns how many.

        Raises `RemoteError`.
        """
        import obstore

        swept = 0
        try:
            for page in obstore.list(self._store, prefix=PART_DIRECTORY):
                for each in page:
                    path = each["path"]
                    if is_over(path.rpartition(f"{PART_DIRECTORY}/")[2].partition("-")[0]):
                        obstore.delete(self._store, path)
                        swept += 1
        except self._errors as error:
            raise RemoteError(
                f"{self.staged_url('')} could not be cleared: {_first_line(error)}",
                hint="what is left there is not needed; the keys should allow oidl to delete it",
            ) from error
        return swept

    def _discard(self, key: str) -> None:
        """Deletes an object that is not needed, if there is one and that is allowed."""
        import obstore

        with suppress(*self._errors):
            obstore.delete(self._store, key)

    def _create(self, key: str, size: int, sha256: str, put: Callable[[], object]) -> str:
        """Claims `key`, and lets `put` make the object if it is not there; returns its URL. Raises `RemoteError`."""
        url = without_secrets(f"{self.url}/{key}")
        try:
            is_claimed_before = not self._claim(key, f"{sha256}  {key.rpartition('/')[2]}\n".encode(), url)
            present = self._size(key)
            if present is None:
                put()
            elif not is_claimed_before or present != size:
                raise _taken(url)
        except self._errors as error:
            raise _failed(url, error) from error
        return url

    def _put(self, path: Path, key: str) -> None:
        import obstore

        obstore.put(self._store, key, path, chunk_size=_CHUNK_BYTES, max_concurrency=_AT_ONCE)

    def _claim(self, key: str, claim: bytes, url: str) -> bool:
        """Whether `key` is new; False if this very shard was claimed before. Raises `RemoteError` if another was."""
        import obstore

        if self._is_created(f"{key}.sha256", claim):
            return True
        if bytes(obstore.get(self._store, f"{key}.sha256").bytes()) != claim:
            raise _taken(url)
        return False

    def _is_created(self, key: str, body: bytes) -> bool:
        """Creates an object; returns False if it exists."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            obstore.put(self._store, key, body, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def _size(self, key: str) -> int | None:
        import obstore

        try:
            size: int = obstore.head(self._store, key)["size"]
        except FileNotFoundError:
            return None
        return size


def _failed(url: str, error: Exception) -> RemoteError:
    return RemoteError(
        f"{url} could not be uploaded: {_first_line(error)}",
        hint="check the address, the credentials in the environment and the network; the next run continues",
    )


def _taken(url: str) -> RemoteError:
    return RemoteError(f"{url} is another object, which is not replaced", hint="use a prefix of its own for each root")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else type(error).__name__
    return shortened(
        without_secrets(first.partition(": <")[0]).rstrip(": "), _CHARACTERS
    )  # without the XML of the answer
