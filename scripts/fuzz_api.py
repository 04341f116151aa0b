#!/usr/bin/env python3
"""Sends generated requests to every route of a demo and looks for answers that are a server error.

    python3 scripts/fuzz_api.py [--examples 30] [--caller scanner] [--binary target/debug/handfast] [--keep DIR]

Schemathesis (PyPI) is installed into a folder of its own outside the repository. A demo is started on a fresh
folder, with the vault in one process; the documentation that it is compared with is `handfast openapi`, of
the same program. Every route is asked as nobody, as a fan, as each role of the staff and as each kind of device.
The exit code is 0 where no answer is a server error.
"""

import argparse
import http.cookiejar
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import urllib.request
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
VERSION = "4.32.5"
# What would stop the test itself: the vault's nodes, and the session or key that it asks with.
LEFT_OUT = [
    "/api/v1/demo/nodes/{node}/stop",
    "/api/v1/demo/nodes/{node}/start",
    "/api/v1/session",
    "/api/v1/device/roll",
]


def schemathesis():
    """The program, installed where it is not yet."""
    place = pathlib.Path(tempfile.gettempdir()) / f"handfast-schemathesis-{VERSION}"
    program = place / "bin" / "schemathesis"
    if not program.exists():
        venv.create(place, with_pip=True)
        pip = [place / "bin" / "pip", "-q", "install", f"schemathesis=={VERSION}"]
        subprocess.run(pip, check=True)
    return program


class Demo:
    """A demo of its own, on a folder of its own."""

    def __init__(self, binary, folder):
        command = [binary, "demo", "--data", folder, "--listen", "127.0.0.1:0", "--json", "--vault", "plain"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.url = json.loads(self.process.stdout.readline())["url"]

    def ask(self, method, path, body=None, cookies=None):
        headers = {"X-Handfast": "1", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        handlers = [urllib.request.HTTPCookieProcessor(cookies)] if cookies is not None else []
        with urllib.request.build_opener(*handlers).open(request, timeout=30) as answer:
            text = answer.read()
            return json.loads(text) if text else None

    def session(self, email, realm):
        """The cookie of whoever has this address, by the link in the demo's mailbox."""
        self.ask("POST", "/api/v1/sign-in", {"email": email, "realm": realm})
        mails = self.ask("GET", "/api/v1/demo/mailbox")
        link = next(mail["link"] for mail in mails if mail["to"] == email and mail["link"])
        cookies = http.cookiejar.CookieJar()
        self.ask("POST", "/api/v1/session", {"key": link.rsplit("/", 1)[-1]}, cookies)
        return next(f"{cookie.name}={cookie.value}" for cookie in cookies)

    def callers(self):
        """Everybody who may call: nobody, a fan, each role of the staff, each kind of device."""
        evening = self.ask("GET", "/api/v1/demo")
        yield "nobody", []
        fan = evening["fans"][0]["email"]
        yield "fan", [f"Cookie: {self.session(fan, 'fan')}"]
        staff = {one["role"]: one["email"] for one in reversed(evening["staff"])}
        for role, email in sorted(staff.items()):
            yield role, [f"Cookie: {self.session(email, 'staff')}"]
        stations = {one["kind"]: one for one in reversed(evening["stations"])}
        for kind, station in sorted(stations.items()):
            key = self.ask("POST", f"/api/v1/demo/stations/{station['station_id']}/key", {})["api_key"]
            yield kind, [f"Authorization: Bearer {key}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=str(ROOT / "target/debug/handfast"))
    parser.add_argument("--examples", type=int, default=30, help="requests a route and caller")
    parser.add_argument("--caller", action="append", help="ask as this one alone; may be given several times")
    parser.add_argument("--keep", help="a folder for the reports (JUnit XML)")
    arguments = parser.parse_args()
    program = schemathesis()
    documentation = subprocess.run([arguments.binary, "openapi"], check=True, capture_output=True).stdout
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        described = pathlib.Path(folder) / "openapi.json"
        described.write_bytes(documentation)
        demo = Demo(arguments.binary, os.path.join(folder, "data"))
        try:
            # All sign in before anybody guesses keys: whoever guesses a hundred of them has to wait.
            callers = [one for one in demo.callers() if not arguments.caller or one[0] in arguments.caller]
            if not callers:
                sys.exit("nobody of that name calls; --caller takes nobody, fan, a role or a kind of device")
            for name, headers in callers:
                print(f"as {name}", flush=True)
                command = [program, "run", described, "--url", demo.url, "--checks", "not_a_server_error"]
                command += ["--max-examples", str(arguments.examples), "--phases", "examples,coverage,fuzzing"]
                command += ["--no-color", "--warnings", "off", "--continue-on-failure", "--request-timeout", "60"]
                for header in ["X-Handfast: 1", *headers]:
                    command += ["--header", header]
                for path in LEFT_OUT:
                    command += ["--exclude-path", path]
                if arguments.keep:
                    command += ["--report", "junit", "--report-junit-path", os.path.join(arguments.keep, f"{name}.xml")]
                if subprocess.run(command, cwd=folder).returncode:
                    failed.append(name)
        finally:
            demo.process.terminate()
            demo.process.wait(30)
    print(f"server errors as: {', '.join(failed)}" if failed else "no server error")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
