"""Finds a project's source archive in the package indexes that pip is configured to use."""

import ast
import subprocess
import sys

from pypi_simple import PYPI_SIMPLE_ENDPOINT, NoSuchProjectError, ProjectPage, PyPISimple

SECTIONS = (":env:", "download", "global")  # of pip's configuration, in order of precedence


def archive_url(project: str, version: str, timeout: tuple[float, float]) -> str | None:
    """The URL of a source archive, from the first index that has it; None if none does.

    Args:
        project: its name.
        version: as the index writes it.
        timeout: seconds to connect, and between two chunks of a response.

    Raises:
        requests.RequestException: an index does not respond, or responds with an error.
    """
    for index in indexes():
        page = _project_page(index, project, timeout)
        for package in page.packages if page else ():
            if (package.package_type, package.version) == ("sdist", version):
                return package.url
    return None


def indexes() -> list[str]:
    """The indexes that `pip download` would use, in its order, without local folders."""
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - the command is constant
    lines = [line.partition("=") for line in done.stdout.splitlines()]
    settings = {name: str(ast.literal_eval(value)) for name, _, value in lines}  # pip prints values as repr

    def setting(key: str) -> str:
        return next((settings[name] for section in SECTIONS if (name := f"{section}.{key}") in settings), "")

    urls = [setting("index-url") or PYPI_SIMPLE_ENDPOINT, *setting("extra-index-url").split()]
    return [url for url in urls if url.startswith(("http://", "https://"))]


def _project_page(index: str, project: str, timeout: tuple[float, float]) -> ProjectPage | None:
    with PyPISimple(index) as client:
        try:
            return client.get_project_page(project, timeout=timeout)
        except NoSuchProjectError:
            return None
