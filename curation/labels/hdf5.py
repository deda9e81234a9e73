"""Arrays and texts from an HDF5 file of a stranger, each taken only after a look at its size.

Links to other files, data kept outside the file and stored Python objects are refused: a label file
has no business with any of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.labels.rows import UnknownFormat

MOST_ARRAY_BYTES = 1024**3


class Hdf5:
    """An open HDF5 file; every method raises `UnknownFormat` where the file is damaged."""

    def __init__(self, name: str, handle: Any) -> None:
        self.name = name
        self._handle = handle
        self._damaged = UnknownFormat(f"{name} is a damaged HDF5 file; send it again.")

    def names(self, path: str = "/") -> tuple[str, ...]:
        """Return the names in a group; none where there is no such group."""
        try:
            found = self._node(path)
            return tuple(found.keys()) if found is not None and hasattr(found, "keys") else ()
        except UnknownFormat:
            raise
        except Exception:
            raise self._damaged from None

    def array(self, path: str) -> NDArray[Any] | None:
        """Return the array at a path, None where there is none; text comes as bytes or str."""
        try:
            found = self._node(path)
            if found is None or not hasattr(found, "shape") or found.shape is None:
                return None
            if found.external or found.is_virtual:
                raise UnknownFormat(f"{self.name} keeps data in other files; export it whole.")
            if found.size * max(found.dtype.itemsize, 1) > MOST_ARRAY_BYTES:
                raise UnknownFormat(f"{self.name} holds more than 1 GB in “{path}”; send a part.")
            return np.asarray(found[()])
        except UnknownFormat:
            raise
        except Exception:
            raise self._damaged from None

    def attribute(self, path: str, key: str) -> Any:
        """Return an attribute as bytes, str or number; None where there is none."""
        try:
            found = self._node(path)
            if found is None or key not in found.attrs:
                return None
            value = found.attrs[key]
        except UnknownFormat:
            raise
        except Exception:
            raise self._damaged from None
        if isinstance(value, bytes | str):
            return value
        if np.ndim(value) or not np.issubdtype(getattr(value, "dtype", np.object_), np.number):
            return None
        return value.item()

    def _node(self, path: str) -> Any:
        import h5py

        node = self._handle
        for part in path.strip("/").split("/"):
            if not part:
                continue
            if not isinstance(node, h5py.Group) or part not in node:
                return None
            if not isinstance(node.get(part, getlink=True), h5py.HardLink):
                raise UnknownFormat(f"{self.name} refers to other places; export it whole.")
            node = node[part]
        return node


@contextmanager
def opened(path: Path, name: str) -> Iterator[Hdf5]:
    """Open an HDF5 file for reading; raises `UnknownFormat` where it is damaged."""
    import h5py

    try:
        handle = h5py.File(path, "r", locking=False)
    except Exception:  # the library raises OSError, KeyError, RuntimeError and more
        raise UnknownFormat(f"{name} is a damaged HDF5 file; send it again.") from None
    with handle:
        yield Hdf5(name, handle)


def texts(values: NDArray[Any]) -> list[str]:
    """Return an array of bytes or str as a list of text."""
    return [
        value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
        for value in values.ravel().tolist()
    ]
