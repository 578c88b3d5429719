"""Checks before any work that the tracking server is reachable and compatible with the installed MLflow."""

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

ANSWER_S: Final = 5.0  # timeout to connect and return the version
REQUEST_S: Final = 60  # timeout of all other requests, including MLflow's own
NO_ACCESS: Final = (401, 403)


def connect(uri: str, retries: int) -> MlflowClient:
    """A client of the server or database at `uri`.

    Args:
        uri: as in MLFLOW_TRACKING_URI.
        retries: number of MLflow's own retries of a request, with exponential backoff. Logging needs none, since
            `pipelines.tracking.delivery` retries itself; the user's MLFLOW_HTTP_REQUEST_MAX_RETRIES takes precedence.

    Raises:
        StageError: no server answers, or it is incompatible with this MLflow.
    """
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", str(retries))
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", str(REQUEST_S))
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)  # hides tracebacks of errors that are reported below
    mlflow.set_tracking_uri(uri)
    with in_one_line(uri):
        try:
            if urlsplit(uri).scheme in ("http", "https"):
                _check(uri)
            return MlflowClient()
        except (UnsupportedModelRegistryStoreURIException, ValueError) as error:
            advice = "write http://host:port, or sqlite:///file"
            raise StageError(f"MLFLOW_TRACKING_URI is {shown(uri)}, which MLflow does not support: {advice}") from error


def _check(uri: str) -> None:
    place = shown(uri)
    try:
        access = get_default_host_creds(uri)  # type: ignore[no-untyped-call]
        answer = http_request(access, "/version", "GET", max_retries=0, timeout=ANSWER_S)  # type: ignore[no-untyped-call]
    except MlflowException as error:
        advice = "start it or unset MLFLOW_TRACKING_URI"
        raise StageError(f"no MLflow server answers at {place} ({first_cause(error)}): {advice}") from error
    if answer.status_code in NO_ACCESS:
        advice = "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD to valid credentials"
        raise StageError(f"the MLflow server at {place} requires authentication: {advice}")
    theirs, ours = answer.text.strip(), str(mlflow.__version__)
    if not answer.ok or not re.fullmatch(r"\d+\.\d+[\w.]*", theirs):
        raise StageError(f"the server at {place} is not an MLflow server: correct MLFLOW_TRACKING_URI")
    if theirs.split(".")[0] != ours.split(".")[0]:
        advice = "the major versions must match, upgrade the older one"
        raise StageError(f"the MLflow server at {place} has version {theirs}, and the local MLflow has {ours}: {advice}")


def check_artifacts(client: MlflowClient, run_id: str, uri: str) -> None:
    """Check access to the artifact store by listing the artifacts of a run: access to the run does not imply it.

    Raises:
        StageError: the store is not accessible to the server, or to this machine if clients access it directly.
    """
    try:
        client.list_artifacts(run_id)
    except Exception as error:  # any error of the store's library
        advice = "check the address and credentials of the artifact store"
        raise StageError(f"MLflow at {shown(uri)} has no access to its artifacts ({first_cause(error)}): {advice}") from error


@contextmanager
def in_one_line(uri: str) -> Iterator[None]:
    """Turn MLflow's errors into a StageError, and a full disk under its database into the usual OSError."""
    try:
        yield
    except (MlflowException, requests.HTTPError) as error:
        if disk_is_full(error):
            raise OSError(ENOSPC, os.strerror(ENOSPC), shown(uri)) from error
        raise StageError(f"MLflow at {shown(uri)} failed to handle a request of this stage: {first_cause(error)}") from error


def shown(uri: str) -> str:
    """The URI without user name and password."""
    return re.sub(r"//[^/@]*@", "//", uri)
