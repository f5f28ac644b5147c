"""Who may ask the page's server, and for what: a middleware in front of everything else.

A request must only read, name this server as its host, not be made by another
site, and carry the token if there is one. The headers of every answer tell the
browser to run our scripts alone, to guess no types and to send no referrer.
"""

from collections.abc import Iterable
from hmac import compare_digest

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from oidl.web.address import Address

_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class SecurityMiddleware:
    """Refuses requests that must not reach `app`, which is served at `address`."""

    def __init__(self, app: ASGIApp, address: Address) -> None:
        self._app = app
        self._address = address
        self._cookie = f"oidl-{address.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with a refusal, or lets `app` answer; adds the headers to either."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        assert scope["type"] == "http"

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._address.is_our_host(headers.get("host", "")):
            return _refused(403, "This server has another name.")
        if scope["method"] not in ("GET", "HEAD"):
            return _refused(405, "This server only answers GET and HEAD.", {"Allow": "GET, HEAD"})
        is_visit = headers.get("sec-fetch-mode", "navigate") == "navigate"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not is_visit:
            return _refused(403, "Requests from other sites are refused.")
        if self._address.token is None or self._has_cookie(headers.getlist("cookie")):
            return None
        if not self._is_token(_value(scope["query_string"].decode("latin-1"), "&", "token")):
            return _refused(403, "Open the address that oidl printed: it has a token at its end.")
        # From now on it is in a cookie, so it is neither in the history nor on the screen.
        welcome = RedirectResponse("/", status_code=303)
        welcome.set_cookie(self._cookie, self._address.token, httponly=True, samesite="lax")
        return welcome

    def _has_cookie(self, headers: Iterable[str]) -> bool:
        return any(self._is_token(_value(header, ";", self._cookie)) for header in headers)

    def _is_token(self, value: str) -> bool:
        assert self._address.token is not None
        return compare_digest(value.encode(), self._address.token.encode())


def _value(text: str, separator: str, name: str) -> str:
    """The value of `name=` in `text`; empty if there is none.

    The token needs no quoting and therefore no parser: `http.cookies` takes seconds for a long header of backslashes.
    """
    for part in text.split(separator):
        found, _, value = part.strip().partition("=")
        if found == name:
            return value
    return ""


def _refused(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(text + "\n", status, headers)
