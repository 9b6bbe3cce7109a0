"""Looks at a running gateway's page in headless Chromium, and fails at the first surprise.

    page.py BASE_URL OPERATOR_TOKEN PLAIN_TOKEN CHECK…
    page.py BASE_URL OPERATOR_TOKEN PLAIN_TOKEN --pictures FOLDER

Each check prints its name and "ok". Whatever the check, nothing may be said on the console, violate
the page's security policy, or be asked of another host.
"""

import base64
import json
import shutil
import struct
import sys
import time
import urllib.request
import zlib
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

QUERY = "What is the capital of France?"
DOCUMENTS = [
    "Bread is made of flour.",
    "Paris is the capital of France.",
    "The Eiffel Tower was built in 1889.",
]
HOSTILE = "<img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>"
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 860}
# What WCAG asks of text, at level AA.
CONTRAST_MIN = 4.5

base, operator_token, plain_token = sys.argv[1:4]


def call(path: str, body=None, token: str = operator_token) -> dict:
    """The gateway's answer to a program."""
    headers = {"Authorization": f"Bearer {token}", "X-Rerankd-Page": "1"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(base + path, data=data, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.load(response)


def submit(query: str, documents: list, model: str = "builtin") -> str:
    return call("/v1/jobs", {"model": model, "query": query, "documents": documents})["id"]


def until(what: str, condition) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)


def dead_job(query: str = QUERY) -> str:
    """A job that fails for good at once: the second model's backend refuses whatever it gets."""
    name = submit(query, DOCUMENTS, model="refusing")
    until("a dead job", lambda: call(f"/v1/jobs/{name}")["status"] == "failed")
    return name


def png(side: int) -> bytes:
    """A square image, red from left to right and blue from top to bottom."""
    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = b"".join(
        b"\0" + b"".join(bytes((255 * x // side, 80, 255 * y // side)) for x in range(side))
        for y in range(side))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


class Browser:
    """Pages with a token, whose every complaint is kept."""

    def __init__(self, chromium):
        self.chromium = chromium
        self.complaints: list[str] = []

    def open(self, view: str = "", token: str | None = operator_token, **options) -> Page:
        context = self.chromium.new_context(**{"viewport": DESKTOP, **options})
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: self.complain(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", lambda request: self.look_at(request.url))
        if token:
            page.add_init_script(f"sessionStorage.setItem('rerankd-token', {json.dumps(token)})")
        page.goto(f"{base}/ui/{view}")
        return page

    def complain(self, kind: str, text: str) -> None:
        # An answer that refuses is logged by the browser itself, where a check provokes it.
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.complaints.append(f"{kind}: {text}")

    def look_at(self, url: str) -> None:
        if not url.startswith((base, "data:")):
            self.complaints.append(f"asked elsewhere: {url}")
        if operator_token in url or plain_token in url:
            self.complaints.append(f"a token in {url}")


def token_is_asked_for(browser: Browser) -> None:
    page = browser.open(token=None)
    expect(page.get_by_role("dialog")).to_be_visible()
    expect(page.get_by_label("Token")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This token is not known here.")
    page.get_by_label("Token").fill(operator_token)
    page.keyboard.press("Enter")
    expect(page.locator("#verdict")).to_have_text("All is well")
    assert page.evaluate("sessionStorage.getItem('rerankd-token')") == operator_token
    assert page.evaluate("JSON.stringify(localStorage) + document.cookie") == "{}"
    assert page.url == f"{base}/ui/", page.url
    page.reload()
    expect(page.locator("#verdict")).to_have_text("All is well")
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("dialog")).to_be_visible()


def figures_move(browser: Browser) -> None:
    page = browser.open()
    expect(page.locator("#workers tbody tr")).to_have_count(1)
    expect(page.locator("#models tbody tr")).to_have_count(3)
    submitted = page.locator("#queues dd", has_text="submitted")
    before = submitted.inner_text()
    path = page.locator("#chart-rates path.line").first.get_attribute("d")
    for number in range(20):
        submit(f"{QUERY} {number}", DOCUMENTS)
    expect(submitted).not_to_have_text(before)
    expect(page.locator("#verdict-more")).to_contain_text("20 done in the last")
    page.wait_for_function(
        "(before) => document.querySelector('#chart-rates path.line').getAttribute('d') !== before",
        arg=path)
    # The total is there as soon as a job has ended.
    expect(page.locator("#models td[data-label='Total p50 / p99']").first).to_contain_text("s / ")


def press_until_focused(page: Page, label: str) -> None:
    """Tab goes to everything that can be used, in the order of the page."""
    seen = []
    for _ in range(200):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "document.activeElement.ariaLabel ?? document.activeElement.textContent")
        if name == label:
            return
        seen.append(name)
    raise AssertionError(f"Tab never came to {label}: {seen}")


def dead_job_is_retried_by_keyboard(browser: Browser) -> None:
    name = dead_job()
    page = browser.open()
    expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()
    expect(page.locator("#problems")).to_contain_text("failed for good")
    press_until_focused(page, f"Retry {name}")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("1 job is ready again.")
    until("a second attempt",
          lambda: len(call(f"/ui/api/jobs/{name}")["job"]["attemptRecords"]) == 2)
    # The list is kept up: the job is dead once more, and its details show both attempts.
    until("its second end", lambda: call(f"/v1/jobs/{name}")["status"] == "failed")
    press_until_focused(page, name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text(f"Job {name}: failed")
    attempts = page.locator(".attempts li")
    expect(attempts).to_have_count(2)
    expect(attempts.first).to_contain_text("Not to our taste")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name=name, exact=True)).to_be_focused()


def hostile_text_stays_text(browser: Browser) -> None:
    name = dead_job(HOSTILE)
    page = browser.open("#jobs")
    page.get_by_label("State").select_option("failed")
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.locator(".request .quote").first).to_have_text(HOSTILE)
    page.keyboard.press("Escape")
    page.goto(f"{base}/ui/#playground")
    page.get_by_label("Query", exact=True).fill(HOSTILE)
    page.locator("#rank-lines").fill(HOSTILE)
    page.get_by_role("button", name="Rank").click()
    expect(page.locator(".passage")).to_have_text(HOSTILE)
    assert page.evaluate("window.pwned") is None
    # Even a mistake of ours would not make markup of it.
    assert page.evaluate(
        """(text) => {
          try { document.body.innerHTML = text; return "made"; } catch { return "refused"; }
        }""", HOSTILE) == "refused"
    browser.complaints[:] = [each for each in browser.complaints if "TrustedHTML" not in each]


def worker_is_paused_and_resumed(browser: Browser) -> None:
    page = browser.open()
    row = page.locator("#workers tbody tr")
    expect(row.locator("td[data-label=Models]")).to_have_text("builtin, pictures, refusing")
    expect(row.locator(".chip")).to_have_text("idle")
    row.get_by_role("button", name="Pause").click()
    expect(row.locator(".chip")).to_have_text("paused")
    expect(page.locator("#figures")).to_contain_text("1 takes nothing new")
    row.get_by_role("button", name="Resume").click()
    expect(row.locator(".chip")).to_have_text("idle")


def backend_is_paused_and_resumed(browser: Browser) -> None:
    submit(QUERY, DOCUMENTS, model="pictures")
    page = browser.open()
    row = page.locator("#backends tbody tr")
    expect(row.locator("td.name")).to_contain_text("hub")
    expect(row.locator("td[data-label=Requests]")).to_have_text("1")
    expect(row.locator(".chip")).to_have_text("in service")
    row.get_by_role("button", name="Pause hub").click()
    expect(row.locator(".chip")).to_have_text("paused")
    expect(page.locator("#problems")).to_contain_text("Backend hub is paused")
    page.locator("#problems").get_by_role("button", name="Resume").click()
    expect(row.locator(".chip")).to_have_text("in service")


def queue_is_paused_and_resumed(browser: Browser) -> None:
    page = browser.open()
    pause = page.locator("#queue-actions").get_by_role("button", name="Pause")
    pause.click()
    expect(page.get_by_role("dialog")).to_contain_text("Pause the queue?")
    page.keyboard.press("Enter")  # On "Leave it", where the focus is.
    expect(page.get_by_role("dialog")).to_have_count(0)
    pause.click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(page.locator("#problems")).to_contain_text("is paused")
    name = submit(f"{QUERY} while paused", DOCUMENTS)
    expect(page.locator("#figures .value").first).to_have_text("1")
    depth = page.locator("#chart-depth .legend li", has_text="waiting")
    expect(depth).to_contain_text("1")
    page.goto(f"{base}/ui/#jobs")
    page.get_by_role("button", name=f"Cancel {name}").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_role("status")).to_have_text("The job is cancelled.")
    until("its end", lambda: call(f"/v1/jobs/{name}")["status"] == "cancelled")
    page.goto(f"{base}/ui/#overview")
    page.locator("#problems").get_by_role("button", name="Resume").click()
    expect(page.locator("#problems")).not_to_contain_text("is paused")


def playground_ranks(browser: Browser) -> None:
    page = browser.open("#playground")
    page.get_by_label("Query", exact=True).fill(QUERY)
    page.locator("#rank-lines").fill("\n".join(DOCUMENTS))
    page.keyboard.press("Control+Enter")
    expect(page.locator("#ranking li")).to_have_count(3)
    first = page.locator("#ranking li").first
    expect(first.locator(".passage")).to_have_text(DOCUMENTS[1])
    expect(first.locator("small")).to_contain_text("tokens")
    widths = [bar.bounding_box()["width"] for bar in page.locator("#ranking .bar i").all()]
    assert widths == sorted(widths, reverse=True) and widths[0] > widths[-1], widths
    expect(page.locator("#result-facts")).to_contain_text("Tokens")
    # The boxes take over what the lines say, and give it back.
    page.get_by_text("in boxes").click()
    expect(page.locator("#rank-boxes textarea")).to_have_count(3)
    page.get_by_label("Document 2").fill("Lyon is a city.\nIt lies in France.")
    page.get_by_role("button", name="Remove").first.click()
    page.get_by_role("button", name="Costs only").click()
    expect(page.locator("#ranking li")).to_have_count(2)
    expect(page.locator("#result-note")).to_have_text("Everything fits.")
    page.get_by_text("one a line").click()
    assert page.locator("#rank-lines").input_value() == \
        "Lyon is a city. It lies in France.\n" + DOCUMENTS[2]


def drop_image(page: Page, zone: str, name: str, side: int) -> None:
    """As a person drags a file onto the page."""
    transfer = page.evaluate_handle(
        """async ([name, data]) => {
          const transfer = new DataTransfer();
          const bytes = Uint8Array.from(atob(data), (each) => each.charCodeAt(0));
          transfer.items.add(new File([bytes], name, { type: "image/png" }));
          return transfer;
        }""", [name, base64.b64encode(png(side)).decode()])
    page.locator(f"[data-drop={zone}]").dispatch_event("drop", {"dataTransfer": transfer})
    expect(page.locator(f"[data-images={zone}]").get_by_alt_text(name)).to_be_visible()


def image_is_ranked(browser: Browser) -> None:
    page = browser.open("#playground")
    page.locator("#rank-model").select_option("pictures")
    expect(page.locator("#model-note")).to_contain_text("text and images")
    page.get_by_label("Query", exact=True).fill(QUERY)
    page.locator("#rank-lines").fill("\n".join(DOCUMENTS))
    drop_image(page, "documents", "small.png", 128)
    drop_image(page, "documents", "large.png", 256)

    def tokens(name: str) -> int:
        picture = page.locator("#ranking li", has=page.get_by_alt_text(name))
        expect(picture.locator("small")).to_contain_text("tokens")
        return int(picture.locator("small").inner_text().split(" · ")[1].split()[0])

    for button, note in (("Costs only", "Everything fits."), ("Rank", "5 documents ranked")):
        page.get_by_role("button", name=button).click()
        expect(page.locator("#result-note")).to_contain_text(note)
        # A token for each block of 32 × 32; the query and the prompt cost the same with both.
        assert tokens("large.png") - tokens("small.png") == 8 * 8 - 4 * 4
    shown = page.locator("#ranking").get_by_alt_text("large.png")
    assert shown.evaluate("image => image.naturalWidth") == 256
    # A query may have one as well, which every pair pays for.
    before = tokens("small.png")
    drop_image(page, "query", "query.png", 64)
    page.get_by_role("button", name="Costs only").click()
    expect(page.locator("#result-note")).to_have_text("Everything fits.")
    assert tokens("small.png") - before == 2 * 2
    page.get_by_role("button", name="Rank").click()
    expect(page.locator("#result-note")).to_contain_text("5 documents ranked")


def image_is_refused_by_a_model_of_texts(browser: Browser) -> None:
    page = browser.open("#playground")
    page.get_by_label("Query", exact=True).fill(QUERY)
    page.locator("#rank-lines").fill(DOCUMENTS[1])
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Add images…").click()
    chooser.value.set_files({"name": "dot.png", "mimeType": "image/png", "buffer": png(1)})
    expect(page.get_by_alt_text("dot.png")).to_be_visible()
    page.get_by_role("button", name="Rank").click()
    expect(page.locator("#result-note.bad")).to_contain_text("image")
    page.get_by_role("button", name="Remove dot.png").click()
    page.get_by_role("button", name="Rank").click()
    expect(page.locator("#ranking li")).to_have_count(1)


def plain_token_has_the_playground(browser: Browser) -> None:
    page = browser.open("#overview", token=plain_token)
    expect(page.get_by_role("heading", name="Playground")).to_be_visible()
    expect(page.get_by_role("link", name="Overview")).to_have_count(0)
    page.get_by_role("button", name="Example").click()
    page.get_by_role("button", name="Rank").click()
    expect(page.locator("#ranking li")).to_have_count(5)


def nothing_overflows_on_a_phone(browser: Browser) -> None:
    for view in ("#overview", "#jobs", "#playground"):
        page = browser.open(view, viewport=PHONE, is_mobile=True, has_touch=True)
        expect(page.locator("nav a[aria-current]")).to_be_visible()
        if view == "#playground":
            page.get_by_role("button", name="Example").click()
            page.get_by_role("button", name="Rank").click()
            expect(page.locator("#ranking li")).to_have_count(5)
        else:
            expect(page.locator("main table tbody tr:visible").first).to_be_visible()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], f"{view} is {width} px wide"
        if view == "#jobs":
            page.locator("#job-list button.link").first.click()
            expect(page.get_by_role("dialog")).to_be_visible()
            box = page.get_by_role("dialog").bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= PHONE["width"], box
        page.context.close()


def themes_differ_and_are_readable(browser: Browser) -> None:
    contrast = """() => {
      const luminance = (color) => {
        const canvas = new OffscreenCanvas(1, 1).getContext("2d");
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((value) => {
          const part = value / 255;
          return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const style = getComputedStyle(document.documentElement);
      const ratio = (one, other) => {
        const [a, b] = [one, other].map((name) => luminance(style.getPropertyValue(`--${name}`)));
        return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      };
      const pairs = [["ink", "card"], ["ink", "ground"], ["soft", "card"], ["soft", "ground"],
        ["soft", "off-soft"], ["accent", "card"], ["on-accent", "accent"], ["bad", "card"],
        ["ink", "warn-soft"], ["ink", "bad-soft"],
        ...["good", "busy", "warn", "bad", "off"].map((tone) => [tone, `${tone}-soft`])];
      return pairs.map((pair) => [pair.join(" on "), ratio(...pair)]);
    }"""
    grounds = set()
    for scheme in ("light", "dark"):
        page = browser.open(color_scheme=scheme, reduced_motion="reduce")
        expect(page.locator("#verdict")).to_be_visible()
        ground = "getComputedStyle(document.body).backgroundColor"
        first = page.evaluate(ground)
        grounds.add(first)
        for pair, ratio in page.evaluate(contrast):
            assert ratio >= CONTRAST_MIN, f"{pair} has a contrast of {ratio:.2f} in {scheme}"
        expect(page.locator("#toast")).to_have_css("transition-duration", "0s")
        page.locator("#theme").click()
        assert page.evaluate(ground) != first
        page.reload()
        assert page.evaluate(ground) != first, "the choice is not kept"
        page.context.close()
    assert len(grounds) == 2, grounds


def everything_has_a_name(browser: Browser) -> None:
    page = browser.open()
    expect(page.locator("#workers tbody tr")).to_have_count(1)
    assert page.evaluate("document.documentElement.lang") == "en"
    for view in ("overview", "jobs", "playground"):
        page.goto(f"{base}/ui/#{view}")
        expect(page.locator(f"#{view}")).to_be_visible()
        assert page.locator("h1:visible").count() == 1
        nameless = page.evaluate("""() =>
          [...document.querySelectorAll("button, a, input, select, textarea, img, table, dialog")]
            .filter((each) => each.checkVisibility() && !(
              each.getAttribute("aria-label") || each.labels?.length || each.hasAttribute("alt")
              || each.textContent.trim() || each.caption?.textContent || each.type === "file"
              || each.hasAttribute("aria-labelledby")))
            .map((each) => each.outerHTML)""")
        assert nameless == [], nameless
    page = browser.open()
    expect(page.locator("#overview")).to_be_visible()
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to content")
    expect(skip).to_be_focused()
    page.get_by_role("link", name="Jobs", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="Jobs", exact=True)).to_be_focused()
    skip.press("Enter")
    expect(page.locator("main")).to_be_focused()
    expect(page.locator("#jobs")).to_be_visible()


def queue_is_away(browser: Browser) -> None:
    page = browser.open()
    expect(page.locator("#problems")).to_contain_text("has not answered")
    expect(page.locator("#verdict")).to_have_attribute("data-tone", "bad")


def queues_are_seen_as_one_and_told_apart(browser: Browser) -> None:
    names = {submit(f"{QUERY} {number}", DOCUMENTS) for number in range(16)}
    assert {name.split("-")[0] for name in names} == {"0", "1"}, names
    page = browser.open()
    expect(page.locator("#verdict-more")).to_contain_text("1 worker ·")
    expect(page.locator("#queues h3")).to_have_text(["Queue 0", "Queue 1"])
    rows = page.locator("#workers tbody tr")
    expect(rows).to_have_count(2)
    second = rows.filter(has_text="queue 1")
    second.get_by_role("button", name="Pause both (queue 1)").click()
    expect(second.locator(".chip")).to_have_text("paused")
    expect(rows.filter(has_text="queue 0").locator(".chip")).not_to_have_text("paused")
    second.get_by_role("button", name="Resume both (queue 1)").click()
    expect(second.locator(".chip")).to_have_text("idle")
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page.locator("#job-list tbody tr")).to_have_count(16)
    name = next(name for name in names if name.startswith("1-"))
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text(f"Job {name}: ")


def one_of_the_queues_is_away(browser: Browser) -> None:
    page = browser.open()
    expect(page.locator("#problems")).to_contain_text("Queue 1 has not answered")
    expect(page.locator("#problems")).not_to_contain_text("Queue 0")
    expect(page.locator("#queues h3", has_text="Queue 0")).to_be_visible()
    expect(page.locator("#queue-actions").get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("link", name="Jobs", exact=True).click()
    expect(page.locator("#job-list button.link").first).to_contain_text("0-")


def take_pictures(browser: Browser, folder: Path) -> None:
    """Of a system that has work to show, and a job that has failed."""
    page = browser.open(color_scheme="light")
    expect(page.locator("#failures tbody tr").first).to_be_visible()
    page.screenshot(path=folder / "page-overview.png")
    page = browser.open("#jobs", color_scheme="dark")
    page.get_by_label("State").select_option("failed")
    page.locator("#job-list button.link").first.click()
    expect(page.locator(".request .quote").first).to_be_visible()
    page.screenshot(path=folder / "page-job.png")
    page = browser.open("#playground", color_scheme="light", viewport=PHONE, is_mobile=True)
    page.get_by_role("button", name="Example").click()
    page.get_by_role("button", name="Rank").click()
    expect(page.locator("#ranking li")).to_have_count(5)
    page.locator("#result").evaluate("result => result.scrollIntoView()")
    page.screenshot(path=folder / "page-phone.png")


def main() -> None:
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        process = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if sys.argv[4] == "--pictures":
            take_pictures(Browser(process), Path(sys.argv[5]))
            return
        for name in sys.argv[4:]:
            browser = Browser(process)
            globals()[name](browser)
            assert browser.complaints == [], (name, browser.complaints)
            for context in process.contexts:
                context.close()
            print(name, "ok", flush=True)


main()
