"""Programs of Python that leak, or only look like it. Each runs at a steady pace by itself."""

import collections
import math
import sys
import time


def every(seconds, work):
    while True:
        work()
        time.sleep(seconds)


def registry():
    """Objects register themselves in a dictionary of the class and are never taken out."""
    known = {}

    def work():
        for _ in range(30):
            key = len(known)
            known[key] = {"key": key, "values": list(range(60)), "text": f"{key}" * 20}

    every(0.1, work)


def bounded_lru():
    """A bounded cache fills up; from then on the oldest goes for each that comes."""
    cache = collections.OrderedDict()
    count = 0

    def work():
        nonlocal count
        for _ in range(300):
            count += 1
            cache[count] = bytes(200) + str(count).encode()
            if len(cache) > 60_000:
                cache.popitem(last=False)

    every(0.05, work)


def wave():
    """Memory follows a load that comes and goes, as by day and night."""
    held = collections.deque()
    began = time.monotonic()

    def work():
        wanted = int(150 + 100 * math.sin((time.monotonic() - began) / 120 * 2 * math.pi))
        while len(held) < wanted:
            held.append(bytearray(128 * 1024))
        while len(held) > wanted:
            held.popleft()

    every(0.2, work)


PROGRAMS = {"registry": registry, "bounded-lru": bounded_lru, "wave": wave}

PROGRAMS[sys.argv[1]]()
