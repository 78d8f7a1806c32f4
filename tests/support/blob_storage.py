"""azurite for a test: an account of Azure Blob Storage on this machine, with one container.

    blobs = BlobStorage(folder)           # an empty one; CannotRun where azurite cannot be had
    blobs.url                             # http://127.0.0.1:40123/devstoreaccount1/files, for [storage.NAME]
    blobs.key_file
    blobs.put("a/b", b"text"); blobs.get("a/b"); blobs.names()
    blobs.freeze(); blobs.thaw()          # a service that does not answer
    blobs.stop()
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import signal
import socket
import subprocess
import time
import xml.etree.ElementTree as xml
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote

REPOSITORY = Path(__file__).resolve().parent.parent.parent
READY_S = 30.0
ACCOUNT = "devstoreaccount1"
CONTAINER = "files"
# Microsoft's published key of the emulator's account.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class BlobStorage:
    def __init__(self, folder: Path) -> None:
        found = subprocess.run([REPOSITORY / "script" / "azurite"], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               stdin=subprocess.DEVNULL, text=True)
        if found.returncode != 0:
            raise CannotRun((found.stderr.strip().splitlines() or ["azurite cannot be had"])[-1])
        self.port = free_port()
        self.key_file = folder / "account.key"
        self.key_file.touch(mode=0o600)
        self.key_file.write_text(KEY + "\n")
        self.log = open(folder / "azurite.log", "w")
        self.process = subprocess.Popen(
            ["node", found.stdout.strip(), "--blobHost", "127.0.0.1", "--blobPort", str(self.port), "--location",
             str(folder / "blobs"), "--silent", "--skipApiVersionCheck", "--disableTelemetry"],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=folder)
        end = time.monotonic() + READY_S
        while True:
            try:
                self._ask("PUT", "", "restype=container", (201,))
                break
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    self.stop()
                    raise RuntimeError(f"azurite does not answer; see {folder}/azurite.log") from None
                time.sleep(0.1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}/{CONTAINER}"

    def _ask(self, method: str, name: str, query: str, right: tuple[int, ...], body: bytes = b"") -> bytes:
        """One request with the account's key (Shared Key, version 2018-11-09)."""
        path = f"/{ACCOUNT}/{CONTAINER}" + (f"/{quote(name)}" if name else "")
        headers = {"x-ms-date": formatdate(usegmt=True), "x-ms-version": "2018-11-09"}
        if method == "PUT" and name:
            headers["x-ms-blob-type"] = "BlockBlob"
        words = sorted(query.split("&")) if query else []
        text = "\n".join([method, "", "", str(len(body)) if body else "", *[""] * 8,
                          *(f"{key}:{headers[key]}" for key in sorted(headers)), f"/{ACCOUNT}{path}",
                          *(word.replace("=", ":") for word in words)])
        mark = base64.b64encode(hmac.new(base64.b64decode(KEY), text.encode(), hashlib.sha256).digest()).decode()
        headers |= {"Authorization": f"SharedKey {ACCOUNT}:{mark}", "Content-Length": str(len(body))}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path + (f"?{query}" if query else ""), body=body, headers=headers)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        if answer.status not in right:
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:200]!r}")
        return content

    def put(self, name: str, content: bytes) -> None:
        self._ask("PUT", name, "", (201,), content)

    def get(self, name: str) -> str:
        return self._ask("GET", name, "", (200,)).decode(errors="replace")

    def names(self) -> list[str]:
        listing = xml.fromstring(self._ask("GET", "", "comp=list&restype=container", (200,)).decode("utf-8-sig"))
        return [blob.findtext("Name", "") for blob in listing.iter("Blob")]

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.thaw()
        self.process.kill()
        self.process.wait()
        self.log.close()
