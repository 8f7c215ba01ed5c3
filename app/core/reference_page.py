"""``/docs``: the reference page of an API, with nothing loaded from another host.

Script and style are Swagger UI's, taken from the files of the package fastapi-offline; its code is not used. Addresses
are relative, so that the page also works behind a proxy that serves it below another path.
"""

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from importlib.resources import files

from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

# style attributes are set by script, which needs no exception; sizes of images and arrows are data: URLs of the style
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FOR_EVER = "public, max-age=31536000, immutable"
ASK_FIRST = "no-cache"
SCRIPT = "text/javascript; charset=utf-8"
PACKAGED = {"swagger-ui-bundle.js": SCRIPT, "swagger-ui.css": "text/css; charset=utf-8"}
# validatorUrl: without it Swagger UI shows the document's address to a validator on the internet
START = """\
window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  filter: true,
  validatorUrl: null,
});
"""
PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{style}">
</head>
<body>
<div id="swagger-ui"></div>
<script src="{script}"></script>
<script src="{start}"></script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file of the page, as it is and packed, named by its content."""

    digest: str
    media_type: str
    body: bytes
    packed: bytes


@lru_cache(maxsize=8)
def asset(name: str) -> Asset:
    """The file of that name, read and packed once. Raises a 404 for any other."""
    if name == "start.js":
        body, media_type = START.encode(), SCRIPT
    elif name in PACKAGED:
        body, media_type = (files("fastapi_offline") / "static" / name).read_bytes(), PACKAGED[name]
    else:
        raise HTTPException(404)
    return Asset(hashlib.sha256(body).hexdigest()[:16], media_type, body, gzip.compress(body, mtime=0))


def address(name: str) -> str:
    """Where the page finds a file: another content has another address."""
    return f"docs/assets/{asset(name).digest}/{name}"


def install_reference_page(app: FastAPI) -> None:
    """Make ``app`` answer ``/docs`` and the files that the page needs."""

    # plain functions: reading and packing a megabyte is done in a thread
    @app.get("/docs", include_in_schema=False)
    def reference_page() -> Response:
        title = escape(f"{app.title}: reference")
        places = {"style": address("swagger-ui.css"), "script": address("swagger-ui-bundle.js")}
        html = PAGE.format(title=title, start=address("start.js"), **places)
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Cache-Control": ASK_FIRST}
        return Response(html, 200, headers, "text/html; charset=utf-8")

    @app.get("/docs/assets/{digest}/{name}", include_in_schema=False)
    def reference_asset(digest: str, name: str, request: Request) -> Response:
        found = asset(name)
        # while a release is rolled out a page may be the other release's: it gets what there is, and nobody keeps it
        keep = FOR_EVER if digest == found.digest else ASK_FIRST
        headers = {"ETag": f'"{found.digest}"', "Cache-Control": keep, "Vary": "Accept-Encoding"}
        if found.digest in request.headers.get("if-none-match", ""):
            return Response(None, 304, headers)
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(found.packed, 200, headers | {"Content-Encoding": "gzip"}, found.media_type)
        return Response(found.body, 200, headers, found.media_type)
