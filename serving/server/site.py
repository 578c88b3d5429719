"""What a server shows in a browser: the page, the API reference and the status view, as files below one folder."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

WEB: Final = Path(__file__).parents[1] / "web"
OPENAPI: Final = "openapi.json"
# Path in a URL -> file below the folder. Everything else in `web/` has its own name in its URL.
VIEWS: Final = {"/": "web/index.html", "/docs": "web/docs.html", "/status": "web/status.html", "/openapi.json": OPENAPI}
# Nothing comes from another host, no script or style is inside a page, and no other page may embed one of these.
HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def lay_out(folder: Path, document: dict[str, Any]) -> None:
    """Write the files into a folder: the pages' own, and the OpenAPI document of the models."""
    shutil.copytree(WEB, folder / "web", dirs_exist_ok=True)
    describe(folder, document)


def describe(folder: Path, document: dict[str, Any]) -> None:
    """Write the OpenAPI document of the models, with the kinds for whose answers the page has a view."""
    views = sorted(path.stem for path in (WEB / "kinds").glob("*.js"))
    shown = {**document, "info": {**document["info"], "x-views": views}}
    partial = folder / f"{OPENAPI}.part"
    partial.write_text(json.dumps(shown, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    partial.replace(folder / OPENAPI)
