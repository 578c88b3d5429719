"""The tracking server: whether it is there, and fits the MLflow that is installed here. Asked before any work is done."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from typing import Final
from urllib.parse import urlsplit

import mlflow
import requests
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.tracking.registry import UnsupportedModelRegistryStoreURIException
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from pipelines.stage import StageError, disk_is_full, first_cause

ANSWER_S: Final = 5.0  # to connect, and to tell the version
REQUEST_S: Final = 60  # of any other request, MLflow's own included
NO_ACCESS: Final = (401, 403)


def connect(uri: str, retries: int) -> MlflowClient:
    """A client of the server, or of the database, at `uri`.

    Args:
        uri: as in MLFLOW_TRACKING_URI.
        retries: of each request to a server, which MLflow makes with growing waits. What a stage logs needs none, since
            `pipelines.delivery` has waits of its own; the user's MLFLOW_HTTP_REQUEST_MAX_RETRIES goes before.

    Raises:
        StageError: no server answers there, or one that this MLflow cannot work with.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(retries))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(REQUEST_S))
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # the traceback of what is said in one line here
    mlflow.set_tracking_uri(uri)
    with in_one_line(uri):
        try:
            if urlsplit(uri).scheme in ("http", "https"):
                _check(uri)
            return MlflowClient()
        except (UnsupportedModelRegistryStoreURIException, ValueError) as error:
            advice = "write http://host:port, or sqlite:///file"
            raise StageError(f"MLFLOW_TRACKING_URI is {shown(uri)}, which MLflow does not know how to reach: {advice}") from error


def _check(uri: str) -> None:
    place = shown(uri)
    try:
        access = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
        answer = http_request(access, "/version", "GET", max_retries=0, timeout=ANSWER_S)  # type: ignore[no-untyped-call]
    except MlflowException as error:
        advice = "start it or unset MLFLOW_TRACKING_URI"
        raise StageError(f"no MLflow server answers at {place} ({first_cause(error)}): {advice}") from error
    if answer.status_code in NO_ACCESS:
        advice = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to one's that it knows"
        raise StageError(f"the MLflow server at {place} lets nobody in without a name: {advice}")
    theirs, ours = answer.text.strip(), str(mlflow.__version__)
    if not answer.ok or not re.fullmatch(r"\d+\.\d+[\w.]*", theirs):
        raise StageError(f"what answers at {place} is no MLflow server: correct MLFLOW_TRACKING_URI")
    if theirs.split(".")[0] != ours.split(".")[0]:
        advice = "their major versions have to be the same, upgrade the older one"
        raise StageError(f"the MLflow server at {place} is of version {theirs}, and MLflow here of {ours}: {advice}")


def check_artifacts(client: MlflowClient, run_id: str, uri: str) -> None:
    """Ask for the artifacts of some run: who knows the run may still lack the way to the store of its artifacts.

    Raises:
        StageError: nobody can tell, neither the server nor, where it leaves that to its clients, this machine.
    """
    try:
        client.list_artifacts(run_id)
    except Exception as error:  # whatever the store's own library raises
        advice = "see to the address and the credentials of their store"
        raise StageError(f"MLflow at {shown(uri)} has no access to its artifacts ({first_cause(error)}): {advice}") from error


@contextmanager
def in_one_line(uri: str) -> Iterator[None]:
    """Turn MLflow's errors into a StageError, and a full disk under its database into the OSError that it is elsewhere."""
    try:
        yield
    except (MlflowException, requests.HTTPError) as error:
        if disk_is_full(error):
            raise OSError(ENOSPC, os.strerror(ENOSPC), shown(uri)) from error
        raise StageError(f"MLflow at {shown(uri)} has not done what this stage asked for: {first_cause(error)}") from error


def shown(uri: str) -> str:
    """The URI without the name and password that it may have."""
    return re.sub(r"//[^/@]*@", "//", uri)
