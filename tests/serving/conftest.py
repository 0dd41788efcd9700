"""One example server for the tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving_kit import example, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    module = example()
    with serving(module.make_app(module.Desk(workers=2))) as address:
        yield address
