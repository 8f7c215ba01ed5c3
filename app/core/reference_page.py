"""``/docs``: the API reference, drawn by Swagger UI from this application's own document, with no other host asked.

The assets are those of the package ``fastapi-offline``; nothing on the page is inline, so its Content-Security-Policy
lets in what this origin serves and no more.
"""

from importlib.resources import files
from pathlib import Path

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response

ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
START = "start.js"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
CACHED = "public, max-age=86400"

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="icon" href="{root}/docs/favicon.png">
<link rel="stylesheet" href="{root}/docs/swagger-ui.css">
</head>
<body>
<div id="swagger-ui" data-document="{root}/openapi.json"></div>
<script src="{root}/docs/swagger-ui-bundle.js"></script>
<script src="{root}/docs/start.js"></script>
</body>
</html>
"""
# Swagger UI asks validator.swagger.io about the document unless it is told not to.
_START = """"use strict";
const place = document.getElementById("swagger-ui");
SwaggerUIBundle({
  url: place.dataset.document,
  domNode: place,
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  persistAuthorization: false,
  validatorUrl: null,
});
"""


def install_reference_page(app: FastAPI) -> None:
    """Serve ``/docs`` and its assets; neither is part of the document."""

    async def page(request: Request) -> Response:
        root = request.scope.get("root_path", "").rstrip("/")
        return HTMLResponse(_PAGE.format(title=app.title, root=root), headers={"content-security-policy": POLICY})

    async def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name == START:
            return Response(_START, media_type="text/javascript", headers={"cache-control": CACHED})
        if name not in ASSETS:
            raise HTTPException(404)  # the sandbox gateway knows no refusals
        path = Path(str(files("fastapi_offline") / "static" / name))
        return FileResponse(path, media_type=ASSETS[name], headers={"cache-control": CACHED})

    app.add_route("/docs", page, methods=["GET"], include_in_schema=False)
    app.add_route("/docs/{name}", asset, methods=["GET"], include_in_schema=False)
