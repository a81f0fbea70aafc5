"""A code is compared at a glance: it stays on one line, inside its box, on every phone."""

from playwright.async_api import Browser

from deviceflow.cli.demo import PASSWORD, USERNAME
from deviceflow.core.user_code import display

MEASURE = """
(code) => {
  const shown = document.querySelector(".code span");
  shown.textContent = code;
  const room = [9, 11, 14, 17, 19].find((most) => code.length <= most) ?? 22;
  const digits = /^[0-9-]+$/.test(code) ? " digits" : "";
  shown.parentElement.className = `code to-${room}${digits}`;
  const box = shown.closest(".compare").getBoundingClientRect();
  const { left, right } = shown.getBoundingClientRect();
  const line = parseFloat(getComputedStyle(shown).fontSize) * 1.2;
  return {
    lines: Math.round(shown.parentElement.getBoundingClientRect().height / line),
    fits: box.left <= left && right <= box.right,
    overflows: document.documentElement.scrollWidth > window.innerWidth,
  };
}
"""


async def test_a_code_of_any_length_stays_on_one_line(demo: str, browser: Browser) -> None:
    page = await browser.new_page()
    await page.goto(f"{demo}/demo")
    code = await page.locator("#tv-code:not(:empty)").inner_text()
    await page.goto(f"{demo}/device?user_code={code}")
    await page.get_by_label("Username").fill(USERNAME)
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("button", name="Continue").click()
    await page.locator(".code").wait_for()
    codes = [display("W" * length, 4) for length in range(8, 15)]
    codes += [display("8" * length, 3) for length in range(9, 18)]
    for width in (320, 360, 390, 768, 1280):
        await page.set_viewport_size({"width": width, "height": 740})
        for shown in codes:
            measured = await page.evaluate(MEASURE, shown)
            assert measured == {"lines": 1, "fits": True, "overflows": False}, (width, shown)
