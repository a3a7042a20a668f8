"""Steady load for servers: `load.py redis PORT KEYS_A_SECOND`, `load.py memcached PORT KEYS_A_SECOND`
or `load.py http PORT REQUESTS_A_SECOND`."""

import socket
import sys
import time
import urllib.request


def redis(port, pace):
    """SET with keys that never come twice."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        reader = connection.makefile("rb")
        value = "x" * 400
        for number in range(10**9):
            connection.sendall(f"SET key:{number} {value}\r\n".encode())
            reader.readline()
            if number % 20 == 0:
                time.sleep(20 / pace)


def memcached(port, pace):
    """The same."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        reader = connection.makefile("rb")
        value = "x" * 900
        for number in range(10**9):
            connection.sendall(f"set key:{number} 0 0 {len(value)}\r\n{value}\r\n".encode())
            reader.readline()
            if number % 20 == 0:
                time.sleep(20 / pace)


def http(port, pace):
    """GET, a new connection each time."""
    while True:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/").read()
        time.sleep(1 / pace)


{"redis": redis, "memcached": memcached, "http": http}[sys.argv[1]](
    int(sys.argv[2]), float(sys.argv[3])
)
