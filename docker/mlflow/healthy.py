"""Health check: exits with 0 if MLflow can read its database."""

import sys
import urllib.request

URL = "http://localhost:5000/api/2.0/mlflow/experiments/search?max_results=1"

with urllib.request.urlopen(URL, timeout=8) as answer:
    sys.exit(answer.status != 200)
