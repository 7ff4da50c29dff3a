"""A local server that speaks as much of the Hugging Face hub's API as a download needs."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

REVISION = "0123456789abcdef0123456789abcdef01234567"


class HubServer:
    """Serves ``files`` (name -> bytes) of one repository at ``url``; ``requests`` records what was asked for.

    ``sent`` may name other bytes to send for a file than the hub's checksum is of; ``cut`` how many bytes of
    a file to send before hanging up, the first time.
    """

    def __init__(self, repo, files):
        self.repo, self.files = repo, files
        self.sent, self.cut, self.requests = {}, {}, []
        self.status = 200
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def sha256(self, name):
        return hashlib.sha256(self.files[name]).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self._answer()

    def do_HEAD(self):
        self._answer()

    def log_message(self, *args):
        pass

    def _answer(self):
        hub, path = self.hub, self.path.partition("?")[0]
        start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        name = path.partition(f"/{hub.repo}/resolve/")[2].partition("/")[2]
        hub.requests.append((self.command, name or path, start))
        if hub.status != 200:
            return self._send(hub.status, b"{}", {})
        if path in (f"/api/models/{hub.repo}", f"/api/models/{hub.repo}/revision/main"):
            return self._send(200, json.dumps(self._model()).encode(), {"Content-Type": "application/json"})
        if name not in hub.files:
            return self._send(404, b"{}", {"X-Error-Code": "EntryNotFound" if name else "RepoNotFound"})
        content = hub.sent.get(name, hub.files[name])
        etag = f'"{hub.sha256(name)}"'
        headers = {"X-Repo-Commit": REVISION, "ETag": etag, "X-Linked-ETag": etag}
        headers["X-Linked-Size"] = str(len(content))
        headers["Accept-Ranges"] = "bytes"
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        return self._send(
            206 if start else 200,
            content[start:],
            headers,
            hub.cut.pop(name, None) if self.command == "GET" else None,
        )

    def _model(self):
        siblings = [
            {
                "rfilename": name,
                "size": len(content),
                "blobId": "0" * 40,
                "lfs": {"sha256": self.hub.sha256(name), "size": len(content), "pointerSize": 134},
            }
            for name, content in self.hub.files.items()
        ]
        return {"id": self.hub.repo, "modelId": self.hub.repo, "sha": REVISION, "siblings": siblings}

    def _send(self, status, body, headers, cut=None):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body[:cut])
            self.close_connection = cut is not None
