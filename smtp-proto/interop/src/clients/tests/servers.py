"""The servers that a suite is pointed at, from its arguments: NAME=PORT... FOLDER."""

import os
import sys

*PORTS, FOLDER = sys.argv[1:]
PORTS = {name: int(port) for name, port in (pair.split("=") for pair in PORTS)}


class Stored:
    """What a server has stored since this was made: FOLDER/NAME/N.eml and N.envelope."""

    def __init__(self, name):
        self.folder = os.path.join(FOLDER, name)
        self.before = self.count()

    def count(self):
        return sum(name.endswith(".envelope") for name in os.listdir(self.folder))

    def messages(self):
        """Yields the paths of each, its sender's first, and its content."""
        for number in range(self.before, self.count()):
            path = os.path.join(self.folder, str(number))
            with open(path + ".eml", "rb") as file:
                content = file.read()
            with open(path + ".envelope", encoding="utf-8") as file:
                yield file.read().split("\n"), content
