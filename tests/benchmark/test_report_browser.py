"""The report in a real browser: sorting, comparing, choosing an emotion; nothing leaves the page."""

import pytest

from benchmark.analysis.findings import read_findings
from benchmark.figures.catalogue import displays
from benchmark.report.page import render

SIZES = {"wide": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def address(done, tmp_path_factory):
    store, _ = done
    found = read_findings(store.root)
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(found, displays(found)), "utf-8")
    return path.as_uri()


@pytest.fixture
def open_page(browser, address):
    """Open the report; fail at the end if anything was asked of elsewhere or went wrong on the page."""
    asked, problems, contexts = [], [], []

    def opened(size="wide", scheme="light"):
        width, height = SIZES[size]
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: problems.append(message.text))
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(address)
        return page

    yield opened
    assert set(asked) - {address, "data:,"} == set()
    assert problems == []
    for context in contexts:
        context.close()


def column(page, heading):
    """Return a column of the leaderboard by the text of its heading."""
    headings = [text.strip() for text in page.locator("#board thead th").all_text_contents()]
    place = headings.index(heading) + 1
    return [text.split()[0] for text in page.locator(f"#board tbody tr > :nth-child({place})").all_text_contents()]


def test_a_heading_sorts_the_board_both_ways(open_page):
    page = open_page()
    heading = page.get_by_role("button", name="accuracy", exact=True)
    ranked = column(page, "recognizer")
    heading.click()
    values = [float(text) for text in column(page, "accuracy")]
    assert values == sorted(values, reverse=True)
    assert page.locator("#board thead th[aria-sort]").count() == 1
    heading.press("Enter")
    values = [float(text) for text in column(page, "accuracy")]
    assert values == sorted(values)
    page.get_by_role("button", name="rank").click()
    assert column(page, "recognizer") == ranked
    page.get_by_role("button", name="recognizer").click()
    assert column(page, "recognizer") == sorted(ranked)
    # Costs are better when low, so these come first.
    page.get_by_role("button", name="ms per face").click()
    values = [float(text) for text in column(page, "ms per face")]
    assert values == sorted(values)


def test_choosing_an_emotion_puts_its_numbers_in_front(open_page):
    page = open_page()
    visible = page.locator("#board thead th.emotion:visible")
    assert visible.all_inner_texts() == ["Disgust recall", "Disgust precision", "Disgust F1"]
    page.get_by_role("radio", name="Disgust").focus()
    page.keyboard.press("ArrowRight")
    assert visible.all_inner_texts() == ["Fear recall", "Fear precision", "Fear F1"]
    assert page.locator("#compared tr.chosen th").first.inner_text() == "Fear"
    page.get_by_role("radio", name="Surprise").check()
    assert page.locator("#board tbody tr").first.locator("td.emotion:visible").count() == 3


def test_ticked_recognizers_are_compared(open_page):
    page = open_page()
    names = column(page, "recognizer")
    headings = page.locator("#compared table").first.locator("thead th")
    assert headings.all_inner_texts() == ["emotion", *names[:2]]
    assert page.locator("#compared table.pair").count() == 1
    assert "McNemar" in page.locator("#compared p").last.inner_text()
    page.get_by_role("checkbox", name=f"compare {names[2]}", exact=True).check()
    assert headings.all_inner_texts() == ["emotion", *names[:3]]
    assert page.locator("#compared table.pair").count() == 0
    for name in names[:3]:
        box = page.get_by_role("checkbox", name=f"compare {name}", exact=True)
        box.focus()
        page.keyboard.press("Space")
    assert page.locator("#compared").inner_text() == "Nothing is ticked."


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_the_page_is_as_wide_as_the_screen_and_readable(open_page, size, scheme):
    page = open_page(size, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[size][0]
    ground, ink = page.evaluate(
        "(({backgroundColor, color}) => [backgroundColor, color])(getComputedStyle(document.body))"
    )
    light = [sum(map(int, colour[4:-1].split(","))) for colour in (ground, ink)]
    assert (light[0] > light[1]) == (scheme == "light")
    assert abs(light[0] - light[1]) > 500
    text = page.locator(".drawing svg text").first
    assert text.evaluate("node => getComputedStyle(node).fill") == ink
    assert text.evaluate("node => node.getBoundingClientRect().height") > 7
