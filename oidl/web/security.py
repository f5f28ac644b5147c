"""Who may ask, and for what: in front of everything else that the page's server does.

Only reading; only under our own name; not on behalf of another site; with the
token where there is one. What goes out is marked so that a browser runs no
script but ours, guesses no types and tells no other site where it was.
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


class Guard:
    """Stands before `app`, which is served at `address`."""

    def __init__(self, app: ASGIApp, address: Address) -> None:
        self._app = app
        self._address = address
        self._cookie = f"oidl-{address.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or lets `app` answer."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        assert scope["type"] == "http"

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send_marked)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if not self._address.is_for_us(headers.get("host", "")):
            return _refused(403, "This server has another name.")
        if scope["method"] not in ("GET", "HEAD"):
            return _refused(405, "There is nothing to change here.", {"Allow": "GET, HEAD"})
        is_visit = headers.get("sec-fetch-mode", "navigate") == "navigate"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not is_visit:
            return _refused(403, "Other sites have no business here.")
        if self._address.token is None or self._has_cookie(headers.getlist("cookie")):
            return None
        if not self._is_token(_value(scope["query_string"].decode("latin-1"), "&", "token")):
            return _refused(403, "Open the address that oidl printed: it has a token at its end.")
        # From here on it is in a cookie, and neither in the history nor on the screen.
        welcome = RedirectResponse("/", status_code=303)
        welcome.set_cookie(self._cookie, self._address.token, httponly=True, samesite="lax")
        return welcome

    def _has_cookie(self, headers: Iterable[str]) -> bool:
        return any(self._is_token(_value(header, ";", self._cookie)) for header in headers)

    def _is_token(self, shown: str) -> bool:
        assert self._address.token is not None
        return compare_digest(shown.encode(), self._address.token.encode())


def _value(text: str, separator: str, name: str) -> str:
    """What `name=` has in `text`, or nothing.

    The token needs no quoting, and so no parser: `http.cookies` takes seconds for a long header of backslashes.
    """
    for part in text.split(separator):
        found, _, value = part.strip().partition("=")
        if found == name:
            return value
    return ""


def _refused(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return PlainTextResponse(text + "\n", status, headers)
