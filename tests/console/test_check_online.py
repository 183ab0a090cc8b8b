"""`syncline check --online`: everything that only the live systems can tell, at once, each at its line."""

from __future__ import annotations

import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from demo.trackers import Tracker
from flows.prefect_server import free_port
from tests.console.desk import NAME, Desk

SECRET = "not-the-password"

Findings = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def untrusted(tmp_path: Path) -> Iterator[str]:
    """A web server whose certificate nobody has vouched for; answers its address."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # that it is refused is what we want
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def roundup(url: str, **more: Any) -> dict[str, Any]:
    credentials = {"username": "admin", "password": {"env": "DESK_PASSWORD"}}
    return {"kind": "roundup", "url": url, "credentials": credentials, "timeout": "10s", **more}


def test_a_configuration_that_fits_its_systems_has_no_findings(desk: Desk) -> None:
    assert desk.answer("check", "--online") == []
    assert "is sound" in desk.run("check", "--online").out


def test_a_wrong_password_a_dead_host_and_an_untrusted_certificate_are_told_at_once(
    desk: Desk, roundup_classic: Tracker, untrusted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_PASSWORD", SECRET)
    connector = {"left": "ours", "entities": [{"left": "issue", "right": "issue", "fields": [{"left": "title"}]}]}
    desk.connectors = [
        {"name": f"to-{name}", "right": name, **connector, "service": "work-item-integrator"}
        for name in ("locked", "dead", "forged")
    ]
    desk.write(
        ours=roundup(roundup_classic.url),
        locked=roundup(roundup_classic.url.rstrip("/")),
        dead=roundup(f"http://127.0.0.1:{free_port()}/"),
        forged=roundup(untrusted),
    )
    done = desk.run("check", "--online", "--json")
    told = {finding["path"]: finding for finding in json.loads(done.out) if finding["path"].startswith("systems")}
    assert {path: finding["code"] for path, finding in told.items()} == {
        "systems.ours": "wrong_credentials",
        "systems.locked": "wrong_credentials",
        "systems.dead": "unreachable",
        "systems.forged": "unusable_system",
    }
    assert done.code == 2
    assert all(finding["file"] == "group.yaml" and finding["line"] and finding["remedy"] for finding in told.values())
    assert "not trusted" in told["systems.forged"]["problem"]
    assert SECRET not in done.out + done.err


def test_only_an_unreachable_system_ends_with_4(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_PASSWORD", SECRET)
    desk.write(ours=roundup(f"http://127.0.0.1:{free_port()}/"))
    assert [finding["code"] for finding in desk.answer("check", "--online", code=4)] == ["unreachable"]


def test_a_secret_that_is_nowhere_is_named_with_its_place(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DESK_PASSWORD", raising=False)
    desk.write(ours=roundup("http://127.0.0.1:1/"))
    (finding,) = desk.answer("check", "--online", code=2)
    assert (finding["code"], finding["path"]) == ("unresolved_reference", "systems.ours.credentials.password")


def test_unknown_fields_and_types_are_told_with_the_nearest_names_and_the_offline_findings(desk: Desk) -> None:
    row = {"left": "ticket", "right": "ticket", "fields": [{"left": "titel", "right": "title"}]}
    lost = {"left": "tiket", "right": "ticket", "fields": [{"left": "title", "right": "title"}]}
    lossy = {"left": "status", "right": "status", "values": {"new": "new", "open": "new"}}
    row["fields"] = [*row["fields"], lossy]  # type: ignore[misc]
    desk.connector = {"entities": [row, lost]}
    desk.write()
    told = {finding["code"]: finding for finding in desk.answer("check", "--online", code=2)}
    assert "Did you mean title?" in told["unknown_field"]["remedy"]
    assert "Did you mean ticket?" in told["unknown_type"]["remedy"]
    assert told["unknown_field"]["path"] == "connectors[0].entities[0].fields[0].left"
    assert told["unknown_type"]["path"] == "connectors[0].entities[1].left"
    assert "lossy_values" in told
    assert all(finding["line"] > 1 for finding in told.values())


def test_an_unknown_project_is_told_at_its_target(desk: Desk) -> None:
    desk.connector = {"targets": [{"name": "app", "left": "FLA", "right": "any"}]}
    desk.write(ours={**desk.system(desk.left), "scopes": ["FAL", "GUL"]})
    (finding,) = desk.answer("check", "--online", code=2)
    assert (finding["code"], finding["path"]) == ("unknown_project", "connectors[0].targets[0].left")
    assert "FAL" in finding["remedy"]


def test_a_mistake_in_the_file_does_not_hide_what_the_systems_say(desk: Desk) -> None:
    desk.connector = {"refresh_intervall": 5, "entities": [
        {"left": "ticket", "right": "ticket", "fields": [{"left": "titel", "right": "title"}]}
    ]}  # fmt: skip
    desk.write()
    told = {finding["code"] for finding in desk.answer("check", "--online", code=2)}
    assert told >= {"unknown_key", "unknown_field"}


def test_only_the_connector_that_is_asked_about_is_looked_at(desk: Desk) -> None:
    assert desk.answer("check", NAME, "--online") == []
    (finding,) = desk.answer("check", "tikets", "--online", code=2)
    assert finding["code"] == "unknown_connector"


BAD = """\
group: bad
systems:
  desk: {{kind: roundup, url: "{tracker}", credentials: {{username: admin, password: {{env: DESK_PASSWORD}}}}}}
  locked: {{kind: roundup, url: "{tracker}", credentials: {{username: admin, password: {{env: WRONG_PASSWORD}}}}}}
  dead: {{kind: roundup, url: "{dead}", credentials: {{username: admin, password: {{env: DESK_PASSWORD}}}}}}
  forged: {{kind: roundup, url: "{forged}", credentials: {{username: admin, password: {{env: DESK_PASSWORD}}}}}}
  strange: {{kind: roundabout, url: "{dead}"}}
connectors:
  - name: one
    left: desk
    right: locked
    refresh_interval: 5
    refresh_interval: 6
    entities:
      - {{left: issue, right: issue, fields: [{{left: title, right: title}}]}}
  - name: one
    left: dead
    right: forged
    entities:
      - left: issue
        right: issue
        fields: [{{left: status, right: status, values: {{unread: new, chatting: new}}}}]
  - name: two
    left: desk
    right: {own}
    entities:
      - {{left: issue, right: ticket, fields: [{{left: titel, right: title}}, {{left: title, right: points}}]}}
  - name: three
    left: desk
    right: strange
    entities:
      - {{left: isue, right: issue, fields: [{{left: title, right: title}}]}}
"""


def test_a_thoroughly_bad_file_tells_all_its_mistakes_in_one_go(
    desk: Desk, roundup_classic: Tracker, untrusted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESK_PASSWORD", roundup_classic.password)
    monkeypatch.setenv("WRONG_PASSWORD", SECRET)
    dead = f"http://127.0.0.1:{free_port()}/"
    text = BAD.format(tracker=roundup_classic.url, dead=dead, forged=untrusted, own="ours")
    text = text.replace("connectors:", f'  ours: {{kind: memory, url: "{desk.right.url}"}}\nconnectors:', 1)
    (desk.folder / "group.yaml").write_text(text)
    found = desk.answer("check", "--online", code=2)
    lines = text.splitlines()
    told = {finding["code"]: lines[finding["line"] - 1].strip() for finding in found if finding["severity"] == "error"}
    assert told == {
        "duplicate_key": "refresh_interval: 6",
        "duplicate_connector": "- name: one",
        "unknown_kind": next(line.strip() for line in lines if "roundabout" in line),
        "lossy_values": next(line.strip() for line in lines if "chatting" in line),
        "wrong_credentials": next(line.strip() for line in lines if "locked:" in line),
        "unreachable": next(line.strip() for line in lines if "dead:" in line),
        "unusable_system": next(line.strip() for line in lines if "forged:" in line),
        "unknown_field": next(line.strip() for line in lines if "titel" in line),
        "unknown_type": next(line.strip() for line in lines if "isue" in line),
    }
    assert all(finding["remedy"] for finding in found)
