"""Readable messages for validation errors in settings files, with each key as written in the file."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from models.text.closest import closest_name

KEY = "[key]"  # suffix of pydantic's location if the key itself is invalid


def closest(name: str, valid: Any) -> str:
    """A hint to append to a message about an unknown name: the closest valid name, and all valid names."""
    near = closest_name(str(name), valid)
    return (f"; did you mean {near!r}?" if near else "") + f" (valid: {', '.join(valid)})"


def explained(error: ValidationError, block: Any) -> str:
    """All errors in one line.

    Args:
        error: pydantic's error.
        block: the expected type.
    """
    found: list[dict[str, Any]] = [dict(one) for one in error.errors()]
    # If a list's only member is invalid, pydantic also reports the list as too short.
    told = [one for one in found if not any(_is_within(other["loc"], one["loc"]) for other in found)]
    return "; ".join(explain(one, block) for one in told)


def _is_within(location: Sequence[str | int], other: Sequence[str | int]) -> bool:
    return len(location) > len(other) and location[: len(other)] == other


def explain(error: Mapping[str, Any], block: Any) -> str:
    """One of pydantic's errors as a phrase.

    Args:
        error: an item of `ValidationError.errors()`.
        block: the expected type.
    """
    keys, parent = _as_written(error["loc"], block)
    where = ".".join(keys)
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key {where!r}{closest(keys[-1], _keys(parent))}"
        case "missing":
            return f"key {where!r} is missing"
        case "union_tag_not_found":
            return f"key {'.'.join([*keys, _discriminator(error)])!r} is missing"
        case "union_tag_invalid":
            valid = [tag.strip("'") for tag in error["ctx"]["expected_tags"].split(", ")]
            return f"{'.'.join([*keys, _discriminator(error)])} = {error['ctx']['tag']!r}{closest(error['ctx']['tag'], valid)}"
        case "value_error" if isinstance(error["input"], Mapping):  # of a whole block: its text names the keys
            return f"{where}: {error['ctx']['error']}" if where else str(error["ctx"]["error"])
        case "string_pattern_mismatch" if error["loc"][-1] == KEY:
            return f"{where} is not a valid name: use lowercase letters, digits and single hyphens between them"
        case "literal_error":
            hint = f"must be {error['ctx']['expected']}"
        case _:
            text = error["msg"].removeprefix("Value error, ")
            hint = text[0].lower() + text[1:]
    return f"{where} = {error['input']!r}: {hint}"


def _discriminator(error: Mapping[str, Any]) -> str:
    return str(error["ctx"]["discriminator"]).strip("'")


def _as_written(location: Sequence[str | int], block: Any) -> tuple[list[str], Any]:
    """The keys of a location, and the type of the block that contains the last key.

    Where a block is a tagged union, pydantic's location also contains the tag.
    """
    keys, parent = list[str](), None
    here: Any = block
    for part in location:
        if part == KEY:
            continue
        if union := _union(here):
            here = next(member for member in get_args(union[0]) if part in _tags(member, union[1]))
        else:
            parent, here = here, _below(here, part)
            keys.append(str(part))
    return keys, parent


def _union(kind: Any) -> tuple[Any, str] | None:
    """The union and discriminator key of a block that may have several types; None for other blocks."""
    if get_origin(kind) is Annotated:
        base, *metadata = get_args(kind)
        for field in metadata:
            if isinstance(field, FieldInfo) and isinstance(field.discriminator, str):
                return base, field.discriminator
    return None


def _tags(kind: Any, discriminator: str) -> Iterator[Any]:
    """The discriminator values of this type."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        annotation = kind.model_fields[discriminator].annotation
        yield from get_args(annotation) if get_origin(annotation) is Literal else ()
    else:
        for member in get_args(get_args(kind)[0] if get_origin(kind) is Annotated else kind):
            yield from _tags(member, discriminator)


def _below(kind: Any, key: str | int) -> Any:
    """The type of the value at a key of a block, a mapping or a list."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = {field.alias or name: field for name, field in kind.model_fields.items()}
        return Annotated[fields[str(key)].annotation, fields[str(key)]] if key in fields else None
    members = [member for member in get_args(kind) if member is not Ellipsis]
    return members[-1] if members else None


def _keys(kind: Any) -> list[str]:
    """The valid keys of a block."""
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return [field.alias or name for name, field in kind.model_fields.items()]
