"""Starts an instance's controller again whenever it is gone, as a service manager would, until told to stop.

    keeper = Keeper(virga)
    virga.up(VIRGA_CRASH_AT="append:3")
    keeper.start()
    …
    keeper.stop()
    keeper.crashes        # how often it was gone
"""

from __future__ import annotations

import threading

from instance import Instance


class Keeper(threading.Thread):
    def __init__(self, virga: Instance) -> None:
        super().__init__(daemon=True)
        self.virga = virga
        self.crashes = 0
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            if self.virga.daemon_pid() is None:
                self.crashes += 1
                self.virga.up()
            self.stopping.wait(0.02)

    def stop(self) -> None:
        self.stopping.set()
        self.join()
