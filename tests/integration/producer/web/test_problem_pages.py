"""What a browser shows of an address that leads nowhere."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient

from stylefarm import Farm, Sweep

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        ("/jobs/00000000-0000-0000-0000-000000000000", "There is no job 00000000-0000-0000-0000-000000000000"),
        ("/sweeps/%3Cscript%3E", "No sweep is called &#39;&lt;script&gt;&#39;"),
        ("/nothing", "There is nothing at this address."),
    ],
)
def test_an_address_that_leads_nowhere_is_a_page(client: TestClient, path: str, sentence: str) -> None:
    """Given an address of nothing, if a browser opens it, I expect a page that says so and leads on; and if a script
    asks for it, a problem document."""
    opened = client.get(path, headers=BROWSER)
    assert (opened.status_code, opened.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "<h1>Not found</h1>" in opened.text
    assert sentence in opened.text
    assert '<a href="/">All sweeps</a>' in opened.text
    asked = client.get(path)
    assert (asked.status_code, asked.headers["content-type"]) == (404, "application/problem+json")


def test_a_link_that_has_ended_says_so(stranger: TestClient, farm: Farm, sweep: Sweep) -> None:
    """Given a link that has ended, if a browser opens it, I expect the sentence, and no way into the farm."""
    _, secret = farm.store.access.share("ada", sweep.id, days=1e-9)
    opened = stranger.get(f"/shares/{secret}", headers=BROWSER)
    assert opened.status_code == 404
    assert "This link has ended: ask whoever sent it for another one." in opened.text
    assert "All sweeps" not in opened.text.partition("<main")[2]


def test_the_api_answers_browsers_too_by_documents(client: TestClient) -> None:
    """Given an address of the API, if a browser opens it, I expect a problem document."""
    asked = client.get("/api/v1/jobs/nothing", headers=BROWSER)
    assert (asked.status_code, asked.headers["content-type"]) == (404, "application/problem+json")
