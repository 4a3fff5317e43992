"""What every backend answers."""

from __future__ import annotations

from typing import Protocol, TypeVar

from harness.data.records import Prediction

NOT_ASKED = "not_asked"
"""The finish reason of a pair that the model cannot be asked, on this try or any other."""

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)


class Backend(Protocol[Item_contra]):
    """What answers: one prediction an item. Failures of single answers are predictions with an error."""

    async def answer(self, item: Item_contra, /) -> Prediction: ...

    async def close(self) -> None: ...
