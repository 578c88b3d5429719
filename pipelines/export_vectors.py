"""Stage `export-vectors`: word vectors become a bundle that serving loads. `python -m pipelines.export_vectors vectors`."""

import shutil

from pipelines.params import load_params
from pipelines.paths import BUNDLES, VECTORS
from pipelines.stage import run_stage
from serving.bundle import Bundle


def main(name: str) -> None:
    """Write build/bundles/vectors."""
    settings, folder = load_params().vectors.export, BUNDLES / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(VECTORS / settings.method, folder)
    Bundle.write(folder, task=name, kind="vectors", max_length=settings.max_length)


if __name__ == "__main__":
    run_stage(main)
