"""The pages, from templates, and the files that they load."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request
from jinja2 import Environment, PackageLoader
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from stylefarm.producer.web.access import FarmDep, cookie_name, find_grant
from stylefarm.producer.web.operations import operations
from stylefarm.producer.web.problems import Refused
from stylefarm.shared.store.access import Grant

router = APIRouter(include_in_schema=False)

MEDIA_TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}
# Sweeps on the first page, and pictures of each.
LISTED, SHOWN = 100, 5
IMMUTABLE = "public, max-age=31536000, immutable"


def find_viewer(request: Request) -> Grant:
    """Return who looks at a page; a stranger is sent to the form to sign in. Raises HTTPException."""
    grant = find_grant(request)
    if grant is None:
        raise HTTPException(303, "sign in first", {"Location": "/login"})
    return grant


Viewer = Annotated[Grant, Depends(find_viewer)]


class StaticFiles:
    """The files of the pages, read once, under a version that changes with any of them."""

    def __init__(self) -> None:
        root = Path(str(resources.files("stylefarm.producer.web") / "static"))
        found = sorted(path for path in root.rglob("*") if path.suffix in MEDIA_TYPES)
        self.files = {str(path.relative_to(root)): path.read_bytes() for path in found}
        self.compressed = {name: gzip.compress(data, mtime=0) for name, data in self.files.items()}
        digest = hashlib.blake2b(digest_size=8)
        for name, data in self.files.items():
            digest.update(f"{name}:{len(data)}:".encode() + data)
        self.version = digest.hexdigest()

    def address(self, name: str) -> str:
        """Return where a file is loaded from."""
        if name not in self.files:
            raise KeyError(name)
        return f"/static/{self.version}/{name}"

    def response(self, request: Request, name: str) -> Response:
        """Return a file."""
        if name not in self.files:
            raise Refused("there is no such file", 404)
        packed = "gzip" in request.headers.get("accept-encoding", "")
        headers = {"Cache-Control": IMMUTABLE, "Vary": "Accept-Encoding"}
        if packed:
            headers["Content-Encoding"] = "gzip"
        data = self.compressed[name] if packed else self.files[name]
        return Response(data, headers=headers, media_type=MEDIA_TYPES[Path(name).suffix])


def install(app: FastAPI) -> None:
    """Add the pages to an application."""
    static = StaticFiles()
    environment = Environment(
        loader=PackageLoader("stylefarm.producer.web", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["static"] = static.address
    environment.filters["page_json"] = _page_json
    environment.filters["with_code"] = _with_code
    app.state.static = static
    app.state.templates = environment
    app.include_router(router)


def _page_json(value: Any) -> Markup:
    """Return JSON for a <script type="application/json"> element, which no text in it can end."""
    text = json.dumps(value, separators=(",", ":")).replace("<", "\\u003c").replace("&", "\\u0026")
    return Markup(text)  # noqa: S704 - neither "<" nor "&" is left in it


def _with_code(text: str) -> Markup:
    """Return a text as HTML; what is between backquotes is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped


def _page(request: Request, grant: Grant, template: str, **values: Any) -> Response:
    page = {
        "base": "/api/v1",
        "root": "",
        "user": grant.user,
        "role": grant.role.word,
        "read_only": False,
        "session": cookie_name(request) in request.cookies,
        **values.pop("page", {}),
    }
    html = request.app.state.templates.get_template(template).render(page=page, **values)
    return HTMLResponse(html, headers={"Cache-Control": "no-store"})


@router.get("/static/{version}/{name:path}")
async def static_file(request: Request, version: str, name: str) -> Response:
    """Return a script, a style sheet or an icon."""
    response: Response = request.app.state.static.response(request, name)
    return response


@router.get("/")
def home(request: Request, farm: FarmDep, viewer: Viewer) -> Response:
    """Show the sweeps, newest first."""
    listed = farm.services.listing.sweeps(LISTED)
    pictures = farm.services.cell_reads.first_pictures([entry.sweep.id for entry in listed], SHOWN)
    sweeps = [
        {
            "id": entry.sweep.id,
            "name": entry.sweep.name,
            "created_at": entry.sweep.created_at.isoformat(),
            "tags": entry.sweep.tags,
            "counts": {str(state): count for state, count in entry.counts.items()},
            "pictures": pictures.get(entry.sweep.id, []),
        }
        for entry in listed
    ]
    return _page(request, viewer, "home.html", sweeps=sweeps)


@router.get("/sweeps/{sweep_id}")
def sweep(request: Request, farm: FarmDep, viewer: Viewer, sweep_id: str) -> Response:
    """Show a sweep."""
    found = farm.find_sweep(sweep_id)
    if found.id != sweep_id:
        return RedirectResponse(f"/sweeps/{found.id}", status_code=307)
    return _page(request, viewer, "sweep.html", page={"sweep": found.id}, sweep=found)


@router.get("/jobs/{job_id}")
def job(request: Request, farm: FarmDep, viewer: Viewer, job_id: str) -> Response:
    """Show a job."""
    found = farm.find_job(job_id)
    if found.id != job_id:
        return RedirectResponse(f"/jobs/{found.id}", status_code=307)
    return _page(request, viewer, "job.html", page={"job": found.id}, status=found.status())


@router.get("/workers")
@router.get("/models")
@router.get("/datasets")
@router.get("/new")
def page(request: Request, viewer: Viewer) -> Response:
    """Show the workers, models or data sets, or the forms of a new job and a new sweep."""
    return _page(request, viewer, f"{request.url.path[1:]}.html")


@router.get("/docs")
def docs(request: Request, viewer: Viewer) -> Response:
    """Show what the API takes and answers."""
    document = request.app.openapi()
    return _page(request, viewer, "docs.html", groups=operations(document), api=document["info"])
