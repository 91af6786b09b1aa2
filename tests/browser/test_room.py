"""A room in two browsers: a teacher asks, a student answers by keyboard, the wall shows it, the room ends."""

from playwright.sync_api import Browser, Page, expect

from tests.browser.actions import tab_to
from tests.browser.waiting import settled


def test_student_votes_by_keyboard_and_the_wall_shows_it(page: Page, browser: Browser, server: str) -> None:
    wall, student = page, browser.new_context(viewport={"width": 390, "height": 844}).new_page()
    wall.goto(f"{server}/room")
    wall.get_by_role("button", name="Open a room").click()
    code = wall.get_by_test_id("stMetricValue").inner_text()

    student.goto(f"{server}/room?room={code}")
    expect(student.get_by_role("textbox", name="Code")).to_have_value(code)
    settled(student)
    tab_to(student, student.get_by_role("textbox", name="Nickname"))
    student.keyboard.type("<b>Ada</b>")
    student.keyboard.press("Enter")
    expect(student.get_by_text("Wait for a question of your teacher.")).to_be_visible()
    expect(wall.get_by_text("Room (1): <b>Ada</b>")).to_be_visible()  # the wall shows it by itself, as text

    wall.get_by_role("button", name="Ask the class").click()
    choices = student.get_by_role("radio")
    expect(choices).to_have_count(5)
    tab_to(student, choices.first)
    student.keyboard.press("ArrowUp")  # from the first one to the last
    expect(choices.last).to_be_checked()
    expect(student.get_by_text("Your answer is in.")).to_be_visible()
    expect(wall.get_by_text("1 of 1 have answered")).to_be_visible()
    expect(wall.get_by_text("The model predicts")).to_have_count(0)

    wall.get_by_role("button", name="Show the answer now").click()
    expect(wall.get_by_text("1 of 1, 100%")).to_be_visible()
    expect(student.get_by_text("Your answer was right.")).to_be_visible()
    student.reload()  # the cookie leads back to the seat
    expect(student.get_by_text("Your answer was right.")).to_be_visible()

    wall.get_by_role("button", name="End the room").click()
    expect(student.get_by_text("This room has ended")).to_be_visible()
    expect(wall.get_by_role("button", name="Open a room")).to_be_visible()
    student.context.close()
