"""Argument values: the same entity in any format is equal, another entity is not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.rules.language.equivalence import same_value

TODAY = date(2019, 3, 1)
MINUTES = st.integers(0, 24 * 60 - 1)
DAYS = st.integers(0, 27).map(lambda days: TODAY + timedelta(days=days))
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def clock_forms(minute: int) -> list[str]:
    hour, rest = divmod(minute, 60)
    half, twelve = ("am", "pm")[hour >= 12], (hour - 1) % 12 + 1
    forms = [f"{hour:02d}:{rest:02d}", f"{twelve}:{rest:02d} {half}", f"at {twelve}:{rest:02d}{half.upper()}"]
    forms += [f"{twelve}:{rest:02d} {half[0]}.m.", f"{hour:02d}:{rest:02d}:00"]
    if rest == 0:
        forms += [f"{twelve} {half}", f"{WORDS[twelve]} {half}"]
    if rest == 15:
        forms.append(f"quarter past {twelve} {half}")
    return forms


def day_forms(day: date) -> list[str]:
    forms = [day.isoformat(), f"{day:%B} {day.day}", f"{day.day}th of {day:%B}", f"{day:%A}, {day:%B} {day.day}, 2019"]
    away = (day - TODAY).days
    forms += [["today", "tomorrow", "the day after tomorrow"][away]] if away < 3 else []
    return forms + ([f"{day:%A}", f"next {day:%A}"] if away < 14 else [])


@given(MINUTES, MINUTES)
def test_a_time_is_equal_in_every_form_and_unequal_to_every_other_time(minute: int, other: int) -> None:
    exact = f"{minute // 60:02d}:{minute % 60:02d}"
    for form in clock_forms(minute):
        assert same_value("time", exact, form, TODAY), form
    for form in clock_forms(other):
        if (minute - other) % 720 or (minute != other and "m" in form.lower()):
            assert not same_value("time", exact, form, TODAY), form


@given(DAYS, DAYS)
def test_a_day_is_equal_in_every_form_and_unequal_to_the_dates_of_others(day: date, other: date) -> None:
    for form in day_forms(day):
        assert same_value("date", day.isoformat(), form, TODAY), form
    if day != other:
        for form in (other.isoformat(), f"{other:%B} {other.day}"):
            assert not same_value("date", day.isoformat(), form, TODAY), form


@given(st.integers(0, 12), st.integers(0, 12))
def test_a_number_is_equal_as_figure_and_word(number: int, other: int) -> None:
    for form in (number, str(number), WORDS[number], f"{number} people", float(number)):
        assert same_value("party_size", str(number), form, TODAY)
    assert same_value("party_size", str(number), str(other), TODAY) == (number == other)


@pytest.mark.parametrize(
    ("key", "reference", "other"),
    [
        ("city", "San Francisco", "SFO"),
        ("city", "New York", "NYC"),
        ("city", "Los Angeles", "la"),
        ("city", "Oakland", "Oakland, CA"),
        ("location", "San José", "San Jose"),
        ("restaurant_name", "Katana-ya", "KatanaYa"),
        ("restaurant_name", "Yayoi Cupertino", "Yayoi"),
        ("restaurant_name", "The Mexican Restaurant & Bar", "Mexican restaurant"),
        ("hotel_name", "Best Western Plus Sutter House", "Best Westren Plus Sutter House"),
        ("cuisine", "Barbecue", "American"),
        ("cuisine", "Asian Fusion", "Asian"),
        ("cuisine", "Gastropub", "Gastrobar"),
        ("cuisine", "Ramen", "Japanese"),
        ("cuisine", "Szcheuan", "Chinese"),
        ("cuisine", "Cambodian", "Vietnamese"),
        ("cuisine", "Italian", "Pizza"),
        ("price_range", "moderate", "mid-range"),
        ("price_range", "expensive", "very expensive"),
        ("serves_alcohol", "True", True),
        ("serves_alcohol", "False", "no"),
        ("phone_number", "510-465-2558", "(510) 465 2558"),
        ("phone_number", "+1 916-441-1314", "916-441-1314"),
        ("airlines", "dontcare", "Delta Airlines"),
    ],
)
def test_the_same_entity_under_another_name_is_equal(key: str, reference: str, other: object) -> None:
    assert same_value(key, reference, other, TODAY)


@pytest.mark.parametrize(
    ("key", "reference", "other"),
    [
        ("city", "San Francisco", "San Diego"),
        ("city", "South San Francisco", "San Francisco"),
        ("city", "Oakland", "Berkeley Oakland Fresno"),
        ("restaurant_name", "Zabu Zabu", "Zabu Zabu, Golden Wok, Lark, Seapot, Fuji Sukiyaki"),
        ("city", "Oakland", "Auckland"),
        ("city", "Palo Alto", ""),
        ("restaurant_name", "Katana-ya", "El Cerrito"),
        ("restaurant_name", "Zabu Zabu", "Golden Wok"),
        ("cuisine", "Italian", "Mexican"),
        ("cuisine", "Chinese", "Japanese"),
        ("price_range", "inexpensive", "expensive"),
        ("serves_alcohol", "True", "False"),
        ("serves_alcohol", "True", "maybe"),
        ("phone_number", "510-465-2558", "510-465-2559"),
        ("time", "11:15", "23:15"),
        ("time", "11:15", "soon"),
        ("date", "2019-03-01", "2023-03-01"),
        ("date", "2019-03-01", "whenever"),
        ("party_size", "2", "2 or 3"),
    ],
)
def test_another_entity_is_unequal(key: str, reference: str, other: object) -> None:
    assert not same_value(key, reference, other, TODAY)
