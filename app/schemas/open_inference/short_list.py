"""A list whose length is checked before anything in it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate


class ShortList(fields.List[Any]):
    """A list of ``shortest`` to ``longest`` items.

    marshmallow's own ``Length`` looks at a list after each of its items was loaded, which takes seconds for the
    millions of items that fit into a body.
    """

    def __init__(self, item: fields.Field[Any], longest: int, shortest: int = 1, **kwargs: Any) -> None:
        super().__init__(item, validate=validate.Length(min=shortest, max=longest), **kwargs)
        self.longest = longest

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > self.longest:
            raise ValidationError(f"expected at most {self.longest} items, got {len(value)}")
        return super()._deserialize(value, attr, data, **kwargs)
