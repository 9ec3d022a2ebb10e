"""The viewer at `/`: the files that `make viewer` builds, under a policy that keeps the page to its own server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from vesalius.serve.viewer import packages

if TYPE_CHECKING:
    from fastapi import FastAPI

STATIC = Path(__file__).parent / "static"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Cache-Control": "no-cache",
}
UNBUILT = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Vesalius</title></head>
<body><h1>Vesalius</h1>
<p>The service runs, but its viewer was not built. An installed package holds it; in a checkout,
<code>make viewer</code> builds it (Node 18 or later), and this page shows it once the service is started again.</p>
<p>Programs call the API, which <a href="openapi.json">openapi.json</a> describes.</p>
<p>For research use: not a medical device.</p>
</body></html>
"""


def built(static: Path = STATIC) -> bool:
    """Return whether all files of the viewer are in `static`."""
    return all((static / name).is_file() for name in ("index.html", "app.js", "app.css"))


def mount(app: FastAPI, *, static: Path = STATIC) -> None:
    """Add the routes of `/` and of the viewer's files to `app`; a plain page where the viewer was not built.

    Call it after all other routes are added. The files hold no data and need no key; the page asks for a key when the
    API does. Scripts of other packages are at `/kinds/NAME.js`, and the page is told their names.
    """
    from fastapi.responses import FileResponse, HTMLResponse

    others = packages.scripts()

    @app.get("/", include_in_schema=False)
    def page() -> HTMLResponse:
        text = (static / "index.html").read_text(encoding="utf-8") if built(static) else UNBUILT
        if others:
            text = text.replace("<html", f'<html data-kinds="{" ".join(others)}"', 1)
        return HTMLResponse(text, headers=HEADERS)

    for name, script in others.items():

        def kind(script: Path = script) -> FileResponse:
            return FileResponse(script, headers=HEADERS, media_type="text/javascript")

        app.add_api_route(f"/kinds/{name}.js", kind, include_in_schema=False)

    for path in sorted(static.iterdir()) if static.is_dir() else ():
        if path.is_file() and path.name != "index.html":

            def file(path: Path = path) -> FileResponse:
                return FileResponse(path, headers=HEADERS)

            app.add_api_route(f"/{path.name}", file, include_in_schema=False)
