"""The Python package index, or whichever ones pip is configured to ask: where is a project's source archive?"""

import ast
import subprocess
import sys

from pypi_simple import PYPI_SIMPLE_ENDPOINT, NoSuchProjectError, ProjectPage, PyPISimple

SECTIONS = (":env:", "download", "global")  # of pip's configuration, the first one that has a key counts


def archive_url(project: str, version: str, timeout: tuple[float, float]) -> str | None:
    """The URL of a source archive, from the first index that has it; None if none has.

    Args:
        project: its name.
        version: as the index writes it.
        timeout: seconds to connect, and between two pieces of an answer.

    Raises:
        requests.RequestException: an index does not answer, or with an error.
    """
    for index in indexes():
        page = _project_page(index, project, timeout)
        for package in page.packages if page else ():
            if (package.package_type, package.version) == ("sdist", version):
                return package.url
    return None


def indexes() -> list[str]:
    """The indexes that `pip download` would ask, in its order, without those that are folders."""
    command = [sys.executable, "-m", "pip", "config", "list", "--disable-pip-version-check"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - nothing of it comes from outside
    lines = [line.partition("=") for line in done.stdout.splitlines()]
    settings = {name: str(ast.literal_eval(value)) for name, _, value in lines}  # as pip prints them: repr

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
