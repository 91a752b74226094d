"""An installed Firefox, driven in its own protocol (WebDriver BiDi), as far as a walk through the page needs it."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from websockets.sync.client import connect

WAIT = 60.0  # seconds
KEYS = {"ArrowDown": "\ue015", "ArrowRight": "\ue014", "Home": "\ue011", "Shift": "\ue008", "Control": "\ue009"}
_LISTENS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


class Firefox:
    """One browser with one page; downloads go into `folder`."""

    def __init__(self, program: str, folder: Path) -> None:
        self.downloads = folder / "downloads"
        profile = folder / "profile"
        profile.mkdir()
        flags = ["--headless", "--no-remote", "--profile", str(profile), "--remote-debugging-port", "0", "about:blank"]
        self.log = folder / "firefox.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen([program, *flags], stdout=log, stderr=log)
        self.count, self.faults = 0, list[str]()

    def __enter__(self) -> Firefox:
        try:
            self.socket = connect(f"{self._address()}/session", max_size=None).__enter__()
            self.send("session.new", capabilities={})
            self.send("session.subscribe", events=["log.entryAdded"])
            allowed = {"type": "allowed", "destinationFolder": str(self.downloads)}
            self.send("browser.setDownloadBehavior", downloadBehavior=allowed)
            self.page = self.send("browsingContext.getTree")["contexts"][0]["context"]
        except BaseException:
            self.process.kill()
            raise
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait(WAIT)
        assert kind or not self.faults, self.faults

    def _address(self) -> str:
        def found() -> Any:
            assert self.process.poll() is None, self.log.read_text(errors="replace")
            return _LISTENS.search(self.log.read_text(errors="replace"))

        return str(self.until(found)[1])

    def until(self, test: Any) -> Any:
        """Wait until something holds, and tell what it is."""
        end = time.monotonic() + WAIT
        while not (found := test()):
            assert time.monotonic() < end, "waited too long"
            time.sleep(0.05)
        return found

    def send(self, method: str, **parameters: Any) -> Any:
        """Have the browser do something, and get its answer; faults of the page's scripts are kept."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while True:
            answer = json.loads(self.socket.recv(WAIT))
            if answer.get("method") == "log.entryAdded":
                entry = answer["params"]
                self.faults += (
                    [str(entry["text"])] if (entry["type"], entry["level"]) == ("javascript", "error") else []
                )
            if answer.get("id") == self.count:
                assert answer["type"] == "success", answer
                return answer["result"]

    def go(self, url: str) -> None:
        self.send("browsingContext.navigate", context=self.page, url=url, wait="complete")

    def run(self, script: str, *values: Any) -> Any:
        """The value (text, number or truth) of a function of these values, run in the page."""
        arguments = [{"type": "string", "value": json.dumps(value)} for value in values]
        answer = self.send(
            "script.callFunction",
            functionDeclaration=f"(...texts) => ({script})(...texts.map((text) => JSON.parse(text)))",
            arguments=arguments,
            target={"context": self.page},
            awaitPromise=True,
        )
        assert answer["type"] == "success", answer
        return answer["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys, such as "w" or "Shift+ArrowRight"."""
        for key in keys:
            held = [KEYS.get(part, part) for part in key.split("+")]
            down = [{"type": "keyDown", "value": part} for part in held]
            up = [{"type": "keyUp", "value": part} for part in reversed(held)]
            actions = [{"type": "key", "id": "keyboard", "actions": [*down, *up]}]
            self.send("input.performActions", context=self.page, actions=actions)
