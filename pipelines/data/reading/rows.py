"""The row sources that a data set's entry in the catalogue lists."""

from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from pipelines.data.catalogue import DataSet
from pipelines.data.reading.formats import Aligned, Csv, Folders, JsonLines, Lines, Parquet, Tmx
from pipelines.data.reading.published import Brown, NameLists, Ratings, Trees
from pipelines.data.reading.source import RowSource
from pipelines.settings.errors import explained
from pipelines.stage import StageError

General = Csv | JsonLines | Parquet | Lines | Folders | Aligned | Tmx
Published = NameLists | Ratings | Trees | Brown
Format = Annotated[General | Published, Field(discriminator="format")]
_ONE: TypeAdapter[RowSource] = TypeAdapter(Format)


def source_of(keys: dict[str, Any], name: str) -> RowSource:
    """A row source from its entry in the catalogue.

    Args:
        keys: its keys.
        name: of the entry, for messages.

    Raises:
        StageError: a key is invalid.
    """
    try:
        return _ONE.validate_python(keys)
    except ValidationError as error:
        raise StageError(f"{name}: {explained(error, Format)}") from error


def sources_of(data_set: DataSet, name: str) -> list[RowSource]:
    """All row sources of a data set.

    Raises:
        StageError: it has none, or a key is invalid.
    """
    if not data_set.rows:
        raise StageError(f"the catalogue does not say how to read rows of {name}; add `rows` to its entry")
    return [source_of(keys, f"{name}.rows.{i}") for i, keys in enumerate(data_set.rows)]
