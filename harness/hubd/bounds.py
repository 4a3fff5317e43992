"""Bounds on what strangers can make a Hub spend: the processor time of one answer, and the memory of what is kept."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Budget:
    """Processor seconds of the thread that makes an answer: how busy the machine is does not change what it shows."""

    def __init__(self, seconds: float) -> None:
        self._end = time.thread_time() + seconds

    @property
    def left(self) -> float:
        """Return the seconds that are left, 0 if none are."""
        return max(self._end - time.thread_time(), 0.0)

    @property
    def spent(self) -> bool:
        """Return whether nothing is left: what comes now is left out, and the page says so."""
        return self.left == 0.0


class Cache(Generic[K, V]):
    """What was used last, up to a number of bytes; safe to use from any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._size = 0
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return what is kept, None if nothing is."""
        with self._lock:
            found = self._held.get(key)
            if found is None:
                return None
            self._held.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V, weight: int) -> V:
        """Keep a value of about `weight` bytes, forget what was not used for longest, and return the value."""
        with self._lock:
            if key not in self._held and weight <= self._limit:
                self._held[key] = (value, weight)
                self._size += weight
            while self._size > self._limit:
                self._size -= self._held.popitem(last=False)[1][1]
        return value

    def drop(self, key: K) -> None:
        """Forget what is kept under a key."""
        with self._lock:
            self._size -= self._held.pop(key, (None, 0))[1]
